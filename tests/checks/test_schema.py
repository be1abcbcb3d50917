import json
import time

import pytest

from loopdeck.core.spec import CheckSpec, SchemaCheck
from tests.checks.room import context, grade, verdict, write

SCHEMA = {
    "type": "object",
    "required": ["title"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string", "minLength": 3},
        "date": {"type": "string", "format": "date"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "n": {"type": "number", "multipleOf": 0.5},
    },
}


def schema(*globs: str, name: str = "schema.json", **fields) -> CheckSpec:
    return CheckSpec(name="facts", schema=SchemaCheck(globs, name), **fields)


@pytest.fixture
def deck(tmp_path):
    """A clean checkout and, apart from it, the operator's own root with the schema."""
    root = write(tmp_path / "root", {"schema.json": json.dumps(SCHEMA)})
    return context(write(tmp_path / "checkout", {}), root=root)


@pytest.mark.req("S2-029")
def test_files_that_hold_to_the_schema_pass(deck) -> None:
    write(
        deck.checkout,
        {
            "d/a.json": '{"title": "abc", "n": 1.5}',
            "d/b.toml": 'title = "abc"\ndate = 2026-11-21\n',
            "d/c.md": "---\ntitle: abc\ndate: 2026-11-21\ntags: [x, y]\n---\n# Text\n",
            "d/e.md": '+++\ntitle = "abc"\n+++\ntext\n',
            "d/f.yml": "title: abc\n",
        },
    )
    said = verdict(schema("d/*"), deck)
    assert said.findings == ()
    assert said.passed
    assert said.evidence.tail.startswith("5 of 5 files hold to schema.json (SHA-256 ")


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("a.json", '{\n "title": "abc",\n "tags": [\n  "x",\n  3\n ]\n}', 5, "$.tags[1]: 3 is not of type 'string'"),
        ("a.json", '{"n": 1}', 1, "$: 'title' is a required property"),
        ("a.json", '{"title": "abc", "other": 1}', 1, "'other' was unexpected"),
        ("a.json", '{\n"title":\n"abc",\n"date": "yesterday"}', 4, "$.date: 'yesterday' is not a 'date'"),
        ("a.toml", '# c\ntitle = "ab"\n', 2, "$.title: 'ab' is too short"),
        ("a.md", "---\ntitle: abc\ntags:\n  - x\n  - 3\n---\n", 5, "$.tags[1]: 3 is not of type 'string'"),
        ("a.md", "# No front matter\n", 1, "no front matter"),
        ("a.md", "---\ntitle: abc\nmore:\n  deep: 1\n---\n", 4, "write the front matter as TOML"),
        ("a.json", '{"title": "abc",\n oops}', 2, "not valid JSON"),
        ("a.txt", "title: abc", 0, "files of this kind can't be checked"),
        ("a.json", b'{"title": "\xff"}', 1, "not UTF-8"),
        ("a.json", '{"title": "abc", "n": 1e999}', 1, "$"),
        ("a.json", '{"title": "abc", "n": ' + "9" * 4000 + "}", 1, "$"),
    ],
)
def test_what_is_wrong_is_a_finding_with_path_and_line(deck, name: str, text: str | bytes, line: int, words: str) -> None:
    write(deck.checkout, {name: text})
    said = verdict(schema("*"), deck)
    assert said.outcome == "failed"
    (one,) = said.findings
    assert words in one.message
    assert (one.path, one.line) == (name, line)
    if line and name != "a.json":
        assert f"> {line} | " in one.snippet


def test_the_schema_is_the_operators_whatever_the_maker_did_to_its_own(deck) -> None:
    write(deck.checkout, {"schema.json": "true", "d/a.json": "{}"})
    assert verdict(schema("d/*.json"), deck).outcome == "failed"


def test_the_score_is_the_share_of_good_files(deck) -> None:
    write(deck.checkout, {"d/a.json": '{"title": "abc"}', "d/b.json": "{}", "d/c.json": "[]", "d/e.json": '{"title": "abc"}'})
    assert verdict(schema("d/*"), deck).score == 0.5


def test_a_glob_that_matches_nothing_is_a_finding(deck) -> None:
    said = verdict(schema("data/*.json"), deck)
    assert said.outcome == "failed"
    assert "no file matches data/*.json" in said.findings[0].message


def test_many_errors_are_counted(deck) -> None:
    write(deck.checkout, {f"{n:02}.json": "{}" for n in range(30)})
    said = verdict(schema("*.json"), deck)
    assert len(said.findings) == 20
    assert "11 more" in said.findings[-1].message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such schema"),
        ("{", "not valid JSON"),
        ("[]", "an object, true or false"),
        ('{"type": "strin"}', "not a valid JSON Schema"),
        ('{"$ref": "https://example.com/other.json"}', "https://example.com/other.json"),
        ('{"$ref": "gone.json"}', "gone.json"),
        ('{"$ref": "../outside.json"}', "outside.json"),
        ('{"$ref": "#/$defs/none"}', "none"),
        ('{"properties": {"a": {"pattern": "("}}}', ""),
        ('{"$ref": "#"}', "nested too deep"),
    ],
)
def test_a_schema_that_can_not_be_used_is_an_error_or_a_finding_never_a_pass(tmp_path, text: str | None, words: str) -> None:
    root = write(tmp_path / "root", {} if text is None else {"schema.json": text})
    write(tmp_path, {"outside.json": "true"})
    checkout = write(tmp_path / "checkout", {"a.json": '{"a": "x"}'})
    said = verdict(schema("a.json"), context(checkout, root=root))
    assert said.outcome == ("failed" if words == "nested too deep" else "error")
    assert words in said.findings[0].message


@pytest.mark.parametrize("name", ["../schema.json", "/etc/passwd", "leak.json"])
def test_a_schema_outside_of_the_repository_is_not_read(tmp_path, name: str) -> None:
    write(tmp_path, {"schema.json": "true", "root/x": "", "checkout/a.json": "{}"})
    (tmp_path / "root/leak.json").symlink_to(tmp_path / "schema.json")
    said = verdict(schema("a.json", name=name), context(tmp_path / "checkout", root=tmp_path / "root"))
    assert said.outcome == "error"


@pytest.mark.parametrize("identity", ["", '"$id": "https://example.com/schemas/main.json", '])
def test_a_schema_may_refer_to_its_neighbours(tmp_path, identity: str) -> None:
    root = write(
        tmp_path / "root",
        {
            "schemas/main.json": f'{{{identity}"properties": {{"a": {{"$ref": "parts/text.json"}}}}}}',
            "schemas/parts/text.json": '{"type": "string"}',
        },
    )
    write(tmp_path / "checkout", {"a.json": '{"a": 1}', "b.json": '{"a": "x"}'})
    said = verdict(schema("*.json", name="schemas/main.json"), context(tmp_path / "checkout", root=root))
    assert [one.path for one in said.findings] == ["a.json"]
    assert "$.a: 1 is not of type 'string'" in said.findings[0].message


def test_the_nearest_branch_of_a_choice_is_told(tmp_path) -> None:
    root = write(
        tmp_path / "root",
        {"schema.json": '{"anyOf": [{"type": "string"}, {"properties": {"n": {"type": "number"}}, "type": "object"}]}'},
    )
    write(tmp_path / "checkout", {"a.json": '{"n": "one"}'})
    said = verdict(schema("a.json"), context(tmp_path / "checkout", root=root))
    assert "$.n: 'one' is not of type 'number'" in said.findings[0].message


def test_hostile_data_ends_in_a_verdict(tmp_path) -> None:
    root = write(tmp_path / "root", {"schema.json": '{"properties": {"a": {"uniqueItems": true}, "next": {"$ref": "#"}}}'})
    checkout = write(
        tmp_path / "checkout",
        {
            "deep.json": '{"next":' * 900 + "{}" + "}" * 900,
            "long.json": json.dumps({"a": [n if n % 2 else {"x": n} for n in range(2500)]}),
            "big.json": b" " * 2_000_001,
        },
    )
    (checkout / "loop.json").symlink_to("loop.json")
    (checkout / "leak.json").symlink_to("/etc/passwd")
    began = time.monotonic()
    said = verdict(schema("*.json", timeout_s=0.5), context(checkout, root=root))
    assert time.monotonic() - began < 4
    assert "timed out after 0.5 s" in said.findings[0].message


def test_a_message_about_a_huge_value_stays_short_and_tells(deck) -> None:
    write(deck.checkout, {"a.json": json.dumps({"title": ["x" * 50_000]})})
    (one,) = verdict(schema("a.json"), deck).findings
    assert len(one.message) <= 500
    assert "is not of type 'string'" in one.message


def test_the_output_lists_every_file(deck) -> None:
    write(deck.checkout, {"a.json": '{"title": "abc"}', "b.json": "{}"})
    _, output = grade(schema("*.json"), deck)
    assert output.decode().split("\n")[:2] == ["a.json ok", "b.json:1 $: 'title' is a required property"]
