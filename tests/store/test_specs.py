"""Loop files on disk: what can be wrong with files and folders, and the files a loop names."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core.spec import Deck
from loopdeck.errors import UsageError
from loopdeck.store.skills import Skill, find_skills
from loopdeck.store.specs import gather, initial_state, list_loops, load_deck, load_loop, loop_dir

LOOP = """\
goal = "All tests pass."
{top}
[maker]
agent = "scripted"
script = "play.toml"
system = "SYSTEM.md"
[[check]]
run = "true && false"
[[check]]
rubric = "RUBRIC.md"
agent = "scripted"
script = "judge.toml"
[[check]]
schema = {{files = ["data/*.json"], schema = "schemas/s.json"}}
[exit]
max_iterations = 4
max_tokens = 100
"""
SCRIPT = '[[turn]]\ntext = "Done."\n'
FILE = ".loopdeck/loops/fix/loop.toml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with one loop in order that names a file of every kind."""
    put(tmp_path, FILE, LOOP.format(top=""))
    put(tmp_path, ".loopdeck/loops/fix/play.toml", SCRIPT)
    put(tmp_path, ".loopdeck/loops/fix/judge.toml", SCRIPT)
    put(tmp_path, ".loopdeck/loops/fix/SYSTEM.md", "Be brief.")
    put(tmp_path, ".loopdeck/loops/fix/RUBRIC.md", "1. It is so.")
    put(tmp_path, "schemas/s.json", "{}")
    return tmp_path


def put(root: Path, file: str, text: str | bytes) -> Path:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def said(root: Path, name: str = "fix") -> list[str]:
    return [f"{one.file}:{one.line}: {one.what}" for one in load_loop(root, name).errors]


def test_a_loop_in_order_is_read_with_its_prompt_and_without_a_problem(root):
    put(root, ".loopdeck/loops/fix/PROMPT.md", "At length.\n")
    reading = load_loop(root, "fix")
    assert reading.problems == ()
    assert reading.spec is not None
    assert reading.spec.prompt == "At length.\n"
    assert loop_dir(root, "fix") == root / ".loopdeck/loops/fix"


def test_an_edit_counts_without_a_commit_and_the_deck_lies_below(root):
    put(root, ".loopdeck/deck.toml", "[deck]\nmax_runs = 3\n[maker]\nmax_turns = 4\n")
    put(root, FILE, LOOP.format(top="").replace("max_iterations = 4", "max_iterations = 5"))
    reading = load_loop(root, "fix")
    assert reading.spec is not None
    assert (reading.spec.exit.max_iterations, reading.spec.maker.max_turns) == (5, 4)
    assert load_deck(root).deck == Deck(max_runs=3)


def test_loops_are_the_folders_with_a_loop_file(root):
    put(root, ".loopdeck/loops/Bad Name/loop.toml", "")
    put(root, ".loopdeck/loops/empty/notes.md", "")
    put(root, ".loopdeck/loops/readme.md", "")
    (root / ".loopdeck/loops/dangling").mkdir()
    (root / ".loopdeck/loops/dangling/loop.toml").symlink_to("nowhere")
    assert list_loops(root) == ("Bad Name", "dangling", "fix")
    assert list_loops(root / "nothing") == ()


def test_without_a_deck_there_are_defaults_and_no_loop(tmp_path):
    assert load_deck(tmp_path).problems == ()
    reading = load_loop(tmp_path, "fix")
    assert [(one.what, one.remedy) for one in reading.errors] == [("there is no loop 'fix'", "Make it with `loopdeck new fix`.")]


def test_a_misspelled_loop_is_told_the_nearest(root):
    assert load_loop(root, "fxi").errors[0].remedy == "Did you mean `fix`?"
    assert load_loop(root, "zzz").errors[0].remedy == "Loops here: fix."


@pytest.mark.parametrize("name", ["../../etc", "a\0b", "", "A", "\udc80"])
def test_a_name_that_leads_elsewhere_is_refused_before_the_disk_is_asked(root, name):
    assert "can't be a loop's name" in load_loop(root, name).errors[0].what


def _utf16(path: Path) -> None:
    path.write_bytes('goal = "x"'.encode("utf-16"))


def _bom(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def _latin(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n# \xe4\n")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.toml")


def _circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _outside(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _large(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"#" * (1 << 20))


SPOILS = [
    (_utf16, "UTF-16"),
    (_bom, "byte order mark"),
    (_latin, "not UTF-8: byte 0xe4"),
    (_folder, "is a folder"),
    (_dangling, "a link that leads nowhere"),
    (_circle, "a link that leads to itself"),
    (_outside, "a link that leads out of the repository"),
    (_pipe, "not a plain file"),
    (_large, "larger than 1 MiB"),
]


@pytest.mark.req("S0-13")
@pytest.mark.parametrize(("spoil", "word"), SPOILS)
def test_a_loop_file_that_can_not_be_read_is_told_and_refused(root, spoil, word):
    lines = (root / FILE).read_bytes().count(b"\n") + 2
    spoil(root / FILE)
    reading = load_loop(root, "fix")
    assert reading.spec is None
    [problem] = reading.errors
    assert (problem.file, problem.line) == (FILE, lines if spoil is _latin else 1)
    assert word in problem.what
    assert problem.remedy


@pytest.mark.parametrize(("spoil", "word"), SPOILS)
def test_a_deck_file_that_can_not_be_read_refuses_its_loops(root, spoil, word):
    spoil(put(root, ".loopdeck/deck.toml", "[deck]\n"))
    [problem] = load_loop(root, "fix").errors
    assert problem.file == ".loopdeck/deck.toml"
    assert word in problem.what


@pytest.mark.parametrize(("spoil", "word"), SPOILS)
@pytest.mark.parametrize("file", ["PROMPT.md", "STATE.initial.md"])
def test_a_prompt_or_first_state_that_can_not_be_read_refuses_the_loop(root, file, spoil, word):
    spoil(put(root, f".loopdeck/loops/fix/{file}", "x"))
    [problem] = load_loop(root, "fix").errors
    assert problem.file == f".loopdeck/loops/fix/{file}"
    assert word in problem.what


@pytest.mark.parametrize(
    ("file", "line", "what"),
    [
        (".loopdeck/loops/fix/play.toml", 5, "script file .loopdeck/loops/fix/play.toml"),
        (".loopdeck/loops/fix/SYSTEM.md", 6, "system file .loopdeck/loops/fix/SYSTEM.md"),
        (".loopdeck/loops/fix/RUBRIC.md", 10, "rubric file .loopdeck/loops/fix/RUBRIC.md"),
        (".loopdeck/loops/fix/judge.toml", 12, "script file .loopdeck/loops/fix/judge.toml"),
        ("schemas/s.json", 14, "schema file schemas/s.json"),
    ],
)
@pytest.mark.parametrize(("spoil", "word"), [(Path.unlink, "is not there"), *SPOILS])
def test_a_file_that_is_named_and_can_not_be_read_is_told_where_it_is_named(root, file, line, what, spoil, word):
    spoil(root / file)
    [problem] = load_loop(root, "fix").errors
    assert (problem.file, problem.line) == (FILE, line)
    assert problem.what.startswith(what)
    assert word in problem.what
    assert problem.remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_a_file_without_the_right_to_read_it_is_told(root):
    (root / FILE).chmod(0)
    assert said(root) == [f"{FILE}:1: can't be read: permission denied"]


def test_scripts_are_read_too_and_told_with_their_own_lines(root):
    put(root, ".loopdeck/loops/fix/play.toml", "[[turn]]\ntxt = 1\n")
    put(root, ".loopdeck/loops/fix/judge.toml", "")
    assert said(root) == [
        ".loopdeck/loops/fix/judge.toml:1: the script has no [[turn]]",
        ".loopdeck/loops/fix/play.toml:2: unknown key 'txt' in `[turn]`",
    ]


def test_a_schema_that_is_no_json_is_told_with_its_line_and_may_lie_beside_the_loop(root):
    put(root, "schemas/s.json", '{\n"a": }\n')
    assert said(root) == ["schemas/s.json:2: is not JSON: Expecting value"]
    (root / "schemas/s.json").unlink()
    put(root, ".loopdeck/loops/fix/schemas/s.json", "{}")
    assert said(root) == []


@pytest.mark.parametrize("deep", ["[" * 100_000, "9" * 5000])
def test_a_schema_beyond_all_bounds_is_a_problem_too(root, deep):
    put(root, "schemas/s.json", deep)
    assert len(said(root)) == 1


def test_an_empty_rubric_is_told(root):
    put(root, ".loopdeck/loops/fix/RUBRIC.md", " \n")
    assert said(root) == [f"{FILE}:10: rubric file .loopdeck/loops/fix/RUBRIC.md is empty"]


def test_files_and_keys_are_told_together(root):
    (root / ".loopdeck/loops/fix/SYSTEM.md").unlink()
    put(root, FILE, LOOP.format(top="levle = 1"))
    assert [line.partition(": ")[0] for line in said(root)] == [f"{FILE}:2", f"{FILE}:6"]


def test_a_file_named_by_the_deck_is_told_with_the_decks_line(root):
    put(root, ".loopdeck/deck.toml", '[maker]\n\nsystem = "none.md"\n')
    put(root, FILE, LOOP.format(top="").replace('system = "SYSTEM.md"\n', ""))
    assert said(root) == [
        ".loopdeck/deck.toml:3: system file .loopdeck/loops/fix/none.md is not there",
    ]


def test_a_script_of_the_decks_is_not_asked_for_by_another_agent(root):
    put(root, ".loopdeck/deck.toml", '[maker]\nscript = "none.toml"\n')
    text = LOOP.format(top="").replace('agent = "scripted"\nscript = "play.toml"', 'agent = "openai"\nmodel = "m"', 1)
    put(root, FILE, text)
    assert said(root) == []


SKILL = "---\nname: {name}\ndescription: When to use it.\n---\n\nDo {where}.\n"


def test_skills_are_found_in_three_places_and_the_first_wins(root):
    for place in (".agents", ".claude", ".loopdeck"):
        put(root, f"{place}/skills/style/SKILL.md", SKILL.format(name="style", where=place))
        put(root, f"{place}/skills/own{place}/SKILL.md", SKILL.format(name=f"own-{place[1:]}", where=place))
    skills = find_skills(root)
    assert skills.broken == {}
    assert sorted(skills.found) == ["own-agents", "own-claude", "own-loopdeck", "style"]
    assert skills.found["style"] == Skill("style", "When to use it.", ".loopdeck/skills/style/SKILL.md", "Do .loopdeck.")


def test_a_skill_that_is_not_there_or_broken_is_told(root):
    put(root, ".claude/skills/good/SKILL.md", SKILL.format(name="good", where="it"))
    put(root, ".claude/skills/bad/SKILL.md", "no front matter")
    put(root, ".claude/skills/other/SKILL.md", "broken, but nobody asks for it")
    put(root, FILE, LOOP.format(top='skills = ["good", "goood", "bad"]'))
    reading = load_loop(root, "fix")
    assert [(one.file, one.line, one.what) for one in reading.errors] == [
        (".claude/skills/bad/SKILL.md", 1, "skill 'bad': has no front matter"),
        (FILE, 2, "there is no skill 'goood'"),
    ]
    assert reading.errors[1].remedy == "Did you mean `good`?"


def test_what_a_loop_stands_on_is_gathered_by_key(root):
    put(root, ".claude/skills/good/SKILL.md", SKILL.format(name="good", where="it"))
    put(root, FILE, LOOP.format(top='skills = ["good"]'))
    spec = load_loop(root, "fix").spec
    assert spec is not None
    assert gather(root, spec) == {
        "system": "Be brief.",
        "script": SCRIPT,
        "rubric:rubric": "1. It is so.",
        "script:rubric": SCRIPT,
        "schema:schema": "{}",
        "skill:good": "---\nname: good\ndescription: When to use it.\n---\nDo it.",
    }
    (root / "schemas/s.json").unlink()
    with pytest.raises(UsageError, match=r"schemas/s\.json: is not there"):
        gather(root, spec)


def test_the_first_state_is_read_if_there_is_one(root):
    assert initial_state(root, "fix") == ""
    path = put(root, ".loopdeck/loops/fix/STATE.initial.md", "# Open\n")
    assert initial_state(root, "fix") == "# Open\n"
    _folder(path)
    with pytest.raises(UsageError):
        initial_state(root, "fix")


def test_the_decks_folder_may_be_a_link_to_elsewhere(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("dotfiles") / "deck"
    (root / ".loopdeck").rename(elsewhere)
    (root / ".loopdeck").symlink_to(elsewhere)
    assert said(root) == []


@settings(max_examples=60)
@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=100))
def test_any_bytes_in_any_file_give_problems_and_no_error(root, loop, deck, skill):
    put(root, FILE, loop)
    put(root, ".loopdeck/deck.toml", deck)
    put(root, ".loopdeck/skills/a/SKILL.md", skill)
    reading = load_loop(root, "fix")
    assert reading.spec is None
    assert all(one.line >= 1 and one.what and one.remedy for one in reading.errors)
    find_skills(root)


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_any_bytes_in_a_script_give_problems_and_no_error(root, script):
    put(root, ".loopdeck/loops/fix/play.toml", script)
    assert all(one.remedy for one in load_loop(root, "fix").errors)


def test_reading_a_loop_needs_nothing_heavy():
    import subprocess

    code = "import sys, loopdeck.store.specs; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"asyncio", "anthropic", "openai", "git", "jsonschema", "textual", "rich", "tomli_w", "genai_prices"}
    assert heavy.isdisjoint(loaded)
