import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.checks.datafiles import load, load_json
from loopdeck.checks.frontmatter import Unreadable, read_flat_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("title: Hello World", {"title": "Hello World"}),
        ("# comment\n\na: 1 # one\nb: -2\nc: 1.5\nd: 1e3\ne: 0x1f\nf: .5", {"a": 1, "b": -2, "c": 1.5, "d": 1000.0, "e": 31, "f": 0.5}),
        ("a: true\nb: False\nc: null\nd: ~\ne:\nf: yes", {"a": True, "b": False, "c": None, "d": None, "e": None, "f": "yes"}),
        ("date: 2026-11-21\nversion: 1.2.3", {"date": "2026-11-21", "version": "1.2.3"}),
        ("a: \"x: \\\"y\\\" # z\" # c\nb: 'it''s'", {"a": 'x: "y" # z', "b": "it's"}),
        ("tags: [a, 'b, c', 3, true]\nempty: []\nlast: [a,]", {"tags": ["a", "b, c", 3, True], "empty": [], "last": ["a"]}),
        ("tags:\n  - a\n  - 2\n  -\nnext: x", {"tags": ["a", 2, None], "next": "x"}),
        ("tags:\n- a\n- b # c", {"tags": ["a", "b"]}),
        (
            '"quoted key": 1\nwith space: 2\nurl: https://example.com/#x',
            {"quoted key": 1, "with space": 2, "url": "https://example.com/#x"},
        ),
        ("", {}),
    ],
)
def test_flat_yaml_is_read(text: str, value: dict[str, object]) -> None:
    assert read_flat_yaml(text)[0] == value


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("author:\n  name: x", 2, "nested below author"),
        ("a: |\n  x", 1, "a block of text"),
        ("a: >-\n  x", 1, "a folded block"),
        ("a: {b: 1}", 1, "a mapping in braces"),
        ("a: &x 1", 1, "an anchor"),
        ("a: !tag 1", 1, "a tag"),
        ("a: [1, [2]]", 1, "a list within a list"),
        ("a: [1,\n2]", 1, "over several lines"),
        ("a: b: c", 1, "must be quoted"),
        ("a: 1\na: 2", 2, "twice"),
        ("tags:\n  - x: 1", 2, "anything but plain values"),
        ("a: x\n  y", 2, "over several lines"),
        ("\ta: 1", 1, "a tab"),
        ("just text", 1, "not `key: value`"),
        ("- a\n- b", 1, "not `key: value`"),
        ('a: "x', 1, "no end"),
        ('a: "x" y', 1, "something follows"),
        ("a: " + "9" * 5000, 1, "a number that can't be read"),
    ],
)
def test_what_is_beyond_flat_yaml_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_flat_yaml(text)
    assert words in caught.value.why
    assert caught.value.line == line


def test_front_matter_lines_are_those_of_the_file() -> None:
    data = load("a.md", "---\ntitle: x\ntags:\n  - a\n  - b\n---\n# Text\n")
    assert data.value == {"title": "x", "tags": ["a", "b"]}
    assert data.lines_of({("title",), ("tags",), ("tags", 1), ("absent",), ()}) == {
        ("title",): 2, ("tags",): 3, ("tags", 1): 5, ("absent",): 1, (): 1,
    }  # fmt: skip


def test_toml_front_matter_and_its_dates() -> None:
    data = load("a.md", '+++\ntitle = "x"\ndate = 2026-11-21\n[extra]\nn = 1\n+++\ntext\n')
    assert data.value == {"title": "x", "date": "2026-11-21", "extra": {"n": 1}}
    assert data.lines_of({("extra", "n"), ("date",)}) == {("extra", "n"): 5, ("date",): 3}


def test_lines_of_arrays_of_tables() -> None:
    data = load("a.toml", 'top = 1\n[[user]]\nname = "a"\n[[user]]\nname = 2\n[user.more]\n"x y".z = 1\n')
    lines = data.lines_of({("user", 1, "name"), ("user", 0, "name"), ("user", 1, "more", "x y", "z"), ("user", 1, "gone")})
    assert lines == {("user", 1, "name"): 5, ("user", 0, "name"): 3, ("user", 1, "more", "x y", "z"): 7, ("user", 1, "gone"): 4}


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("a.json", '{"a": 1,\n "b" 2}', 2, "not valid JSON"),
        ("a.json", "", 1, "not valid JSON"),
        ("a.json", '{"a": NaN}', 0, "NaN is not a number"),
        ("a.json", '{"a": 1, "a": 2}', 0, "twice"),
        ("a.json", "[" * 100_000, 0, "nested too deep"),
        ("a.json", "9" * 5000, 0, "JSON that can be read"),
        ("a.toml", "a = 1\nb = \n", 2, "not valid TOML"),
        ("a.toml", "a = " + "[" * 100_000, 0, "TOML"),
        ("a.toml", "x = 1\ny = {" + "a." * 150 + "b = 1}", 2, "more than 100 parts"),
        ("a.md", "# no front matter\n", 1, "no front matter"),
        ("a.md", "", 1, "no front matter"),
        ("a.md", "---\ntitle: x\n", 1, "has no end"),
        ("a.md", "+++\nx = 1\ny\n+++\n", 3, "not valid TOML"),
    ],
)
def test_what_can_not_be_read_says_why_and_where(name: str, text: str, line: int, words: str) -> None:
    with pytest.raises(Unreadable) as caught:
        load(name, text)
    assert words in caught.value.why
    assert caught.value.line == line


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def every_path(value: object) -> list[tuple[str | int, ...]]:
    paths: list[tuple[str | int, ...]] = [()]
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        paths.extend((key, *rest) for rest in every_path(part))
    return paths


@given(JSON)
def test_each_value_of_a_json_document_is_found_in_its_line(value: object) -> None:
    text = json.dumps(value, indent=1)
    lines = text.split("\n")
    data = load_json(text)
    found = data.lines_of(every_path(value))
    for path, line in found.items():
        shown = lines[line - 1].strip()
        if path and isinstance(path[-1], str):
            assert shown.startswith(json.dumps(path[-1]) + ":")
    order = [found[path] for path in every_path(value)]
    assert order == sorted(order)
    assert all(before < after for before, after in pairwise(order))


MARKS = ["---", "+++", "a: ", "- ", "[", '"', "'", "\n", " ", "x", "= ", "#", "|", ","]


def read(name: str, text: str) -> Unreadable | None:
    """What stands in the way of reading `text`."""
    try:
        load(name, text).lines_of({("a",), ("a", 0)})
    except Unreadable as error:
        return error
    return None


@given(st.text() | st.lists(st.sampled_from(MARKS)).map("".join))
def test_any_text_is_a_value_or_unreadable(text: str) -> None:
    for name in ("a.json", "a.toml", "a.md", "a.yml"):
        problem = read(name, text)
        if problem is not None:
            assert problem.why
            assert 0 <= problem.line <= text.count("\n") + text.count("\r") + 2


@pytest.mark.parametrize("piece", ["a: 'x''", "- ", "[", '{"a":', '"\\', "a = [", "x: [a, ", "a.", "'", "#", "[[", '"a".', "a = {a."])
def test_evil_data_is_read_in_time(piece: str) -> None:
    began = time.perf_counter()
    for separator in ("", "\n"):
        text = (piece + separator) * (200_000 // len(piece + separator))
        for name in ("a.json", "a.toml", "a.yml"):
            read(name, text)
    assert time.perf_counter() - began < 4
