"""`state`: read, edited and told apart by author, with nobody's text lost."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.cli.loops import fixer, turn, waiting
from tests.cli.loops import loop as looped


def editor(door, code):
    """An editor that runs `code` with `path` and `text`, and writes `text` back."""
    script = door.base / "editor.py"
    head = "import pathlib, sys\npath = pathlib.Path(sys.argv[1])\ntext = path.read_text(encoding='utf-8')\n"
    script.write_text(f"{head}{code}\npath.write_text(text, encoding='utf-8')\n", encoding="utf-8")
    door.env["EDITOR"] = shlex.join([sys.executable, str(script)])


def home_of(door):
    return Path(door.ok("where", "--json").json["home"])


def test_before_the_first_run_it_is_what_a_run_would_begin_with(front, inside):
    door = front({**fixer(), **fixer("noted"), ".loopdeck/loops/noted/STATE.initial.md": "# Notes of mine\n"})
    said = inside(door, "state", "fixer")
    assert "The goal of fixer." in said.out
    assert "not on disk yet" in said.err
    assert inside(door, "state", "noted").out == "# Notes of mine\n"
    shown = inside(door, "state", "fixer", "--json").json
    assert (shown["exists"], shown["hash"]) == (False, None)
    assert not home_of(door).exists()


def test_unknown_loops_get_the_nearest_name(front, inside):
    door = front(fixer())
    said = inside(door, "state", "fixr")
    assert (said.code, "Did you mean `fixer`?" in said.err) == (2, True)
    assert inside(door, "state", "../../etc").code == 2
    assert inside(door, "state", "").code == 2


def test_every_version_has_its_author(front, inside):
    door = front(fixer())
    editor(door, "text = text.replace('## Learned', '## Learned\\n\\n- The answer goes into answer.txt.')")
    edited = inside(door, "state", "fixer", "--edit")
    assert edited.code == 0
    assert "+- The answer goes into answer.txt." in edited.out
    door.ok("start", "fixer", "--wait")
    with (home_of(door) / "state/fixer/STATE.md").open("a", encoding="utf-8") as file:
        file.write("\nby hand\n")
    editor(door, "text = text.replace('by hand', 'by the editor')")
    assert "-by hand" in inside(door, "state", "fixer", "--edit").out
    versions = inside(door, "state", "fixer", "--history", "--json").json["versions"]
    assert [one["author"] for one in versions] == ["operator", "operator", "check", "check", "operator", "operator"]
    assert [one["number"] for one in versions] == list(range(1, 7))
    assert (versions[1]["added"], versions[1]["removed"]) == (2, 0)
    assert versions[4]["note"] == "by-hand"
    table = inside(door, "state", "fixer", "--history").out
    assert table.count("operator") == 4
    assert "by the editor" in inside(door, "state", "fixer").out


def test_leaving_it_as_it_was_makes_no_version(front, inside):
    door = front(fixer())
    editor(door, "pass")
    said = inside(door, "state", "fixer", "--edit", "--json").json
    assert (said["saved"], said["diff"]) == (False, "")
    assert len(inside(door, "state", "fixer", "--history", "--json").json["versions"]) == 1
    assert not list((home_of(door) / "state/fixer").glob("STATE.yours-*"))


def test_who_writes_elsewhere_meanwhile_is_merged_with(front, inside):
    door = front(fixer())
    door.ok("start", "fixer", "--wait")
    theirs = home_of(door) / "state/fixer/STATE.md"
    editor(
        door,
        "text = text.replace('# State of', '# My state of')\n"
        f"theirs = pathlib.Path({str(theirs)!r})\n"
        "theirs.write_text(theirs.read_text().replace('## Learned', '## Learned by others'))",
    )
    said = inside(door, "state", "fixer", "--edit")
    assert said.code == 0
    text = theirs.read_text(encoding="utf-8")
    assert "# My state of" in text
    assert "## Learned by others" in text
    assert text.count("<!-- loopdeck: end -->") == 1


def test_a_clash_keeps_both_and_names_where(front, inside):
    door = front(fixer())
    door.ok("start", "fixer", "--wait")
    folder = home_of(door) / "state/fixer"
    theirs = folder / "STATE.md"
    editor(
        door,
        "text = text.replace('## Learned', '## Learned by me')\n"
        f"theirs = pathlib.Path({str(theirs)!r})\n"
        "theirs.write_text(theirs.read_text().replace('## Learned', '## Learned by others'))",
    )
    said = inside(door, "state", "fixer", "--edit")
    assert said.code == 2
    assert "## Learned by others" in theirs.read_text(encoding="utf-8")
    [beside] = folder.glob("STATE.yours-*.md")
    assert str(beside) in said.err
    assert "## Learned by me" in beside.read_text(encoding="utf-8")
    kept = [one for one in inside(door, "state", "fixer", "--history", "--json").json["versions"] if one["kept"]]
    assert len(kept) == 1
    assert kept[0]["path"].rpartition("/")[2] in said.err
    assert "never was the state" in inside(door, "state", "fixer", "--history").out


def test_what_was_typed_outlives_an_editor_that_fails(front, inside):
    door = front(fixer())
    editor(door, "path.write_text(text + 'typed'); sys.exit(3)")
    said = inside(door, "state", "fixer", "--edit")
    [beside] = (home_of(door) / "state/fixer").glob("STATE.yours-*.md")
    assert (said.code, str(beside) in said.err) == (2, True)
    assert beside.read_text(encoding="utf-8").endswith("typed")
    beside.unlink()
    editor(door, "sys.exit(3)")
    assert inside(door, "state", "fixer", "--edit").code == 2
    assert not list(beside.parent.glob("STATE.yours-*.md"))


def test_what_is_too_large_is_kept_and_named(front, inside):
    door = front(fixer())
    editor(door, "text += 'x' * 40_000")
    said = inside(door, "state", "fixer", "--edit")
    [beside] = (home_of(door) / "state/fixer").glob("STATE.yours-*.md")
    assert (said.code, str(beside) in said.err, "32,768" in said.err) == (2, True, True)
    assert len(beside.read_bytes()) > 40_000


def test_without_an_editor_the_remedy_is_named(front):
    door = front(fixer())
    for value in (None, "nonesuch-editor", '"unclosed'):
        env = {} if value is None else {"EDITOR": value}
        said = door.run("state", "fixer", "--edit", env=env)
        assert said.code == 2
        assert "EDITOR" in said.err
        assert "Traceback" not in said.err


def test_visual_wins_over_editor(front, inside):
    door = front(fixer())
    editor(door, "text += 'by visual\\n'")
    door.env["VISUAL"], door.env["EDITOR"] = door.env["EDITOR"], "false"
    assert "+by visual" in inside(door, "state", "fixer", "--edit").out


@pytest.mark.usefixtures("without_walls")
def test_an_edit_during_a_run_is_read_by_its_next_iteration(front):
    ask, read = ("bash", {"command": "true"}), ("read_file", {"path": ".loop/STATE.md"})
    turns = [turn("One.", ask), turn("Done."), turn("Two.", read, iteration=2), turn("Done.")]
    door = front(looped("slow", turns, checks=[{"name": "never", "run": "test -f nothing"}], end={"max_iterations": 2}))
    door.ok("start", "slow")
    door.until("slow", "asking")
    editor(door, "text = text.replace('## Learned', '## Learned\\n\\n- Written while it ran.')")
    said = door.ok("state", "slow", "--edit")
    door.ok("deny", "slow", "--why", "no")
    assert "at its next iteration" in said.out
    door.until_ended("slow")
    returned = door.ok("trace", "slow", "--kind", "tool_returned", "--iteration", "2", "--json").lines[0]
    assert "Written while it ran." in returned["output"]
    assert "Written while it ran." in door.ok("state", "slow").out


def test_a_live_run_does_not_hold_the_state(front, inside):
    door = front(waiting())
    door.ok("start", "waiting")
    door.at_work("waiting")
    editor(door, "text += '\\nmine\\n'")
    assert inside(door, "state", "waiting", "--edit").code == 0
    assert inside(door, "state", "waiting").out.endswith("mine\n")


@pytest.mark.req("S2-059")
def test_the_board_has_the_items_of_the_state_by_column(front, inside):
    door = front(fixer())
    said = inside(door, "state", "fixer", "--board").out
    assert said.startswith("open (1)\n  ○ ")
    assert "\nin progress (0)\n\ndone (0)\n" in said
    (item,) = inside(door, "state", "fixer", "--board", "--json").json["items"]
    assert (item["place"], item["heading"]) == ("open", "Open")
