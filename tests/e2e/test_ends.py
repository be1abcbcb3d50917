"""Every reason a run ends for: its word, its exit code, its evidence, its report; and nothing of the operator's was touched."""

import os
import re
import signal
import time
from typing import Any, NamedTuple

import pytest

from loopdeck.core import events as ev
from tests.cli.loops import fixer, loop, turn, waiting, write
from tests.e2e.seat import Seat, seated
from tests.kit.repos import git, status

NEVER = [{"name": "never", "run": "echo 'file.py:3: it is not there'; test -f never"}]
CODES = {
    "fixer": 0, "capped": 10, "poor": 11, "wordy": 11, "slow": 11, "busy": 11, "stuck": 12, "stopped": 13, "broken": 14, "vanished": 15,
}  # fmt: skip
REASONS = {0: "done", 10: "max_iterations", 11: "budget", 12: "no_progress", 13: "human", 14: "error", 15: "lost"}
LIMITS = {"poor": "cost_usd", "wordy": "tokens", "slow": "wall_s", "busy": "tool_calls_per_iteration"}


def every_reason() -> dict[str, str]:
    """A loop for each reason, and for each budget."""
    look = ("glob", {"pattern": "**"})
    busy = [turn("Looking.", look, ("read_file", {"path": "README.md"}), iteration=number) for number in (1, 2)]
    written = [turn("w", write("x", str(number)), iteration=number) for number in (1, 2)]
    two = {"max_iterations": 2, "no_progress": False}
    wordy = [turn("d", usage={"input": 4000, "output": 400})] * 3
    return {
        **fixer(),
        **loop("capped", [written[0], turn("d"), written[1], turn("d")], checks=NEVER, end=two),
        **loop("poor", [turn("d")] * 3, checks=NEVER, end={"max_cost_usd": 0.002}),
        **loop("wordy", wordy, checks=NEVER, end={"max_tokens": 9000}, maker={"max_output_tokens": 500}),
        **loop("slow", [turn("d", delay_s=20)], checks=NEVER, end={"max_wall": "0.4s"}),
        **loop("busy", busy, checks=NEVER, end={"max_tool_calls": 1}),
        **loop("stuck", [turn("d"), turn("d", iteration=2)], checks=NEVER, end={"max_iterations": 9, "no_progress": 2}),
        **waiting("stopped"),
        **loop("broken", [turn("d")], workspace={"setup": "echo no such tool; exit 3"}),
        **waiting("vanished"),
    }  # fmt: skip


class Played(NamedTuple):
    """The deck after all its loops have ended, what `git status` said before, and the codes of `start --wait`."""

    seat: Seat
    before: str
    codes: dict[str, int]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """All of them started at once and ended, one killed by the operator and one by the kernel."""
    with seated(tmp_path_factory.mktemp("ends"), {"README.md": "# A project\n", **every_reason()}) as seat:
        before = status(seat.repo)
        waits = {name: seat.start("start", name, "--wait") for name in CODES}
        for name in CODES:
            deadline = time.monotonic() + 30
            while name not in seat.deck.home.loops() and time.monotonic() < deadline:
                time.sleep(0.02)
        seat.until("stopped", "running")
        seat.ok("kill", "stopped", "--why", "lunch")
        seat.until("vanished", "running")
        seat.slay("vanished")
        for process in waits.values():
            process.communicate(timeout=40)
        yield Played(seat, before, {name: process.returncode for name, process in waits.items()})


@pytest.fixture(scope="module")
def door(played):
    """The seat before it."""
    return played.seat


@pytest.mark.req("S0-08", "S2-082", "S2-087", "S2-088", "S2-089", "S2-090")
def test_each_reason_has_its_exit_code(played, door):
    assert played.codes == CODES
    entries = {one["loop"]: one for one in door.ok("status", "--json").json["loops"]}
    assert {name: entry["reason"] for name, entry in entries.items()} == {name: REASONS[code] for name, code in CODES.items()}
    assert {entry["status"] for entry in entries.values()} == {"ended"}


def test_the_limit_that_stopped_it_is_named(door):
    for name, limit in LIMITS.items():
        shown = door.show(name)
        assert (shown["limit"], limit in shown["why"]) == (limit, True), name


@pytest.mark.req("S2-089")
def test_nothing_is_spent_past_a_budget(door):
    assert door.entry("poor")["usage"]["cost_usd"] <= 0.002
    usage = door.entry("wordy")["usage"]
    assert usage["input"] + usage["output"] <= 9000
    assert door.folded("slow").clock < 3


@pytest.mark.req("S2-090")
def test_the_detector_is_named_with_its_evidence(door):
    run = door.folded("stuck")
    assert run.detector in ("same_findings", "no_change", "plateau", "same_work")
    assert re.search(r"x2|2 iterations", run.why)
    assert [one.number for one in run.iterations] == [1, 2]
    assert {signal.detector for signal in run.iterations[-1].signals} >= {"same_findings", "no_change"}


@pytest.mark.req("S2-091")
def test_who_stopped_it_and_why(door):
    run = door.folded("stopped")
    assert (run.why, bool(run.ended_by)) == ("lunch", True)
    [asked] = [one for one in door.events("stopped") if isinstance(one, ev.StopAsked)]
    assert asked.by == run.ended_by


@pytest.mark.req("S2-087", "S0-23")
def test_done_is_proven(door):
    [verdict] = door.show("fixer")["verdicts"]
    proof = verdict["evidence"]
    assert (verdict["outcome"], proof["command"], proof["exit_code"]) == ("passed", "grep -q fixed answer.txt", 0)
    assert re.fullmatch(r"[0-9a-f]{64}", proof["output_hash"])
    assert proof["at"].endswith("Z")


@pytest.mark.req("S2-082")
def test_every_end_has_a_report(door):
    for name, code in CODES.items():
        if name == "vanished":
            continue
        text = door.paths(name).report.read_text(encoding="utf-8")
        assert f"**Ended: {REASONS[code]}.**" in text, text
        assert "## Iterations" in text
    assert "it is not there" in door.paths("capped").report.read_text(encoding="utf-8")
    assert door.show("capped")["report"] == str(door.paths("capped").report)


@pytest.mark.req("S2-082")
def test_at_the_cap_the_best_result_is_kept(door):
    run = door.folded("capped")
    assert run.best == 2
    assert git(door.repo, "rev-parse", run.branch).strip() == run.commit == run.iterations[1].commit


@pytest.mark.req("S0-01", "S3-13")
def test_nobody_had_to_do_anything(door):
    assert "- Human inputs: 0" in door.paths("fixer").report.read_text(encoding="utf-8")
    run = door.folded("fixer")
    assert (run.commands, run.reason, len(run.iterations)) == (set(), "done", 1)
    assert "- Human inputs: 1" in door.paths("stopped").report.read_text(encoding="utf-8")


def test_the_operators_checkout_is_as_it_was(played):
    assert status(played.seat.repo) == played.before


def test_the_lost_one_says_how_to_go_on(door):
    entry = door.entry("vanished")
    assert (entry["reason"], "loopdeck resume" in entry["why"]) == ("lost", True)
    assert entry["phase"] is None
    assert entry["ended"] is None


ENTRY: dict[str, tuple[type | None, ...]] = {
    "loop": (str,), "run": (str, None), "status": (str,), "reason": (str, None), "phase": (str, None), "iteration": (int,),
    "max_iterations": (int, None), "score": (float, None), "usage": (dict,), "limits": (dict,), "approvals": (list,),
    "branch": (str, None), "worktree": (str, None), "dir": (str, None), "pid": (int, None), "started": (str, None),
    "ended": (str, None), "harness": (str, None),
}  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def fits(value: Any, kinds: tuple[type | None, ...]) -> bool:
    """True if `value` is of one of `kinds`; None stands for null, and a float may be written as a whole number."""
    return any(value is None if kind is None else isinstance(value, (int, float) if kind is float else kind) for kind in kinds)


def test_the_status_document_is_as_the_contract_says(door):
    document = door.ok("status", "--json").json
    assert document["deck"] == str(door.repo)
    assert document["supervisor"] == {"pid": None, "alive": False}
    for entry in document["loops"]:
        assert set(ENTRY) <= set(entry)
        for key, kinds in ENTRY.items():
            assert fits(entry[key], kinds), (key, entry[key])
        usage, limits = entry["usage"], entry["limits"]
        assert set(usage) == {"input", "output", "cache_read", "cache_write", "cost_usd", "tool_calls"}
        assert all(isinstance(usage[key], int) for key in usage if key != "cost_usd")
        assert set(limits) == {"cost_usd", "tokens", "wall_s", "tool_calls_per_iteration"}
        assert TIME.fullmatch(entry["started"])
        assert entry["branch"] in (None, f"loop/{entry['loop']}/{entry['run']}")
        assert re.fullmatch(r"\d{8}-\d{4}-[0-9a-f]{4,}", entry["run"])
        assert entry["dir"].endswith(f"/runs/{entry['loop']}/{entry['run']}")
    by_name = {one["loop"]: one for one in document["loops"]}
    assert by_name["poor"]["limits"] == {"cost_usd": 0.002, "tokens": None, "wall_s": None, "tool_calls_per_iteration": None}
    assert (by_name["wordy"]["limits"]["tokens"], by_name["slow"]["limits"]["wall_s"]) == (9000, 0.4)
    assert by_name["busy"]["limits"]["tool_calls_per_iteration"] == 1


def test_a_loop_without_a_run_is_idle(front):
    seat: Seat = front(fixer())
    [entry] = seat.ok("status", "--json").json["loops"]
    assert entry["status"] == "idle"
    nulls = ("run", "reason", "phase", "score", "branch", "worktree", "dir", "pid", "started", "ended", "harness")
    assert [entry[key] for key in nulls] == [None] * len(nulls)
    assert (entry["iteration"], entry["approvals"]) == (0, [])


def later():
    """A loop that stands still until it is allowed to go on."""
    return loop("later", [turn("b", ("bash", {"command": "touch x"})), turn("d")], checks=[{"run": "test -f x"}])


@pytest.mark.usefixtures("without_walls")
def test_ctrl_c_stops_the_waiting_and_not_the_runs(front):
    seat: Seat = front(fixer(), later())
    process = seat.start("start", "later", "fixer", "--wait")
    while "later" not in seat.deck.home.loops():
        time.sleep(0.02)
    seat.until("later", "asking")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, b"Traceback" in err) == (130, False)
    seat.allow("later")
    assert seat.until_ended("later")["reason"] == "done"


@pytest.mark.usefixtures("without_walls")
def test_a_closed_terminal_ends_no_run(front):
    seat: Seat = front(later())
    process = seat.start("start", "later", "--wait")
    while "later" not in seat.deck.home.loops():
        time.sleep(0.02)
    seat.until("later", "asking")
    assert os.getsid(seat.folded("later").pid) != os.getsid(process.pid)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=20)
    seat.allow("later")
    assert seat.until_ended("later")["reason"] == "done"
