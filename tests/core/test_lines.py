"""The locator of lines in TOML: every path that tomllib gives has its line."""

import tomllib

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.durations import seconds
from loopdeck.core.lines import line_of, locate

DOCUMENT = '''\
# a comment with [a] = "header"
goal = """
two [lines]
and = a "quote"" """
a.b."c.d" = 1

[maker] # [not.this]
tools = [
  "bash",   # first, ] }
  'it''s' ,
]
inline = {x = [1, {y = 2}], 'z' = "}"}
script = \'\'\'
# not a comment
\'\'\'
[[check]]
run = "a"
  [check.schema]
  files = []
[[check]]
"run" = "b"
when.x = 2020-01-01 07:00:00
[[maker.connector]]
[[maker.connector]]
name = "n"
[deep.er."\\u0041"]
'''.replace("'it''s'", "'its'")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("goal",), 2),
        (("a",), 5),
        (("a", "b", "c.d"), 5),
        (("maker",), 7),
        (("maker", "tools"), 8),
        (("maker", "tools", 0), 9),
        (("maker", "tools", 1), 10),
        (("maker", "inline", "x", 1, "y"), 12),
        (("maker", "inline", "z"), 12),
        (("maker", "script"), 13),
        (("check",), 16),
        (("check", 0), 16),
        (("check", 0, "run"), 17),
        (("check", 0, "schema"), 18),
        (("check", 0, "schema", "files"), 19),
        (("check", 1), 20),
        (("check", 1, "run"), 21),
        (("check", 1, "when", "x"), 22),
        (("maker", "connector", 1), 24),
        (("maker", "connector", 1, "name"), 25),
        (("deep",), 26),
        (("deep", "er", "A"), 26),
    ],
)
def test_a_path_has_its_line(path, line):
    assert locate(DOCUMENT)[path] == line


def test_what_is_not_there_has_the_line_of_what_is_around_it():
    lines = locate(DOCUMENT)
    assert line_of(lines, ("check", 1, "timeout")) == 20
    assert line_of(lines, ("nothing", "at", "all")) == 1


def _paths(value, path=()):
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _paths(one, (*path, key))


_text = st.text(st.characters(codec="utf-8", exclude_characters="\r"))
_values = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.floats() | st.dates() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_text, _values, max_size=4), st.booleans())
def test_every_path_of_a_document_has_a_line(document, multiline):
    text = tomli_w.dumps(document, multiline_strings=multiline)
    read = tomllib.loads(text)
    lines = locate(text)
    assert set(_paths(read)) <= set(lines)
    count = text.count("\n") + 1
    assert all(1 <= line <= count for line in lines.values())


@given(st.text(st.sampled_from("[]{}=,.\"'#\n\\ ab1")))
def test_any_text_ends_without_an_error_and_what_is_toml_is_known(text):
    lines = locate(text)
    try:
        read = tomllib.loads(text)
    except ValueError:
        return
    assert set(_paths(read)) <= set(lines)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1d2h3m4s", 93_784),
        ("0.5s", 0.5),
        (" 5m ", 300),
        ("0s", 0),
        ("", None),
        ("90", None),
        ("30m1h", None),
        ("1h1h", None),
        ("-5s", None),
        ("5 m", None),
        ("٣s", None),
        ("1e3s", None),
    ],
)
def test_durations(written, value):
    assert seconds(written) == value
