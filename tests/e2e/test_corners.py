"""Corners of a run's life: makers without end, waits cut short, checks that break, loop files that vanish, runners that hang."""

import os
import signal

import pytest

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from tests.cli.loops import loop, turn, waiting, write
from tests.e2e.seat import Seat, nap, runs
from tests.kit.repos import git, status

NEVER = [{"name": "never", "run": "test -f never"}]
THERE = [{"name": "there", "run": "test -f x"}]
OPEN = {"allow": ["bash"]}


@pytest.mark.usefixtures("without_walls")
def test_a_loop_file_that_is_broken_or_gone_while_it_runs_stops_nothing(front):
    door: Seat = front(loop("frozen", [turn("b", ("bash", {"command": "true"})), turn("d")]))
    door.ok("start", "frozen")
    [waits] = door.until("frozen", "asking")["approvals"]
    folder = door.repo / ".loopdeck/loops/frozen"
    (folder / "loop.toml").write_text("[[")
    assert door.show("frozen")["changed"] is True
    assert door.entry("frozen")["status"] == "asking"
    (folder / "loop.toml").unlink()
    (folder / "play.toml").unlink()
    door.ok("approve", waits["id"])
    assert door.until_ended("frozen")["reason"] == "done"
    assert door.entry("frozen")["reason"] == "done"


def test_the_same_call_again_and_again_is_nudged_then_ends_the_iteration_never_the_run(front):
    look = ("read_file", {"path": "README.md"})
    turns = [turn("l", look, iteration=1), *[turn("l", look)] * 8, turn("w", write("x", "1"), iteration=2), turn("d")]
    door: Seat = front(loop("stuck", turns, checks=THERE))
    run = door.done("stuck")
    assert [one.maker for one in run.iterations] == ["repeating", "ended"]
    told = [one.output for one in door.trace("stuck") if isinstance(one, tr.ToolReturned) and one.iteration == 1]
    assert [("time in a row" in one) for one in told] == [False, False, True, True, True]


def test_a_maker_without_end_is_stopped_at_its_turns(front):
    turns = [turn(str(number), write(f"{number}.txt", "x")) for number in range(6)]
    door: Seat = front(loop("endless", turns, checks=[{"run": "test -f 3.txt"}], maker={"max_turns": 2}))
    assert [one.maker for one in door.done("endless").iterations] == ["max_turns", "max_turns"]
    assert "2 turns were used up" in door.prompts("endless", 2)[0]["findings"]


@pytest.mark.usefixtures("without_walls")
def test_a_check_that_contradicts_itself_on_unchanged_work_is_called_flaky(front):
    toggle = "if test -e ../toggle; then rm ../toggle; exit 1; else touch ../toggle; fi"
    checks = [{"name": "moody", "run": toggle}, *NEVER]
    door: Seat = front(loop("flaky", [turn("d", iteration=1), turn("d", iteration=2)], checks=checks, end={"max_iterations": 2}))
    assert any("moody judged unchanged work differently" in one for one in door.ended("flaky", 10).notices)


def test_a_wait_is_left_by_pause_and_by_kill(front):
    door: Seat = front(loop("patient", [*[turn("", error="timeout")] * 4, turn("d")]))
    door.ok("start", "patient")
    door.wait("patient", lambda one: one.run.wait is not None and one.run.wait.seconds > 0.9)
    door.ok("pause", "patient")
    door.until("patient", "paused")
    door.ok("resume", "patient")
    door.ok("kill", "patient")
    assert door.entry("patient")["reason"] == "human"


def test_a_check_that_takes_too_long_fails_and_leaves_nothing_running(front):
    sleep = nap()
    checks = [{"name": "slow", "run": f"{sleep} & {sleep}", "timeout": "0.3s"}]
    door: Seat = front(loop("late", [turn("d")], checks=checks, end={"max_iterations": 1}))
    run = door.ended("late", 10)
    assert "0.3" in run.findings[0].message
    assert not runs(sleep)


def test_a_check_whose_program_is_missing_is_named(front):
    checks = [{"name": "typo", "run": "no-such-program --check"}]
    door: Seat = front(loop("typo", [turn("d")], checks=checks, end={"max_iterations": 1}))
    code = door.run("start", "typo", "--wait").code
    assert (code, "no-such-program" in str(door.show("typo")["verdicts"])) in ((10, True), (14, True))


def test_a_check_that_kills_itself_is_not_passed(front):
    checks = [{"name": "suicide", "run": "kill -9 $$"}]
    door: Seat = front(loop("odd", [turn("d")], checks=checks, end={"max_iterations": 1}))
    assert "signal 9" in str(door.ended("odd", 10).findings)


@pytest.mark.usefixtures("without_walls")
def test_a_run_of_a_stopped_process_is_hung_and_goes_on_when_it_does(front):
    door: Seat = front(loop("slow", [turn("b", ("bash", {"command": "true"})), turn("d")]))
    door.ok("start", "slow")
    door.until("slow", "asking")
    pid = door.folded("slow").pid
    os.kill(pid, signal.SIGSTOP)
    try:
        lease = door.paths("slow").lease
        os.utime(lease, (lease.stat().st_atime - 60, lease.stat().st_mtime - 60))
        entry = door.entry("slow")
        assert (entry["status"], "silent" in entry["why"]) == ("hung", True)
    finally:
        os.kill(pid, signal.SIGCONT)
    door.wait("slow", lambda one: one.status == "asking")
    door.ok("kill", "slow")


@pytest.mark.usefixtures("without_walls")
def test_a_runner_that_is_asked_to_end_by_the_system_can_be_resumed(front):
    door: Seat = front(loop("slow", [turn("b", ("bash", {"command": "touch x"})), turn("d")], checks=THERE))
    door.ok("start", "slow")
    door.until("slow", "asking")
    os.kill(door.folded("slow").pid, signal.SIGTERM)
    door.wait("slow", lambda one: not one.live)
    assert door.entry("slow")["reason"] == "lost"
    door.ok("resume", "slow")
    door.allow("slow")
    assert door.until_ended("slow")["reason"] == "done"


@pytest.mark.usefixtures("without_walls")
def test_two_runs_of_one_loop_at_once_share_a_state_and_nothing_else(front):
    note = ("edit_file", {"path": ".loop/STATE.md", "old": "## Learned", "new": "## Learned\n\n- it was me"})
    turns = [turn("b", ("bash", {"command": "echo $LOOPDECK_RUN > x"}), note), turn("d")]
    door: Seat = front(loop("twin", turns, checks=THERE))
    before = status(door.repo)
    # Both stand in their first iteration before either goes on.
    ids = [door.ok("start", "twin", "--json").json["started"][0]["run"] for _ in range(2)]
    for each in ids:
        door.wait(each, lambda one: one.status == "asking")
    for each in ids:
        door.ok("approve", door.folded(each).pending_approvals[0].id)
    for each in ids:
        assert door.wait(each, lambda one: one.status == "ended" and not one.live).reason == "done"
    for run in map(door.folded, ids):
        assert git(door.repo, "show", f"{run.branch}:x").strip() == run.id
    text = door.ok("state", "twin").out
    # Side by side both make the same edit, which merges into one; on a slow machine the second may begin after the first has ended.
    assert text.count("- it was me") in (1, 2)
    assert text.count("<!-- loopdeck: end -->") == 1
    assert status(door.repo) == before


def test_a_run_that_is_resumed_counts_among_those_that_may_run(front):
    door: Seat = front({**waiting("one", 4), **waiting("two", 1), ".loopdeck/deck.toml": "[deck]\nmax_runs = 1\n"})
    door.ok("start", "one")
    door.until("one", "running")
    door.slay("one")
    door.ok("resume", "one")
    door.ok("start", "two")
    assert door.until("two", "queued", "running")["status"] == "queued"
    door.ok("kill", "one")
    assert door.until_ended("two")["reason"] == "done"


def test_a_queued_run_can_be_paused_set_nudged_and_ended(front):
    door: Seat = front(
        {**waiting("one"), **waiting("two"), **loop("three", [turn("d")]), ".loopdeck/deck.toml": "[deck]\nmax_runs = 1\n"}
    )
    door.ok("start", "one")
    door.until("one", "running")
    door.ok("start", "two", "three")
    door.until("two", "queued")
    door.until("three", "queued")
    door.ok("set", "three", "max_iterations", "2")
    door.ok("nudge", "three", "when it is your turn")
    door.ok("pause", "three")
    door.ok("kill", "two", "--why", "never mind")
    entry = door.entry("two")
    assert (entry["reason"], entry["branch"], entry["worktree"]) == ("human", None, None)
    assert "**Ended: human.**" in door.paths("two").report.read_text()
    door.ok("kill", "one")
    door.until("three", "paused")
    door.ok("resume", "three")
    assert door.until_ended("three")["max_iterations"] == 2
    assert "when it is your turn" in door.prompts("three", 1)[0]["notes"]


@pytest.mark.usefixtures("without_walls")
@pytest.mark.parametrize("damage", ["spec", "journal"])
def test_what_is_damaged_is_named_and_never_run(front, damage):
    door: Seat = front(loop("slow", [turn("b", ("bash", {"command": "true"})), turn("d")]))
    door.ok("start", "slow")
    door.until("slow", "asking")
    door.slay("slow")
    file = {"spec": door.paths("slow").spec, "journal": door.paths("slow").journal}[damage]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    if door.paths("slow").checkpoint.exists():
        door.paths("slow").checkpoint.unlink()
    said = door.run("resume", "slow")
    assert said.code != 0
    assert "Traceback" not in said.err
    assert not [one for one in door.events("slow") if isinstance(one, ev.ToolCallGranted)]
    assert door.ok("status", "--json").json
    assert file.read_bytes() == bytes(data), "what is damaged is not touched"
