"""A run's files deleted, moved or replaced under its runner: it ends by itself at once with all it has started, and says so."""

import shutil
import time

import pytest

from loopdeck.runner.ground import BEAT_S
from loopdeck.store import rescue
from loopdeck.store.lease import look
from tests.cli.loops import loop, turn
from tests.e2e.seat import Seat, nap, runs, until_runs
from tests.kit.repos import git

OPEN = {"allow": ["bash"]}
PATIENCE_S = BEAT_S + 4


def at_work(front, name="slow") -> tuple[Seat, str]:
    """A run with daemons of its own at work."""
    sleep = nap()
    files = loop(name, [turn("b", ("bash", {"command": f"echo a > a.txt; setsid {sleep} & {sleep}"}))], gates=OPEN)
    door: Seat = front(files)
    door.ok("start", name)
    until_runs(sleep)
    return door, sleep


def ends(door: Seat, sleep: str) -> None:
    """See its runner and all that it has started gone."""
    deadline = time.monotonic() + PATIENCE_S
    while left := [one for one in door.runners() if one.is_running()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)
    assert not runs(sleep)


@pytest.mark.parametrize("how", ["deleted", "moved"])
@pytest.mark.pain(2)
def test_a_runner_whose_folder_is_gone_ends_with_all_that_it_has_started(front, tmp_path, how):
    door, sleep = at_work(front)
    paths, run = door.paths("slow"), door.folded("slow")
    if how == "deleted":
        shutil.rmtree(paths.dir)
    else:
        paths.dir.rename(tmp_path / "elsewhere")
    ends(door, sleep)
    assert not paths.dir.exists(), "nothing is made anew"
    [entry] = [one for one in door.ok("status", "--json").json["loops"] if one["run"]]
    assert (entry["run"], entry["status"], entry["reason"]) == (run.id, "ended", "lost")
    assert entry["worktree"] == run.worktree
    assert "folder" in entry["why"]
    assert "gone" in entry["why"]
    assert "lost" in door.ok("status").out
    said = door.says("resume", run.id)
    assert "folder" in said.err
    assert run.worktree in said.err
    if how == "moved":
        (tmp_path / "elsewhere").rename(paths.dir)
        door.ok("resume", run.id)
        assert door.wait("slow", lambda one: one.run.life == 2).damage == ""


@pytest.mark.parametrize("file", ["journal", "trace", "lease"])
def test_a_runner_whose_file_was_deleted_ends_and_no_other_follows_unasked(front, file):
    door, sleep = at_work(front)
    paths = door.paths("slow")
    getattr(paths, file).unlink()
    ends(door, sleep)
    assert f"{getattr(paths, file).name} is gone" in rescue.load(paths).gave_up
    entry = door.glance("slow")
    assert (entry["status"], entry["reason"]) == ("ended", "lost"), entry
    if file != "journal":
        assert f"{getattr(paths, file).name} is gone" in entry["why"]


def test_a_lease_that_was_lost_does_not_keep_the_run_from_going_on(front):
    door, sleep = at_work(front)
    paths = door.paths("slow")
    paths.lease.unlink()
    ends(door, sleep)
    door.ok("resume", "slow")
    door.wait("slow", lambda one: one.run.life == 2)
    seen = look(paths.lease)
    assert seen.holder is not None
    assert (seen.held, seen.holder.epoch) == (True, 2)


def test_a_replaced_folder_is_not_written_to(front, tmp_path):
    door, sleep = at_work(front)
    paths = door.paths("slow")
    paths.dir.rename(tmp_path / "elsewhere")
    paths.dir.mkdir()
    ends(door, sleep)
    assert [one.name for one in paths.dir.iterdir() if one != paths.rescue] == []


def test_a_worktree_without_a_run_is_told_and_kept_by_clean(front):
    door, sleep = at_work(front)
    paths, run = door.paths("slow"), door.folded("slow")
    door.ok("kill", "slow")
    door.until_ended("slow")
    shutil.rmtree(paths.dir)
    assert not runs(sleep)
    said = door.ok("clean", "--yes").out
    assert run.worktree in said
    assert git(door.repo, "rev-parse", "--verify", run.branch)
