"""What stands in a run's way and can be mended: the run stands still, says what it is, and after `resume` it goes on where it stood."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from loopdeck.core import events as ev
from loopdeck.store import reserve
from loopdeck.store.journal import verify_journal
from loopdeck.store.trace import verify_trace
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat, seated
from tests.kit.repos import git

OPEN = {"allow": ["bash"]}
WAITS = [
    turn("first", write("one.txt", "1\n"), ("bash", {"command": "echo waits"})),
    turn("d"),
    turn("second", write("two.txt", "2\n"), iteration=2),
    turn("d"),
]
CHECKS = [{"name": "both", "run": "test -f one.txt && test -f two.txt"}]
mounts = pytest.mark.skipif(os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="mounts a tiny file system")


def asked(front, name: str) -> Seat:
    """A run in its first iteration, with a file written and not committed, that asks for its second call."""
    door: Seat = front(loop(name, WAITS, checks=CHECKS, gates={"ask": ["bash"]}))
    door.ok("start", name)
    door.until(name, "asking")
    return door


def asked_anew(door: Seat, name: str) -> None:
    """The call was allowed in a folder that is not there any more: it is asked for again in the one that was made, and allowed."""
    waits = door.wait(name, lambda one: one.status == "asking").run.pending_approvals[0]
    assert "asked again" in waits.reason, waits.reason
    door.allow(name)


def whole(door: Seat, name: str) -> None:
    """Its record is untouched, and every call was granted once."""
    paths = door.paths(name)
    assert verify_journal(paths.journal).damage is None
    assert verify_trace(paths.trace).damage is None
    granted = [one.call for one in door.events(name) if isinstance(one, ev.ToolCallGranted)]
    assert len(granted) == len(set(granted))
    assert not paths.reserve.exists()


def deleted(path: Path) -> None:
    shutil.rmtree(path)


def moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def moved_far(path: Path) -> None:
    git(path, "worktree", "move", "-f", "-f", str(path), str(path.parent.parent / "far"))


def removed(path: Path) -> None:
    git(path, "worktree", "remove", "-f", "-f", str(path))


def replaced(path: Path) -> None:
    # A backup put back by hand: the same files, and another folder.
    shutil.copytree(path, path.with_name("copy"), symlinks=True)
    shutil.rmtree(path)
    path.with_name("copy").rename(path)


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def unpointed(path: Path) -> None:
    (path / ".git").unlink()


def made_a_repository(path: Path) -> None:
    (path / ".git").unlink()
    git(path, "init", "-q")


HOW = {
    "deleted": (deleted, "somebody has deleted or moved it", False),
    "moved": (moved, "somebody has deleted or moved it", True),
    "moved far away by git": (moved_far, "the worktree was moved to", True),
    "removed by git": (removed, "somebody has removed it", False),
    "replaced by a copy": (replaced, "another folder stands in its place", False),
    "replaced by a link": (linked, "a link or a file now", True),
    "without its pointer": (unpointed, ".git file is gone", True),
    "made a repository": (made_a_repository, ".git file is not the one", True),
}


@pytest.mark.parametrize("how", HOW)
def test_a_worktree_that_is_not_what_it_was_is_named_and_mended(front, how):
    door = asked(front, "lost")
    harm, says, kept = HOW[how]
    path = door.worktree("lost")
    harm(path)
    door.allow("lost")
    entry = door.until("lost", "paused")
    assert says in entry["why"], entry["why"]
    assert str(path) in entry["why"]
    assert "resume" in entry["why"]
    before = door.folded("lost")
    assert (before.reason, before.phase) == (None, "maker")
    door.ok("resume", "lost")
    if not kept:
        asked_anew(door, "lost")
    door.until_ended("lost")
    run = door.folded("lost")
    names = set(git(door.repo, "ls-tree", "--name-only", run.commit).split())
    if kept:
        # What had been written and not committed is there still.
        assert (run.reason, names >= {"one.txt", "two.txt"}) == ("done", True), (run.why, run.notices)
    else:
        assert any("made anew" in one and "is lost" in one for one in run.notices), run.notices
        assert "one.txt" not in names
        assert "two.txt" in names
        assert any("made anew" in part for sent in door.prompts("lost", 2) for part in sent.values())
    assert path.is_dir()
    assert not path.is_symlink()
    assert run.life == 2
    whole(door, "lost")
    lost = [one for one in door.events("lost") if isinstance(one, ev.RunPaused)]
    assert [one.cause for one in lost] == ["stall"]


def test_a_worktree_that_can_not_be_had_is_said_again_and_the_run_can_be_ended(front):
    door = asked(front, "lost")
    path = door.worktree("lost")
    shutil.rmtree(path)
    # Somebody has taken the branch for a worktree of their own.
    run = door.folded("lost")
    git(door.repo, "worktree", "add", "-q", "-f", str(door.base / "mine"), run.branch)
    door.allow("lost")
    door.until("lost", "paused")
    door.ok("resume", "lost")
    seen = door.wait("lost", lambda one: len([1 for each in door.events("lost") if isinstance(each, ev.RunPaused)]) == 2)
    assert seen.run.stalled
    assert "can't be made anew" in seen.run.stalled
    git(door.repo, "worktree", "remove", "--force", str(door.base / "mine"))
    door.ok("resume", "lost")
    asked_anew(door, "lost")
    assert door.until_ended("lost")["reason"] in ("done", "max_iterations")
    whole(door, "lost")


def test_a_stalled_run_waits_through_the_death_of_its_runner_and_can_be_killed(front):
    door = asked(front, "lost")
    shutil.rmtree(door.worktree("lost"))
    door.allow("lost")
    door.until("lost", "paused")
    door.slay("lost")
    door.ok("resume", "lost")
    door.wait("lost", lambda one: one.live and one.run.life >= 2)
    # A new runner found it as it stood; the word to go on came with it.
    asked_anew(door, "lost")
    assert door.until_ended("lost")["reason"] in ("done", "max_iterations")
    whole(door, "lost")


def test_the_clean_checkout_is_made_again_unasked(front):
    turns = [turn("first", write("one.txt", "1\n")), turn("d"), turn("second", write("two.txt", "2\n"), iteration=2)]
    turns += [turn("third", ("bash", {"command": "echo waits"})), turn("d")]
    door: Seat = front(loop("clean", turns, checks=CHECKS, gates={"ask": ["bash"]}))
    door.ok("start", "clean")
    door.until("clean", "asking")
    shutil.rmtree(f"{door.worktree('clean')}.check")
    door.allow("clean")
    entry = door.until_ended("clean")
    assert entry["reason"] == "done", entry["why"]


@contextmanager
def small_disk(base: Path, size: str) -> Iterator[Path]:
    disk = base / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


FILL = "head -c 900000000 /dev/zero > filler 2>/dev/null; head -c 5000 /dev/zero > filler2 2>/dev/null; echo full"


@mounts
@pytest.mark.req("S2-095")
def test_a_full_disk_stops_the_run_at_a_step_and_it_goes_on_when_there_is_room(tmp_path):
    turns = [
        turn("fill it", write("one.txt", "1\n"), ("bash", {"command": FILL}), write("three.txt", "3" * 20_000)),
        turn("x" * 20_000), turn("d"), turn("second", write("two.txt", "2\n"), iteration=2), turn("d"),
    ]  # fmt: skip
    with small_disk(tmp_path, "8m") as disk:
        files = loop("full", turns, checks=CHECKS, gates=OPEN, end={"max_iterations": 4})
        with seated(tmp_path / "seat", files, {"LOOPDECK_HOME": str(disk / "home")}) as door:
            door.ok("start", "full")
            entry = door.until("full", "paused")
            assert "No space left" in entry["why"] or "part of a line" in entry["why"], entry["why"]
            assert "free some" in entry["why"].lower()
            paths = door.paths("full")
            assert not paths.reserve.exists() or paths.reserve.stat().st_size == 0
            assert verify_journal(paths.journal).damage is None
            assert verify_trace(paths.trace).damage is None
            assert "full" in door.ok("status").out
            # Nobody has made room: it says so again, and is none the worse for it.
            said = door.run("resume", "full")
            assert said.code == 0 or "No space" in said.err, said
            for name in ("filler", "filler2"):
                (door.worktree("full") / name).unlink(missing_ok=True)
            # One more word may be needed: the first may have been taken up while there was no room yet.
            door.run("resume", "full")
            seen = door.wait("full", lambda one: one.status == "ended" or (one.status == "paused" and door_says(door)))
            if seen.status == "paused":
                door.ok("resume", "full")
            entry = door.until_ended("full")
            assert entry["reason"] == "done", entry
            whole(door, "full")


def door_says(door: Seat) -> bool:
    """True if it has stood still once more."""
    return len([1 for one in door.events("full") if isinstance(one, ev.RunPaused)]) >= 2


@mounts
def test_on_a_disk_that_is_full_from_the_start_nothing_is_torn(tmp_path):
    with small_disk(tmp_path, "4m") as disk:
        files = loop("full", [turn("d")])
        with seated(tmp_path / "seat", files, {"LOOPDECK_HOME": str(disk / "home")}) as door:
            with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(4096)):
                    pass
            said = door.run("start", "full")
            assert said.code in (1, 2, 14), said
            assert "No space" in said.err
            assert "Traceback" not in said.err


def test_room_is_set_aside_while_a_run_goes_on_and_given_back(front):
    door = asked(front, "reserved")
    paths = door.paths("reserved")
    assert paths.reserve.stat().st_size == reserve.SIZE
    assert paths.reserve.stat().st_mode & 0o777 == 0o600
    door.allow("reserved")
    door.until_ended("reserved")
    assert not paths.reserve.exists()
