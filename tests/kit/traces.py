"""Traces made by hand, written by the only writer there is.

Invariant: what is on disk afterwards is what a runner would have written, and then, where a test asks for it, what damage made of it.
"""

from collections.abc import Sequence
from pathlib import Path

from loopdeck.core import trace as tr
from loopdeck.core.conversation import Text, ToolUse
from loopdeck.core.findings import Outcome
from loopdeck.core.unknown import Unknown
from loopdeck.core.usage import Usage
from loopdeck.store.trace import TraceWriter
from tests.store.samples import AT, unchanged

TURN = 4
"""Lines of a turn."""


def turn(number: int, iteration: int, said: str = "", *, is_error: bool = False) -> list[tr.TraceEvent]:
    """A prompt, its reply, the call it asks for and the result."""
    call, tool = f"m{number}", f"t{number}"
    parts = (tr.PartNote("role", 1200, "ab" * 32, "maker.md", True), tr.PartNote("state", 300, "cd" * 32, "STATE.md"))
    return [
        tr.PromptSent(iteration, "maker", call, "m", parts, 1, ("bash",)),
        tr.ModelReplied(
            iteration, "maker", call, "m", (Text(f"Turn {number}. {said}"), ToolUse(tool, "bash", '{"command": "pytest -q"}')),
            "tools", Usage(1200, 80), 1.5, 4_800_000_000,
        ),
        tr.ToolCalled(iteration, tool, "bash", '{"command": "pytest -q"}'),
        tr.ToolReturned(iteration, tool, "bash", f"{number} passed. {said}", is_error=is_error, seconds=0.25),
    ]  # fmt: skip


def iteration(number: int, turns: int = 3, *, passed: bool = False) -> list[tr.TraceEvent]:
    """A whole iteration: state, turns, commit, two checks of which the second fails unless it is to pass, state."""
    events: list[tr.TraceEvent] = [tr.StateRead(number, "maker", "ab" * 32)]
    for one in range(turns):
        events += turn(100 * number + one, number)
    outcome: Outcome = "passed" if passed else "failed"
    return [
        *events,
        tr.Committed(number, "c" * 40, 1, 3, 1),
        tr.CheckRan(number, "lint", "passed", 1.0, 0.5, "c" * 40, "ruff check"),
        tr.CheckRan(number, "tests", outcome, 0.5, 1.5, "c" * 40, "pytest -q", 1, tail="1 failed\nin 0.1 s", findings=1),
        tr.StateWritten(number, "check", "cd" * 32),
    ]


def write_trace(path: Path, events: Sequence[tr.AnyTraceEvent], *, epoch: int = 1) -> None:
    """Append `events`, in the life `epoch`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = TraceWriter.open(path, epoch, unchanged)
    known: list[tr.TraceEvent | Unknown] = list(events)
    for first in range(0, len(known), 2000):
        writer.append_many(known[first : first + 2000], at=AT, clock=first / 10)
    writer.close()


def long_trace(path: Path, lines: int, per_iteration: int = 2000) -> None:
    """A trace of `lines` lines of about 300 bytes; every iteration ends with a check, every seventh of which fails."""
    writer = TraceWriter.open(path, 1, unchanged)
    batch: list[tr.TraceEvent | Unknown] = []
    for number in range(0, lines, TURN):
        now = number // per_iteration + 1
        batch += turn(number, now, "x" * 40, is_error=number % 5000 == 0)
        if (number + TURN) % per_iteration == 0:
            batch[-1] = tr.CheckRan(
                now, "tests", "failed" if now % 7 == 0 else "passed", 0.5, 1.5, "c" * 40, "pytest -q", 1, findings=1
            )
        if len(batch) >= 4000:
            writer.append_many(batch, at=AT, clock=number / 10)
            batch = []
    if batch:
        writer.append_many(batch, at=AT, clock=lines / 10)
    writer.close()
