"""A run that goes on from another: its first instruction is what was open there, its base is where both began."""

from loopdeck.core import events as ev
from loopdeck.core import prompt
from loopdeck.core.findings import counted, finding
from loopdeck.core.fold import Stamp, fold
from loopdeck.core.happening import Settings
from loopdeck.core.report import report
from tests.core.make import loop

OPEN = finding("tests", "tests", "one fails", path="a.py", line=3)


def begun(**more):
    events: list[ev.Event] = [
        ev.RunQueued("fix", "r2", Settings(3), "sp", "ex", "ha", **more),
        ev.RunnerStarted(1, 1),
        ev.RunStarted(),
        ev.WorkspacePrepared("/w", "loop/fix/r2", "b" * 40, start="c" * 40 if more else ""),
        ev.IterationStarted(1, "state"),
    ]
    return fold((event, Stamp("2026-11-21T07:15:00Z", 0.0, 1)) for event in events)


RETRY = {"origin": "r1", "origin_iteration": 3, "findings": (OPEN,)}


def test_it_stands_on_the_commit_of_the_iteration_and_is_compared_with_the_base():
    run = begun(**RETRY)
    assert (run.origin, run.origin_iteration, run.base, run.commit) == ("r1", 3, "b" * 40, "c" * 40)
    assert (begun().origin, begun().commit) == ("", "b" * 40)


def test_what_was_open_is_the_first_instruction_and_is_counted_on():
    run = begun(**RETRY)
    parts = {part.name: part.text for part in prompt.instruction(run, loop(), "state", final=False)}
    assert "one fails" in parts["findings"]
    assert parts["iteration"].startswith("Iteration 1 of at most 3. The checks found one thing wrong")
    assert counted((OPEN,), run.findings, regressed=False)[0].status == "repeated x2"
    assert "findings" not in {part.name for part in prompt.instruction(begun(), loop(), "state", final=False)}


def test_the_report_names_it_and_its_own_spending_only():
    told = report(begun(**RETRY), "goal", "")
    assert "goes on from iteration 3 of r1" in told
    assert "0 tokens" in told
    assert "goes on from" not in report(begun(), "goal", "")
