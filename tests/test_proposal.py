"""What a call would do, as lines: all of it, exactly, with every character that could not be seen made visible."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.proposal import MOST_READ, difference, proposal, shown
from tests.kit.hostile import FAMILIES, harm_in


def text(lines) -> list[str]:
    return ["".join(cell.text for cell in line) for line in lines]


def marked(lines) -> str:
    return "".join(cell.text for line in lines for cell in line if cell.style == "mark")


def of(tool, arguments, worktree="/nowhere"):
    return proposal(tool, json.dumps(arguments), str(worktree))


def test_a_command_stands_line_by_line_and_its_other_arguments_below():
    found = of("bash", {"command": "make\n  test", "timeout_s": 30})
    assert text(found.lines) == ["make", "  test", "timeout_s: 30"]
    assert found.what == "the command"
    assert "2 lines" in found.notes[0]


def test_what_could_not_be_seen_stands_out():
    found = of("bash", {"command": "rm -rf \u202ex\u00a0y\tz\x1b[2J  "})
    (line,) = text(found.lines)
    assert line == "rm -rf <U+202E>x<U+00A0>y␉z␛[2J  "
    assert marked(found.lines) == "<U+202E><U+00A0>␉␛  "
    assert any("not ASCII" in note for note in found.notes)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tool", ["bash", "write_file", "edit_file", "github.create"])
def test_no_hostile_text_comes_through(tmp_path, family, tool):
    nasty = FAMILIES[family]
    arguments = {"command": nasty, "path": nasty, "content": nasty, "old": "a", "new": nasty}
    needed = {"bash": ("command",), "write_file": ("path", "content"), "edit_file": ("path", "old", "new")}.get(tool, tuple(arguments))
    found = of(tool, {name: arguments[name] for name in needed}, tmp_path)
    for line in text(found.lines):
        assert harm_in(line) == ""
        assert "\n" not in line
        assert "\t" not in line


def test_a_megabyte_in_one_line_is_not_cut():
    found = of("bash", {"command": "echo " + "x" * 1_000_000})
    assert sum(len(line) for line in text(found.lines)) == 1_000_005


@pytest.mark.parametrize("arguments", ["", "[1]", "no json", '"x"', "[" * 100_000])
def test_arguments_that_are_no_object_stand_as_they_are(arguments):
    assert text(proposal("bash", arguments, "/").lines) == [arguments]


def test_a_name_that_occurs_twice_hides_nothing():
    arguments = '{"command": "ls", "command": "rm -rf /"}'
    found = proposal("bash", arguments, "/")
    assert text(found.lines) == [arguments]
    assert "twice" in found.notes[0]
    nested = proposal("github.create", '{"a": {"x": 1, "x": 2}}', "/")
    assert "twice" in nested.notes[0]


def test_a_new_file_is_shown_whole(tmp_path):
    found = of("write_file", {"path": "new/a.txt", "content": "one\ntwo\n"}, tmp_path)
    assert text(found.lines) == ["+one", "+two", "+"]
    assert found.notes == ("a new file",)


def test_what_a_write_changes_is_a_diff(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"{n}\n" for n in range(1, 21)))
    changed = "".join(f"{n}\n" for n in range(1, 21)).replace("10\n", "ten\n")
    found = of("write_file", {"path": "./a.txt", "content": changed}, tmp_path)
    assert text(found.lines) == ["@@ -7,7 +7,7 @@", " 7", " 8", " 9", "-10", "+ten", " 11", " 12", " 13"]
    same = of("write_file", {"path": "a.txt", "content": (tmp_path / "a.txt").read_text()}, tmp_path)
    assert (text(same.lines), same.notes) == ([], ("the file says this already",))


def test_what_an_edit_changes_is_what_the_tool_would_change(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    found = of("edit_file", {"path": "a.txt", "old": "one\ntwo", "new": "1\n2"}, tmp_path)
    assert [line for line in text(found.lines) if line[0] in "+-"] == ["-one␍", "-two␍", "+1␍", "+2␍"]
    many = of("edit_file", {"path": "a.txt", "old": "t", "new": "T", "replace_all": True}, tmp_path)
    assert many.notes == ("2 places",)


@pytest.mark.parametrize(
    ("edit", "note"),
    [({"old": "zero", "new": "1"}, "does not occur"), ({"old": "o", "new": "1"}, "occurs 2 times"), ({"old": "", "new": "1"}, "empty")],
)
def test_an_edit_that_would_fail_says_so_and_shows_its_texts(tmp_path, edit, note):
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    found = of("edit_file", {"path": "a.txt", **edit}, tmp_path)
    assert note in found.notes[0]
    assert text(found.lines)[-1] == "+1"


def test_lone_surrogates_break_nothing(tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    found = proposal("edit_file", '{"path": "a.txt", "old": "\\ud800", "new": "x"}', str(tmp_path))
    assert "make no sense" in found.notes[0]
    written = proposal("write_file", '{"path": "a.txt", "content": "\\ud800"}', str(tmp_path))
    assert "+<U+D800>" in text(written.lines)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "link", "fifo", "folder", ".git/config", "", "a\u0000b"])
def test_nothing_outside_of_the_worktree_is_read_and_nothing_is_waited_for(tmp_path, path):
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    (tmp_path / "secret").write_text("the secret")
    (worktree / "link").symlink_to(tmp_path / "secret")
    (worktree / "folder").mkdir()
    os.mkfifo(worktree / "fifo")
    for tool, more in (("write_file", {"content": "x"}), ("edit_file", {"old": "the", "new": "x"})):
        found = of(tool, {"path": path, **more}, worktree)
        assert "secret" not in "".join(text(found.lines))
        assert found.notes
        assert "a new file" not in found.notes


def test_a_file_too_large_to_compare_is_said(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x" * (MOST_READ + 1))
    assert "more than 4 MiB" in of("write_file", {"path": "a.txt", "content": "x"}, tmp_path).notes[-1]
    assert "more than 4 MiB" in of("edit_file", {"path": "a.txt", "old": "x", "new": "y"}, tmp_path).notes[-1]


def test_code_that_tools_run_by_themselves_is_pointed_out(tmp_path):
    assert "by themselves" in of("write_file", {"path": "tests/conftest.py", "content": "x"}, tmp_path).notes[0]


def test_ten_thousand_other_lines_are_compared_at_once():
    before, after = "\n".join(f"a{n}" for n in range(10_000)), "\n".join(f"b{n}" for n in range(10_000))
    assert len(difference(before, after)) == 20_001


LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=30)


@given(before=LINES, after=LINES)
def test_a_difference_turns_the_one_into_the_other(before, after):
    old, new = "\n".join(before), "\n".join(after)
    lines = text(difference(old, new))
    assert bool(lines) == (old != new)
    taken = [line[1:] for line in lines if line[:1] == "-"]
    put = [line[1:] for line in lines if line[:1] == "+"]
    same = [line[1:] for line in lines if line[:1] == " "]
    olds, news = old.split("\n"), new.split("\n")
    assert len(olds) - len(taken) == len(news) - len(put)
    assert all(line in olds for line in taken + same)
    assert all(line in news for line in put + same)


@given(st.text())
def test_shown_text_has_its_lines_and_none_is_harmful(raw):
    lines = text(shown(raw))
    assert len(lines) == raw.count("\n") + 1
    assert not any(harm_in(line) for line in lines)


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_plain_text_is_shown_as_it_is(raw):
    assert text(shown(raw)) == [raw]
