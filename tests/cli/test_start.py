"""`start`, `once` and `status`: reasons and exit codes, waiting that stops nothing, and refusals that write nothing."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.cli.loops import fixer, loop, turn, waiting, write
from tests.kit.repos import git

REASONS = {
    "capped": ("max_iterations", 10),
    "poor": ("budget", 11),
    "stuck": ("no_progress", 12),
    "broken": ("error", 14),
    "fixer": ("done", 0),
}


def every_reason():
    never = [{"name": "never", "run": "test -f never"}]
    return {
        **fixer(),
        **loop("capped", [turn("w", write("x", "1")), turn("d")], checks=never, end={"max_iterations": 1}),
        **loop("poor", [turn("d")], checks=never, end={"max_cost_usd": 0.001}),
        **loop("stuck", [turn("d"), turn("d", iteration=2), turn("d", iteration=3)], checks=never, end={"max_iterations": 9}),
        **loop("broken", [turn("d")], checks=never, workspace={"setup": "echo no such tool; exit 3"}),
    }


@pytest.mark.req("S0-13")
def test_the_code_is_that_of_the_gravest_reason(front):
    door = front(every_reason())
    assert door.ok("start", "fixer", "--wait").code == 0
    ended = door.run("start", "capped", "poor", "stuck", "broken", "fixer", "--wait", "--json")
    assert ended.code == 14
    assert {one["loop"]: one["reason"] for one in ended.json["loops"]} == {name: reason for name, (reason, _) in REASONS.items()}
    said = {one["loop"]: one["why"] for one in ended.json["loops"]}
    assert "no such tool" in said["broken"]
    assert "cost_usd" in said["poor"]
    for name in ("capped", "poor", "stuck"):
        assert door.run("start", name, "--wait").code == REASONS[name][1]
    table = door.ok("status").out
    assert all(reason in table for reason, _ in REASONS.values())
    assert git(door.repo, "status", "--porcelain", "--ignored") == ""


def test_starting_returns_at_once_and_the_run_lives_on(front):
    door = front(waiting())
    started = door.ok("start", "waiting", "--json").json["started"]
    assert [one["loop"] for one in started] == ["waiting"]
    assert door.at_work("waiting")["run"] == started[0]["run"]
    assert door.runners()


def test_interrupting_the_wait_stops_no_run(front):
    door = front(waiting())
    process = door.start("start", "waiting", "--wait")
    door.at_work("waiting")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, (out, err)
    assert b"Traceback" not in err
    assert door.entry("waiting")["status"] == "running"


def test_once_follows_its_run(front):
    door = front(fixer())
    said = door.ok("once", "fixer", "--input", "a word")
    assert "fixer iteration 1 of 3" in said.out
    assert door.ok("show", "fixer", "--json").json["input"] == "a word"


def test_more_than_may_run_wait_for_a_place(front):
    door = front({**waiting("one"), **waiting("two"), ".loopdeck/deck.toml": "[deck]\nmax_runs = 1\n"})
    door.ok("start", "one")
    door.at_work("one")
    door.ok("start", "two")
    time.sleep(0.5)
    assert door.entry("two")["status"] == "queued"
    door.ok("kill", "one", "--now")
    assert door.at_work("two")["iteration"] == 1


@pytest.mark.parametrize(
    "args",
    [["start"], ["start", "nothing"], ["start", "fixer", "bad"], ["start", "--all", "fixer"], ["once", "bad"], ["start", "--all"]],
)
def test_what_cant_be_started_writes_nothing(front, inside, args):
    door = front({**fixer(), ".loopdeck/loops/bad/loop.toml": 'goal = "x"\n'})
    said = inside(door, *args)
    assert said.code == 2
    assert said.err.startswith("loopdeck: ")
    assert not (door.base / "home").exists()
    assert git(door.repo, "status", "--porcelain") == ""


def test_an_empty_deck_says_what_to_do(front, inside):
    door = front({})
    assert "loopdeck new" in inside(door, "status").out
    assert "loopdeck new" in inside(door, "start", "--all").err
    assert inside(door, "status", "--json").json["loops"] == []


def test_a_repository_without_a_commit_says_so(front, inside, tmp_path):
    door = front({})
    empty = tmp_path / "empty"
    git(tmp_path, "init", "-q", str(empty))
    door.repo = empty
    inside(door, "new", "mine")
    said = inside(door, "start", "mine")
    assert (said.code, "no commit yet" in said.err) == (2, True)


def test_watching_prints_a_line_whenever_something_changes(front):
    door = front(fixer())
    process = door.start("status", "--watch", "--json")
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["loops"][0]["status"] == "idle"
        door.ok("start", "fixer")
        while json.loads(process.stdout.readline())["loops"][0]["status"] != "ended":
            pass
    finally:
        process.kill()
        process.communicate()


def test_the_status_document_is_the_agreed_one(front, inside):
    door = front(fixer())
    door.ok("start", "fixer", "--wait")
    [entry] = inside(door, "status", "--json").json["loops"]
    agreed = "loop run status reason phase iteration max_iterations score usage limits approvals branch worktree dir pid started ended"
    assert {*agreed.split(), "harness"} <= set(entry)
    assert set(entry["usage"]) == {"input", "output", "cache_read", "cache_write", "cost_usd", "tool_calls"}
    assert set(entry["limits"]) == {"cost_usd", "tokens", "wall_s", "tool_calls_per_iteration"}
    assert (entry["status"], entry["reason"], entry["phase"], entry["score"]) == ("ended", "done", None, 1.0)
    assert entry["started"].endswith("Z")
    assert entry["usage"]["input"] == 2000


def test_a_verb_works_inside_a_runs_worktree(front):
    door = front(fixer())
    door.ok("start", "fixer", "--wait")
    entry = door.entry("fixer")
    assert door.ok("status", "--json", cwd=Path(entry["worktree"])).json == door.ok("status", "--json").json


def test_of_two_runs_of_a_loop_each_says_which_it_is(front):
    door = front({**waiting(), **fixer()})
    door.ok("start", "fixer", "--wait")
    for _ in range(2):
        door.ok("start", "waiting")
    shown = door.ok("status", "--json").json["loops"]
    said = door.ok("status").out
    runs = {one["run"]: one["loop"] for one in shown}
    assert sorted(runs.values()) == ["fixer", "waiting", "waiting"]
    assert {run: f"{loop} {run}" in said for run, loop in runs.items()} == {run: loop == "waiting" for run, loop in runs.items()}


def test_a_start_that_came_to_nothing_leaves_no_run(front):
    door = front(fixer())
    said = door.run("start", "fixer", "--input", "not UTF-8: \udcff")
    assert (said.code, said.out) == (2, "")
    assert door.entry("fixer")["status"] == "idle"
