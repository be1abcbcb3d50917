"""SKILL.md as people write it: read by the open format, told with its line where it breaks it, and frozen with what lies beside it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.skillhead import read_head
from loopdeck.store.skills import MOST_BYTES, MOST_FILES, PLACES, Skill, beside, find_skills, read_skill
from loopdeck.store.specs import gather, load_loop
from tests.kit.repos import write_files

SKILL = "---\nname: {name}\ndescription: When to use it.\n---\n\nDo {where}.\n"
FILE = ".loopdeck/loops/fix/loop.toml"
LOOP = """\
goal = "All tests pass."
skills = ["style"]
[maker]
agent = "anthropic"
model = "m"
[[check]]
run = "true && false"
[exit]
max_iterations = 4
max_tokens = 100
"""


def head(lines):
    """The values that front matter comes to."""
    return {key: entry.value for key, entry in read_head(lines.split("\n"), 2).entries.items()}


@pytest.mark.parametrize(
    ("front", "line", "word"),
    [
        ("name: a\ndescription: b", 1, "no front matter"),
        ("---\nname: a\n", 1, "no front matter"),
        ("---\nname: a\n---\n", 1, "no description"),
        ("---\ndescription: a\n---\n", 1, "no name"),
        ("---\nname:\ndescription: b\n---\n", 2, "not one line"),
        ("---\nname: [a]\ndescription: b\n---\n", 2, "not one line"),
        ("---\nname: {a: b}\ndescription: b\n---\n", 2, "not one line"),
        ('---\nname: "a\ndescription: b\n---\n', 2, "not one line"),
        ("---\nname: a\ndescription: *b\n---\n", 3, "not one line"),
        ("---\nname: ../a\ndescription: b\n---\n", 2, "can't be a skill's name"),
        ("---\nname: Fix_Tests\ndescription: b\n---\n", 2, "can't be a skill's name"),
        ("---\nname: a--b\ndescription: b\n---\n", 2, "can't be a skill's name"),
        (f"---\nname: {'a' * 65}\ndescription: b\n---\n", 2, "can't be a skill's name"),
        (f"---\nname: a\ndescription: {'b' * 1025}\n---\n", 3, "1025 characters"),
        (f"---\nname: a\ndescription: b\ncompatibility: {'c' * 501}\n---\n", 4, "501 characters"),
        ("---\nname: a\ndescription: b\nlicense:\n- MIT\n---\n", 4, "not one line"),
        ("---\nname: a\ndescription: b\nmetadata: MIT\n---\n", 4, "`metadata`"),
        ("---\nname: a\ndescription: b\nmetadata:\n  a: {b: c}\n---\n", 4, "`metadata`"),
        ("---\nname: a\ndescription: b\nallowed-tools: {a: b}\n---\n", 4, "`allowed-tools`"),
        ("", 1, "no front matter"),
    ],
)
def test_a_malformed_skill_is_told_with_its_line(front, line, word):
    problem = read_skill(front, "SKILL.md")
    assert not isinstance(problem, Skill)
    assert (problem.file, problem.line) == ("SKILL.md", line)
    assert word in problem.what
    assert problem.remedy


def test_a_name_that_can_not_be_is_answered_with_one_that_can():
    problem = read_skill("---\nname: Fix_My Tests!\ndescription: b\n---\n", "SKILL.md")
    assert not isinstance(problem, Skill)
    assert "`name: fix-my-tests`" in problem.remedy


@pytest.mark.parametrize(
    ("written", "description"),
    [
        ("Plain: with a colon # and a comment", "Plain: with a colon"),
        ('"In \\"quotes\\" # all of it"', 'In "quotes" # all of it'),
        ("'It''s so'", "It's so"),
        ("C# code", "C# code"),
        (">\n  Folded over\n  two lines.\n", "Folded over two lines."),
        (">-\n  One.\n\n  Two.", "One.\nTwo."),
        ("|\n  As it\n    stands.", "As it\n  stands."),
        ("begun here\n  and gone on", "begun here and gone on"),
        ("\n  all of it below", "all of it below"),
    ],
)
def test_front_matter_is_read_as_others_write_it(written, description):
    text = f"---\nname: a\nlicense: MIT\nmetadata:\n  version: 1\ndescription: {written}\n---\nText\n---\nmore".replace("\n", "\r\n")
    skill = read_skill(text, "SKILL.md")
    assert isinstance(skill, Skill)
    assert (skill.name, skill.description.replace("\r", ""), skill.text) == ("a", description, "Text\r\n---\r\nmore")
    assert (skill.license, skill.metadata) == ("MIT", {"version": "1"})


@pytest.mark.parametrize(
    ("written", "tools"),
    [
        ("Bash(git add:*) Bash(jq:*) Read", ("Bash(git add:*)", "Bash(jq:*)", "Read")),
        ("Read, Grep", ("Read", "Grep")),
        ("[Read, Grep]", ("Read", "Grep")),
        ("\n- Read\n- Grep", ("Read", "Grep")),
        ("\n  - Read\n  - 'Grep'", ("Read", "Grep")),
        ("", ()),
    ],
)
def test_allowed_tools_are_read_in_each_way_they_are_written(written, tools):
    skill = read_skill(f"---\nname: a\ndescription: b\nallowed-tools: {written}\n---\nText", "a/SKILL.md")
    assert isinstance(skill, Skill)
    assert (skill.allowed_tools, skill.warnings) == (tools, ())


def test_what_is_beyond_simple_yaml_is_nothing_rather_than_a_guess():
    values = head("a: {b: c}\nb: &x 1\nc:\n  d:\n    e: f\ng: [a, [b]]\nh: !x y\ni: `x`\nj: [a\nk: 1\nk: 2")
    assert values == {**dict.fromkeys("abcghij"), "k": "1"}
    assert read_head(["a: 1", "what is this", "a: 2"], 2).strays == (3, 4)


@given(st.text(alphabet="ab:-# \n|>[]{}'\"\t&,", max_size=80))
def test_any_front_matter_is_read_without_an_error(text):
    read_skill(f"---\nname: a\ndescription: b\n{text}\n---\nText", "a/SKILL.md")


def test_what_is_only_odd_is_a_warning():
    text = "---\nname: a\ndescription: b\nwhat is this\nallowed-tool: Read\nmodel: opus\n---\n"
    skill = read_skill(text, ".agents/skills/other/SKILL.md")
    assert isinstance(skill, Skill)
    told = [(one.line, one.what) for one in skill.warnings]
    assert told == [
        (2, "skill 'a' lies in a folder called 'other'"),
        (4, "this line of the front matter is not understood"),
        (5, "no agent knows the key 'allowed-tool'"),
        (8, "skill 'a' has no text"),
    ]
    assert all(one.warning for one in skill.warnings)
    assert skill.warnings[2].remedy == "Did you mean `allowed-tools`?"


@pytest.mark.req("S2-056")
def test_of_namesakes_the_nearest_wins_and_the_others_are_said(tmp_path):
    assert PLACES == (".loopdeck/skills", ".agents/skills", ".claude/skills")
    write_files(tmp_path, {f"{place}/style/SKILL.md": SKILL.format(name="style", where=place) for place in PLACES} | {FILE: LOOP})
    told = load_loop(tmp_path, "fix").problems
    assert [(one.file, one.line, one.warning) for one in told] == [(FILE, 2, True)] * 2
    assert [one.what for one in told] == [
        f"skill 'style' is .loopdeck/skills/style/SKILL.md; {place}/style/SKILL.md is hidden by it" for place in PLACES[1:]
    ]
    write_files(tmp_path, {f"{place}/style/SKILL.md": SKILL.format(name="style", where="it") for place in PLACES})
    assert load_loop(tmp_path, "fix").problems == (), "copies hide nothing"


def test_what_lies_beside_a_skill_is_frozen_with_it(tmp_path):
    files = {"SKILL.md": SKILL.format(name="style", where="it"), "scripts/look.py": "#!/usr/bin/env python3\n", "words.md": "so\n"}
    write_files(tmp_path, {f".agents/skills/style/{name}": text for name, text in files.items()} | {FILE: LOOP})
    spec = load_loop(tmp_path, "fix").spec
    assert spec is not None
    assert {key: text for key, text in gather(tmp_path, spec).items() if "/" in key} == {
        "skill:style/scripts/look.py": files["scripts/look.py"],
        "skill:style/words.md": "so\n",
    }


def test_what_a_maker_will_not_get_is_said_before_the_run(tmp_path):
    folder = tmp_path / ".agents/skills/style"
    write_files(tmp_path, {".agents/skills/style/SKILL.md": SKILL.format(name="style", where="it"), FILE: LOOP})
    write_files(folder, {".hidden": "", "__pycache__/a.pyc": "", "a/good.md": "good"})
    (folder / "picture.png").write_bytes(b"\x89PNG\xff")
    (folder / "secret").symlink_to("/etc/passwd")
    (folder / "itself").symlink_to("itself")
    (folder / "same.md").symlink_to("a/good.md")
    told = load_loop(tmp_path, "fix").problems
    assert {Path(one.file).name: one.warning for one in told} == {"picture.png": True, "secret": True, "itself": True}
    assert all(one.what.endswith("the maker does not get it") for one in told)
    found = beside(tmp_path, find_skills(tmp_path).found["style"])
    assert found.texts == {"a/good.md": "good", "same.md": "good"}


@pytest.mark.parametrize(("files", "size"), [(MOST_FILES + 2, 1), (3, MOST_BYTES // 2)])
def test_a_skill_of_any_size_freezes_within_bounds(tmp_path, files, size):
    write_files(tmp_path, {"style/SKILL.md": SKILL.format(name="style", where="it")})
    write_files(tmp_path, {f"style/{number}.md": "x" * size for number in range(files)})
    skill = Skill("style", "b", "style/SKILL.md", "")
    found = beside(tmp_path, skill)
    assert len(found.texts) <= MOST_FILES
    assert sum(map(len, found.texts.values())) <= MOST_BYTES
    assert len(found.warnings) == 1
