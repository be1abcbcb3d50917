import dataclasses
import os
import stat
from pathlib import Path

import pytest

from loopdeck.tools import within
from loopdeck.tools.arguments import ReadFile, WriteFile
from loopdeck.tools.files import MOST_SHOWN, read_file, write_file
from loopdeck.tools.port import ToolFailed, ToolOutcome

OUTSIDE = ["../secret.txt", "/etc/passwd", "src/../../secret.txt", "a/../../work/../secret.txt", ""]
GIT = [".git", ".git/config", "./.git", "src/../.git", ".GIT/hooks/x", "sub/.git/config"]


def refused(outcome: ToolOutcome) -> str:
    assert outcome.is_error
    assert outcome.problem == "tool_failed"
    return outcome.output


# Reading


def test_lines_come_numbered(call):
    assert call("read_file", path="src/calc.py").output == "     1\tdef add(a, b):\n     2\t    return a - b"


def test_a_part_of_a_file_says_where_to_go_on(call, worktree):
    (worktree / "long.txt").write_text("".join(f"line {n}\n" for n in range(1, 101)))
    shown = call("read_file", path="long.txt", offset=10, limit=3).output
    assert shown == "    10\tline 10\n    11\tline 11\n    12\tline 12\n[lines 10 to 12 of 100; go on with offset 13]"
    assert call("read_file", path="long.txt", offset=99, limit=50).output.endswith("[lines 99 to 100 of 100]")
    assert "100 lines" in refused(call("read_file", path="long.txt", offset=101))


def test_reading_is_bounded(call, worktree):
    (worktree / "wide.txt").write_text("x" * 1_000_000)
    assert "998000 more characters" in call("read_file", path="wide.txt").output
    (worktree / "big.txt").write_text(("y" * 99 + "\n") * 50_000)
    shown = call("read_file", path="big.txt", limit=50_000).output
    assert len(shown) < MOST_SHOWN + 2_000
    assert "of 50000; go on with offset" in shown


def test_what_is_no_text_is_said_to_be_none(call, worktree):
    (worktree / "x.bin").write_bytes(b"\x7fELF\0\0" + b"a" * 100)
    assert "binary file of 106 bytes" in refused(call("read_file", path="x.bin"))
    (worktree / "latin.txt").write_bytes(b"caf\xe9\n")
    assert "caf�" in call("read_file", path="latin.txt").output
    (worktree / "empty").write_bytes(b"")
    assert call("read_file", path="empty").output == "(the file is empty)"


def test_only_files_are_read(call, worktree):
    os.mkfifo(worktree / "pipe")
    assert "folder" in refused(call("read_file", path="src"))
    assert "folder" in refused(call("read_file", path="."))
    assert "regular file" in refused(call("read_file", path="pipe"))
    assert "No such file" in refused(call("read_file", path="none.txt"))
    assert "is a file" in refused(call("read_file", path="README.md/x"))


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("tool", ["read_file", "write_file", "edit_file"])
def test_nothing_outside_is_touched(call, worktree, path, tool):
    more = {"write_file": {"content": "x"}, "edit_file": {"old": "outside", "new": "x"}}.get(tool, {})
    assert "outside the worktree" in refused(call(tool, path=path, **more))
    assert (worktree.parent / "secret.txt").read_text() == "outside\n"


@pytest.mark.parametrize("path", GIT)
@pytest.mark.parametrize("tool", ["read_file", "write_file"])
def test_git_is_not_for_tools(call, worktree, path, tool):
    assert ".git" in refused(call(tool, path=path, **({"content": "x"} if tool == "write_file" else {})))
    assert (worktree / ".git").read_text().startswith("gitdir:")


def test_reading_follows_links_that_stay_inside_and_no_others(call, worktree):
    (worktree / "inside").symlink_to("src/calc.py")
    (worktree / "folder").symlink_to("src")
    (worktree / "outside").symlink_to("../secret.txt")
    (worktree / "upward").symlink_to("..")
    (worktree / "pointer").symlink_to(".git")
    (worktree / "loop").symlink_to("loop")
    assert "def add" in call("read_file", path="inside").output
    assert "def add" in call("read_file", path="folder/calc.py").output
    for path in ("outside", "upward/secret.txt"):
        assert "outside" in refused(call("read_file", path=path))
    assert ".git" in refused(call("read_file", path="pointer"))
    refused(call("read_file", path="loop"))


# Writing


def test_writing_makes_folders_and_says_what_it_did(call, worktree):
    assert call("write_file", path="new/deep/file.txt", content="a\nb").output == "Created new/deep/file.txt: 2 lines, 3 bytes."
    assert (worktree / "new/deep/file.txt").read_text() == "a\nb"
    assert call("write_file", path="new/deep/file.txt", content="ü\n").output == "Wrote new/deep/file.txt: 1 line, 3 bytes."
    assert sorted(path.name for path in (worktree / "new/deep").iterdir()) == ["file.txt"]
    assert list((worktree / ".loop").iterdir()) == []


def test_the_mode_is_kept(call, worktree):
    script = worktree / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o750)
    call("write_file", path="run.sh", content="#!/bin/sh\ntrue\n")
    assert stat.S_IMODE(script.stat().st_mode) == 0o750
    call("write_file", path="plain.txt", content="x")
    assert stat.S_IMODE((worktree / "plain.txt").stat().st_mode) == 0o644


def test_bytes_are_written_as_they_are_given(call, worktree):
    call("write_file", path="crlf.txt", content="a\r\nb\n")
    assert (worktree / "crlf.txt").read_bytes() == b"a\r\nb\n"


@pytest.mark.parametrize("path", ["link", "folder/x.py", "dangling", "upward/secret.txt"])
def test_writing_goes_through_no_link(call, worktree, path):
    (worktree / "link").symlink_to("src/calc.py")
    (worktree / "folder").symlink_to("src")
    (worktree / "dangling").symlink_to("nowhere")
    (worktree / "upward").symlink_to("..")
    said = refused(call("write_file", path=path, content="x"))
    assert "link" in said
    assert (worktree / "src/calc.py").read_text().startswith("def add")
    assert not (worktree / "nowhere").exists()
    assert (worktree.parent / "secret.txt").read_text() == "outside\n"


def test_another_name_of_the_same_file_keeps_its_content(call, worktree):
    (worktree / "twin").hardlink_to(worktree.parent / "secret.txt")
    call("write_file", path="twin", content="changed")
    assert (worktree.parent / "secret.txt").read_text() == "outside\n"
    assert (worktree / "twin").read_text() == "changed"


def test_a_planted_scratch_folder_leads_nowhere(call, worktree):
    (worktree / ".loop").symlink_to("..")
    assert "link" in refused(call("write_file", path="a.txt", content="x"))
    assert "link" in refused(call("update_state", content="x"))
    assert sorted(path.name for path in worktree.parent.iterdir()) == ["secret.txt", "work"]


def test_what_can_not_be_written_says_why(call, worktree):
    os.mkfifo(worktree / "pipe")
    assert "folder" in refused(call("write_file", path="src", content="x"))
    assert "folder" in refused(call("write_file", path=".", content="x"))
    assert "regular file" in refused(call("write_file", path="pipe", content="x"))
    assert "is a file" in refused(call("write_file", path="README.md/x", content="x"))
    assert "too long" in refused(call("write_file", path="x" * 300, content="x"))


def test_a_worktree_that_is_gone_is_said_to_be(context, tmp_path):
    gone = dataclasses.replace(context, worktree=tmp_path / "gone")
    with pytest.raises(ToolFailed, match="worktree is gone"):
        write_file(WriteFile("a", "x"), gone)
    with pytest.raises(ToolFailed):
        read_file(ReadFile("a"), gone)


def test_a_link_put_in_the_way_at_the_last_moment_is_not_followed(worktree, monkeypatch):
    # The path is looked at, and then somebody swaps a folder for a link.
    real = within.resolved(worktree, "src/calc.py")
    (worktree / "src").rename(worktree / "was")
    (worktree / "src").symlink_to(worktree.parent)
    (worktree.parent / "calc.py").write_text("outside")
    monkeypatch.setattr(within, "resolved", lambda *_: real)
    with pytest.raises(ToolFailed), within.opened(worktree, "src/calc.py"):
        pass


# Editing


def test_one_place_is_replaced(call, worktree):
    assert call("edit_file", path="src/calc.py", old="a - b", new="a + b").output == "Edited src/calc.py: line 2."
    assert (worktree / "src/calc.py").read_text() == "def add(a, b):\n    return a + b\n"


def test_several_places_are_counted_or_all_replaced(call, worktree):
    (worktree / "x.txt").write_text("one\none\ntwo\none\n")
    said = refused(call("edit_file", path="x.txt", old="one", new="1"))
    assert "3 times" in said
    assert "lines 1, 2, 4" in said
    assert (worktree / "x.txt").read_text() == "one\none\ntwo\none\n"
    assert (
        call("edit_file", path="x.txt", old="one", new="1", replace_all=True).output == "Edited x.txt: 3 places, the first at line 1."
    )
    assert (worktree / "x.txt").read_text() == "1\n1\ntwo\n1\n"


def test_a_text_that_is_not_there_is_helped_with(call):
    assert "does not occur" in refused(call("edit_file", path="src/calc.py", old="multiply", new="x"))
    assert "like line 2" in refused(call("edit_file", path="src/calc.py", old="return a - b\n\n\n", new="x"))
    assert "is empty" in refused(call("edit_file", path="src/calc.py", old="", new="x"))
    assert "the same" in refused(call("edit_file", path="src/calc.py", old="a", new="a"))


def test_line_ends_and_bytes_around_an_edit_are_kept(call, worktree):
    (worktree / "dos.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    call("edit_file", path="dos.txt", old="one\ntwo", new="1\n2")
    assert (worktree / "dos.txt").read_bytes() == b"1\r\n2\r\nthree\r\n"
    (worktree / "odd.bin").write_bytes(b"\xff\xfe name \xff")
    call("edit_file", path="odd.bin", old="name", new="näme")
    assert (worktree / "odd.bin").read_bytes() == b"\xff\xfe n\xc3\xa4me \xff"


def test_an_edit_through_a_link_is_refused(call, worktree):
    (worktree / "link.py").symlink_to("src/calc.py")
    assert "link" in refused(call("edit_file", path="link.py", old="a - b", new="a + b"))
    assert "a - b" in (worktree / "src/calc.py").read_text()


# Level


def test_a_report_only_maker_writes_its_report_only(context, worktree: Path):
    reporting = dataclasses.replace(context, level="report")
    assert not write_file(WriteFile(".loop/REPORT.md", "all well"), reporting).is_error
    with pytest.raises(ToolFailed, match="report"):
        write_file(WriteFile("src/calc.py", "x"), reporting)
    assert (worktree / "src/calc.py").read_text().startswith("def add")
