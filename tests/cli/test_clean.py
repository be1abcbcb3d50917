"""`clean`: what can be had again goes, work that nobody has merged or committed stays, and so do journals."""

import os
import time
from pathlib import Path

import pytest

from tests.cli.loops import fixer, loop, turn, waiting, write
from tests.kit.repos import git
from tests.kit.walled import walled


def found(said):
    """Of each worktree's loop, whether it is safe and why; others by their kind."""
    items = said.json["items"]
    return {
        Path(one["path"]).name.rsplit("-", 3)[0] if one["kind"] == "worktree" else one["kind"]: (one["safe"], one["why"])
        for one in items
    }


@pytest.mark.pain(3, 21)
def test_only_what_can_be_had_again_goes(front, inside):
    idle = [turn("d")]
    door = front({
        **fixer("merged"), **fixer("unmerged"), **waiting("live"),
        **loop("empty", idle, checks=[{"run": "true"}]), **loop("dirty", idle, checks=[{"run": "true"}]),
    })  # fmt: skip
    door.ok("start", "merged", "unmerged", "empty", "dirty", "--wait")
    door.ok("start", "live")
    door.at_work("live")
    door.ok("merge", "merged")
    entries = {name: door.entry(name) for name in ("merged", "unmerged", "live", "empty", "dirty")}
    Path(entries["dirty"]["worktree"], "notes.txt").write_text("mine", encoding="utf-8")
    before = git(door.repo, "for-each-ref"), git(door.repo, "status", "--porcelain")

    looked = inside(door, "clean", "--json")
    assert looked.code == 0
    safe = found(looked)
    assert safe["merged"] == (True, "merged into main")
    assert safe["empty"] == (True, "its run changed nothing")
    assert safe["pool"][0]
    assert (safe["unmerged"][0], "not merged" in safe["unmerged"][1]) == (False, True)
    assert (safe["live"][0], "going on" in safe["live"][1]) == (False, True)
    assert (safe["dirty"][0], "notes.txt" in safe["dirty"][1]) == (False, True)
    assert looked.json["bytes"] == sum(one["bytes"] for one in looked.json["items"] if one["safe"]) > 0
    assert (git(door.repo, "for-each-ref"), git(door.repo, "status", "--porcelain")) == before

    done = inside(door, "clean", "--yes", "--json").json
    assert {one["path"] for one in done["items"] if one["gone"]} == {one["path"] for one in looked.json["items"] if one["safe"]}
    assert [Path(entries[name]["worktree"]).exists() for name in ("merged", "empty")] == [False, False]
    assert [Path(entries[name]["worktree"]).exists() for name in ("unmerged", "live", "dirty")] == [True, True, True]
    assert all(Path(one["dir"], "journal.jsonl").is_file() for one in entries.values())
    branches = git(door.repo, "branch", "--list", "loop/*", "--format=%(refname:short)").split()
    assert sorted(branches) == sorted(entries[name]["branch"] for name in ("unmerged", "live", "dirty"))
    assert git(door.repo, "status", "--porcelain") == ""
    assert [one["kind"] for one in inside(door, "clean", "--json").json["items"] if one["safe"]] == []
    assert door.entry("live")["status"] == "running"
    assert inside(door, "show", "merged").code == 0
    assert inside(door, "diff", "merged").code == 0
    door.ok("start", "merged", "--wait")


def test_what_a_killed_runner_leaves_stays_as_long_as_it_can_go_on(front, inside):
    door = front(loop("killed", [turn("w", write("x", "x")), turn("d")], checks=[{"run": "sleep 30"}]))
    door.ok("start", "killed")
    deadline = time.monotonic() + 20
    while not Path(f"{door.entry('killed')['worktree']}.check", "x").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    door.end()
    entry = door.until_ended("killed")
    assert entry["reason"] == "lost"
    safe = {one["kind"]: one["safe"] for one in inside(door, "clean", "--json").json["items"]}
    assert (safe["worktree"], safe["check checkout"]) == (False, False)
    assert inside(door, "clean", "--yes").code == 0
    assert Path(entry["worktree"]).is_dir()
    assert inside(door, "discard", "killed").code == 0
    after = inside(door, "clean", "--json").json["items"]
    assert {one["kind"] for one in after} <= {"check checkout", "trash", "pool"}


def test_a_folder_somebody_deleted_keeps_its_branch(front, inside):
    door = front(fixer())
    door.ok("start", "fixer", "--wait")
    entry = door.entry("fixer")
    place = Path(entry["worktree"])
    place.rename(place.with_name("elsewhere"))
    items = {Path(one["path"]).name: one for one in inside(door, "clean", "--yes", "--json").json["items"]}
    assert items[place.name]["gone"]
    assert (items["elsewhere"]["safe"], items["elsewhere"]["kind"]) == (False, "unknown")
    assert place.with_name("elsewhere").is_dir()
    assert git(door.repo, "rev-parse", "--verify", entry["branch"])


def test_a_run_folder_without_a_journal_goes_and_others_never(front, inside):
    door = front(fixer())
    door.ok("start", "fixer", "--wait")
    run = Path(door.entry("fixer")["dir"])
    never = run.with_name("20200101-0000-0000")
    (never / "inbox").mkdir(parents=True)
    fresh = run.with_name("20200101-0000-0001")
    (fresh / "inbox").mkdir(parents=True)
    os.utime(never, (0, 0))
    inside(door, "clean", "--yes")
    assert (never.exists(), fresh.exists(), run.exists()) == (False, True, True)


def test_an_empty_deck_has_nothing_to_tidy(front, inside):
    door = front({})
    assert "nothing to tidy" in inside(door, "clean").out
    assert inside(door, "clean", "--yes", "--json").json == {"items": [], "bytes": 0, "done": True, "runs": []}


@pytest.mark.pain(21)
def test_what_each_run_takes_is_told_the_largest_first(front, inside):
    door = front({**loop("small", [turn("d")]), **loop("large", [turn("w", write("big.txt", "x" * 900_000)), turn("d")])})
    door.ok("start", "small", "large", "--wait")
    runs = inside(door, "clean", "--json").json["runs"]
    assert [one["loop"] for one in runs] == ["large", "small"]
    assert runs[0]["worktrees"] > 900_000
    assert runs[0]["worktrees"] > runs[1]["worktrees"] > 0
    assert all(one["record"] > 0 for one in runs)
    _, _, said = inside(door, "clean").out.partition("What runs take")
    assert 0 < said.index(runs[0]["run"]) < said.index(runs[1]["run"])


@walled
def test_what_tools_have_fetched_goes_once_no_run_of_the_loop_is_at_work(front, inside):
    def fetching(name):
        said = {"command": 'mkdir -p "$PIP_CACHE_DIR" && head -c 300000 /dev/zero > "$PIP_CACHE_DIR/wheel"'}
        return loop(name, [turn("f", ("bash", said)), turn("d")], checks=[{"run": "true"}])

    door = front(fetching("fetch"))
    door.ok("start", "fetch", "--wait")
    kept = Path(inside(door, "where", "--json").json["caches"], "fetch")
    assert (kept / "maker/pip/wheel").stat().st_size == 300_000
    [item] = [one for one in inside(door, "clean", "--json").json["items"] if one["kind"] == "caches"]
    assert (item["path"], item["safe"], item["bytes"] >= 300_000) == (str(kept), True, True)
    inside(door, "clean", "--yes")
    assert not kept.exists()
    door.ok("start", "fetch", "--wait")
    assert (kept / "maker/pip/wheel").is_file()
