"""Exits set before the start: each clause of one, each detector with its evidence, each kind of failure by its own name."""

import json
import re
import time
from collections import Counter

import psutil
import pytest

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat, nap, runs, until_runs
from tests.kit.repos import git

NEVER = [{"name": "never", "run": "echo 'app.py:3: it is not there'; test -f never"}]
OPEN = {"allow": ["bash"]}
LOOK = ("read_file", {"path": "README.md"})


def bash(command, **more):
    """A turn that runs a command."""
    return turn("b", ("bash", {"command": command}), **more)


def rounds(*works):
    """Turns of as many iterations: each one's work, and its end."""
    return [one for number, work in enumerate(works, 1) for one in ({**work, "iteration": number}, turn("d"))]


def labels(door, name):
    """How often each kind of problem is in journal and in trace."""
    of = (ev.ToolCallFinished, ev.ToolCallRefused, ev.ModelCallSettled)
    journal = Counter(one.problem for one in door.events(name) if isinstance(one, of) and one.problem)
    trace = Counter(one.problem for one in door.trace(name) if isinstance(one, tr.ToolReturned) and one.problem)
    return journal, trace


# The checker drives


@pytest.mark.req("S0-12", "S2-087")
def test_three_planted_faults_are_mended_one_by_one_until_nothing_is_left(front):
    faults = {f"src/{name}.py": f"x = 1  # FAULT in {name}\n" for name in ("one", "two", "three")}
    # A turn is played only if what the check had found is in the prompt.
    mends = [turn("m", write(f"src/{name}.py", "x = 1\n"), when=f"src/{name}.py:1") for name in ("one", "two", "three")]
    turns = rounds(turn("Nothing to see.", LOOK), *mends)
    look = [{"name": "faults", "run": "! grep -n -H FAULT src/*.py"}]
    door: Seat = front(loop("mender", turns, checks=look, end={"max_iterations": 9}), faults)
    run = door.done("mender")
    assert [len(one.fingerprints) for one in run.iterations] == [3, 2, 1, 0]
    assert [one.passed for one in run.iterations] == [False, False, False, True]
    assert door.show("mender")["findings"] == []


# Set before the start


@pytest.mark.req("S0-15")
def test_an_edit_of_the_loop_file_counts_from_the_next_run(front):
    door: Seat = front(
        loop(
            "fixed",
            rounds(turn("w", write("a", "1"), delay_s=1), turn("w", write("a", "2"), delay_s=0.3)),
            checks=NEVER,
            end={"max_iterations": 2},
        )
    )
    file = door.repo / ".loopdeck/loops/fixed/loop.toml"
    before = file.read_text()
    door.ok("start", "fixed")
    door.at_work("fixed")
    door.ok("pause", "fixed")
    door.until("fixed", "paused")
    shown = door.show("fixed")
    assert (shown["changed"], "next run" in door.ok("show", "fixed").out) == (False, False)
    file.write_text(before.replace("max_iterations = 2", "max_iterations = 1").replace("test -f never", "true"))
    again = door.show("fixed")
    assert again["changed"]
    assert (again["spec_hash"], again["exit_hash"]) == (shown["spec_hash"], shown["exit_hash"])
    assert "changed since the start: that applies to the next run" in door.ok("show", "fixed").out
    door.ok("resume", "fixed")
    entry = door.until_ended("fixed")
    assert (entry["reason"], entry["iteration"], entry["max_iterations"]) == ("max_iterations", 2, 2)
    run = door.done("fixed")
    assert len(run.iterations) == 1
    assert run.exit_hash != shown["exit_hash"]


BOTH = [{"name": "tests", "run": "test -f code.txt && ! grep -q broken code.txt"}, {"name": "lint", "run": "test -f tidy.txt"}]


@pytest.mark.req("S0-16")
def test_below_the_severity_floor_a_check_may_fail(front):
    checks = [BOTH[0], {**BOTH[1], "severity": "minor"}]
    door: Seat = front(loop("floor", rounds(turn("w", write("code.txt", "x"))), checks=checks))
    run = door.done("floor")
    assert run.iterations[0].outcomes == {"tests": "passed", "lint": "failed"}
    assert [one["check"] for one in door.show("floor")["findings"]] == ["lint"]


@pytest.mark.req("S0-16")
def test_with_a_stricter_floor_it_may_not(front):
    checks = [BOTH[0], {**BOTH[1], "severity": "minor"}]
    turns = rounds(turn("w", write("code.txt", "x")), turn("w", write("tidy.txt", "x")))
    door: Seat = front(loop("floor", turns, checks=checks, end={"severity_floor": "minor"}))
    assert [one.passed for one in door.done("floor").iterations] == [False, True]


@pytest.mark.req("S0-16")
def test_one_more_pass_to_tidy_up_and_the_checks_again(front):
    turns = rounds(turn("w", write("code.txt", "x"), write("tidy.txt", "x")), turn("t", write("tidy.txt", "tidied")))
    door: Seat = front(loop("final", turns, checks=BOTH, end={"final_pass": True}))
    run = door.done("final")
    assert [(one.passed, one.final) for one in run.iterations] == [(True, False), (True, True)]
    assert run.best == 2
    assert git(door.repo, "show", f"{run.branch}:tidy.txt") == "tidied"
    checked = [one for one in door.trace("final") if isinstance(one, tr.CheckRan)]
    assert Counter(one.iteration for one in checked) == {1: 2, 2: 2}


@pytest.mark.req("S0-16")
def test_a_final_pass_that_breaks_things_is_dropped(front):
    turns = rounds(turn("w", write("code.txt", "x"), write("tidy.txt", "x")), turn("t", write("code.txt", "broken")))
    door: Seat = front(loop("final", turns, checks=BOTH, end={"final_pass": True}))
    run = door.done("final")
    assert [(one.passed, one.final) for one in run.iterations] == [(True, False), (False, True)]
    assert (run.best, git(door.repo, "show", f"{run.branch}:code.txt")) == (1, "x")
    assert git(door.repo, "rev-parse", run.branch).strip() == run.iterations[0].commit
    assert (door.worktree("final") / "code.txt").read_text() == "x"
    assert "final pass" in run.why


@pytest.mark.req("S0-16", "S2-082", "S2-088")
def test_after_two_iterations_it_stops_and_the_best_of_them_is_kept(front):
    turns = rounds(turn("w", write("code.txt", "x")), turn("w", write("code.txt", "broken")))
    door: Seat = front(loop("capped", turns, checks=BOTH, end={"max_iterations": 2}))
    run = door.ended("capped", 10)
    assert [one.score for one in run.iterations] == [0.5, 0.0]
    assert (run.best, run.commit) == (1, run.iterations[0].commit)
    assert git(door.repo, "show", f"{run.branch}:code.txt") == "x"
    assert git(door.repo, "rev-parse", run.branch).strip() == run.commit
    assert "iteration 1 is kept" in door.ok("show", "capped").out
    last = git(door.repo, "for-each-ref", "--format=%(objectname)", "refs/loopdeck").split()
    assert run.iterations[1].commit in last


@pytest.mark.req("S0-16")
def test_done_is_a_commands_word(front):
    run_it = "sh tests.sh && sh lint.sh"
    files = {"tests.sh": "test -f code.txt\n", "lint.sh": "! grep -n 'TODO' code.txt\n"}
    turns = rounds(turn("All tests pass!"), turn("w", write("code.txt", "TODO\n")), turn("w", write("code.txt", "fine\n")))
    door: Seat = front(loop("worded", turns, checks=[{"run": run_it}], end={"max_iterations": 4}), files)
    run = door.done("worded")
    assert [one.passed for one in run.iterations] == [False, False, True]


# Budgets


@pytest.mark.req("S2-083")
def test_tool_calls_used_up_once_are_a_finding_the_maker_is_told(front):
    greedy = turn("l", LOOK, ("glob", {"pattern": "*"}), LOOK)
    turns = rounds(greedy, turn("w", write("never", "x")))
    door: Seat = front(loop("greedy", turns, checks=NEVER, end={"max_tool_calls": 2}))
    run = door.done("greedy")
    assert [(one.maker, one.spend.tool_calls) for one in run.iterations] == [("tool_calls", 2), ("ended", 1)]
    first = next(one for one in door.events("greedy") if isinstance(one, ev.CheckFinished)).verdict
    assert [one.message for one in first.findings] == ["all 2 tool calls of the iteration were used up before the work was finished"]
    assert "tool calls of the iteration were used up" in json.dumps(door.prompts("greedy", 2))


@pytest.mark.req("S2-083")
def test_used_up_twice_in_a_row_ends_the_run_and_not_twice_with_one_between(front):
    greedy = turn("l", LOOK, ("glob", {"pattern": "*"}))
    turns = rounds(greedy, turn("w", write("a", "1")), greedy, greedy)
    door: Seat = front(loop("greedy", turns, checks=NEVER, end={"max_tool_calls": 1, "max_iterations": 6, "no_progress": False}))
    run = door.ended("greedy", 11)
    assert (run.limit, run.iteration) == ("tool_calls_per_iteration", 4)
    assert "twice in a row" in run.why
    assert "tool_calls_per_iteration" in door.paths("greedy").report.read_text()


@pytest.mark.req("S2-089")
def test_time_ends_a_run_in_the_middle_of_a_call_and_nothing_is_left_running(front):
    sleep = nap()
    door: Seat = front(loop("late", [bash(f"(setsid {sleep} &) ; {sleep}")], checks=NEVER, gates=OPEN, end={"max_wall": "1s"}))
    door.ok("start", "late")
    until_runs(sleep)
    began = time.monotonic()
    entry = door.until_ended("late")
    assert time.monotonic() - began < 6
    assert (entry["reason"], door.show("late")["limit"]) == ("budget", "wall_s")
    assert door.folded("late").clock < 3
    assert not runs(sleep)
    assert door.runners() == []
    assert psutil.pid_exists(1)


# Failures by their names


@pytest.mark.req("S2-093")
def test_a_failing_tool_a_malformed_call_and_a_regression_have_labels_of_their_own(front):
    turns = [
        bash("exit 3"), turn("m", ("read_file", {"pfad": 7})), turn("w", write("a.txt", "1")), turn("d"),
        bash("rm a.txt; touch b.txt", iteration=2), turn("d"),
        turn("w", write("a.txt", "1"), iteration=3), turn("d"),
    ]  # fmt: skip
    checks = [{"name": "a", "run": "test -f a.txt || { echo 'a.txt:1: it is gone'; false; }"}, {"name": "b", "run": "test -f b.txt"}]
    door: Seat = front(loop("three", turns, checks=checks, gates=OPEN))
    run = door.done("three")
    for seen in labels(door, "three"):
        assert seen == {"tool_failed": 1, "malformed_output": 1}
    assert [one.outcomes["a"] for one in run.iterations] == ["passed", "failed", "passed"]
    found = [one.verdict for one in door.events("three") if isinstance(one, ev.CheckFinished) and one.verdict.check == "a"]
    assert [[each.regression for each in one.findings] for one in found] == [[], [True], []]
    assert "regression" in json.dumps(door.prompts("three", 3)).lower()
    assert "Not run" in door.outputs("three")[1]


@pytest.mark.req("S2-093")
def test_a_reply_that_makes_no_sense_is_asked_for_again_and_then_given_up(front):
    bad = turn("nonsense", error="malformed", usage={})
    door: Seat = front(loop("wild", [bad, turn("w", write("never", "x")), turn("d")], checks=NEVER))
    assert door.done("wild").reason == "done"
    assert labels(door, "wild")[0] == {"malformed_output": 1}


@pytest.mark.req("S2-093")
def test_calls_that_make_no_sense_end_the_iteration_and_not_the_run(front):
    bad = [turn("m", ("read_file", {"pfad": number})) for number in range(3)]
    works = [{**bad[0], "iteration": 1}, *bad[1:], turn("never played"), turn("w", write("never", "x"), iteration=2), turn("d")]
    door: Seat = front(loop("wild", works, checks=NEVER))
    run = door.done("wild")
    assert [one.maker for one in run.iterations] == ["malformed", "ended"]
    assert "could not be understood" in json.dumps(door.prompts("wild", 2))


# A provider's bad days


@pytest.mark.parametrize("error", ["rate_limit", "overloaded"])
def test_a_busy_provider_is_waited_out_and_does_not_count(front, error):
    door: Seat = front(
        loop("busy", [*[turn("no", error=error, usage={})] * 8, turn("w", write("x", "1")), turn("d")], checks=[{"run": "test -f x"}])
    )
    door.ok("start", "busy")
    seen = door.until("busy", "waiting")
    assert re.search(rf"{error} until \d{{4}}-\d\d-\d\dT.*Z", seen["why"])
    entry = door.until_ended("busy")
    assert (entry["reason"], entry["iteration"]) == ("done", 1)
    waits = [one for one in door.events("busy") if isinstance(one, ev.WaitStarted)]
    assert [one.cause for one in waits] == [error] * 8
    assert len([one for one in door.trace("busy") if isinstance(one, tr.ModelFailed)]) == 8
    assert entry["usage"]["input"] == 2000


def test_five_failures_in_a_row_end_a_run_and_those_with_an_answer_between_do_not_add_up(front):
    # Each waits longer from failure to failure, so they do it side by side.
    slow = [turn("no", error="timeout", usage={})] * 3
    door: Seat = front(
        loop("wild", [turn("nonsense", error="malformed", usage={})] * 9, checks=NEVER),
        loop("mute", [turn("no answer in 30 s", error="timeout", usage={})] * 9),
        loop("moody", [*slow, turn("l", LOOK), *slow, turn("d")]),
    )
    assert door.run("start", "wild", "mute", "moody", "--wait").code == 14
    runs_of = {name: door.folded(name) for name in ("wild", "mute", "moody")}
    assert {name: run.reason for name, run in runs_of.items()} == {"wild": "error", "mute": "error", "moody": "done"}
    assert "5 model calls failed in a row, the last: malformed: nonsense" in runs_of["wild"].why
    assert labels(door, "wild")[0] == {"malformed_output": 5}
    assert len([one for one in door.trace("mute") if isinstance(one, tr.ModelFailed)]) == 5
    assert "5 model calls failed in a row" in runs_of["mute"].why
    assert "no answer in 30 s" in runs_of["mute"].why


# No progress


def stuck(works, checks=NEVER, **end):
    """A loop that gets nowhere, by `works`."""
    return loop("stuck", rounds(*works), checks=checks, end={"max_iterations": 12, "no_progress": 3, **end}, gates=OPEN)


RANDOM = [{"name": "odd", "run": 'echo "not so because of $(tr -dc a-z < /dev/urandom | head -c 12)"; false'}]
PATTERNS = {
    "no_change": (stuck([turn("n", LOOK)] * 4, RANDOM), r"nothing changed in 3 iterations in a row"),
    "same_findings": (stuck([turn("w", write(f"{n}.txt", "x")) for n in range(6)]), r"the same 1 finding and score 0\.00 x3"),
    "same_work": (
        stuck([turn("w", write("a.txt", "AB"[n % 2])) for n in range(9)], RANDOM),
        r"work [0-9a-f]{12} has been here before, x3",
    ),
    # By turns it fails for two reasons that it has failed for before, with work that is new every time.
    "plateau": (
        stuck(
            [bash(f"echo {n} > work.txt; echo {n % 2} > which.txt") for n in range(9)],
            [{"name": "two", "run": "if grep -q 0 which.txt; then echo 'x.py:1: E100 this'; else echo 'y.py:1: E200 that'; fi; false"}],
        ),
        r"best score 0\.00 not beaten.* for 3 iterations",
    ),
}  # fmt: skip


@pytest.mark.req("S2-090", "S2-092")
@pytest.mark.parametrize("name", PATTERNS)
def test_each_detector_names_itself_and_its_evidence(front, name):
    files, evidence = PATTERNS[name]
    door: Seat = front(files)
    run = door.ended("stuck", 12)
    assert (run.reason, run.detector) == ("no_progress", name), run.why
    assert re.search(evidence, run.why), run.why
    shown = door.show("stuck")
    assert (shown["detector"], shown["why"]) == (name, f"{name}: {run.why}" if shown["why"] != run.why else run.why)
    [said] = [one for one in shown["iterations"][-1]["signals"] if one["detector"] == name]
    assert (said["streak"], said["rung"]) == (3, "stop")
    report = door.paths("stuck").report.read_text()
    assert f"{name}: " in report
    assert re.search(evidence, report)
    assert f"{name} x3" in door.ok("show", "stuck").out


@pytest.mark.req("S2-090", "S2-092")
def test_a_check_that_fails_for_ever_new_reasons_is_not_stopped(front):
    works = [bash(f"echo {word} > work.txt") for word in ("apples", "bread", "cheese", "dates", "eggs", "figs", "grapes")]
    run_it = "echo there are no $(cat work.txt); echo 'make: *** [Makefile:2: all] Error 1'; false"
    checks = [{"name": "new", "run": run_it}]
    door: Seat = front(stuck(works, checks, max_iterations=7, no_progress=2))
    run = door.ended("stuck", 10)
    assert len(run.iterations) == 7
    assert not [one for each in run.iterations for one in each.signals if one.rung == "stop"]


@pytest.mark.req("S2-092")
def test_before_it_is_stopped_the_maker_is_told(front):
    door: Seat = front(stuck([turn("w", write(f"{n}.txt", "x")) for n in range(6)]))
    door.ended("stuck", 12)
    told = [json.dumps(door.prompts("stuck", number)) for number in (1, 2, 3)]
    assert ["same 1 finding" in one for one in told] == [False, False, True]


@pytest.mark.req("S2-092")
def test_a_busy_loop_of_flat_quality_has_its_series_in_show(front):
    door: Seat = front(stuck([bash(f"echo {n} > {n}.txt") for n in range(6)]))
    door.ended("stuck", 12)
    each = door.show("stuck")["iterations"]
    assert [one["score"] for one in each] == [0.0, 0.0, 0.0]
    assert [one["findings"] for one in each] == [1, 1, 1]
    assert all(one["files"] for one in each)
