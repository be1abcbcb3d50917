"""Journal and trace of a whole small run, and the shortest way to write and read logs in tests."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.conversation import Text, ToolUse
from loopdeck.core.findings import Criterion, Evidence, Verdict, finding
from loopdeck.core.happening import CallAsked, Settings, Signal
from loopdeck.core.unknown import Unknown
from loopdeck.core.usage import Usage
from loopdeck.store.journal import JournalWriter
from loopdeck.store.lines import LogFormat
from loopdeck.store.log import LogWriter

AT = "2026-11-21T07:15:00.123Z"
SETTINGS = Settings(max_iterations=4, max_cost=2 * 10**12)
LATER = Unknown("from_a_later_version", b'{"kind":"from_a_later_version","deep":{"list":[1,2.50,null,"\\u00e4"]}}')


def unchanged(data: bytes) -> bytes:
    """A redactor that finds nothing."""
    return data


def _iteration(number: int) -> list[ev.AnyEvent]:
    call = f"call-{number}"
    wrong = finding("tests", "tests", f"expected 5, got {number} – schade", path="calc.py", line=number)
    failed = Verdict(
        "tests", "command", "failed", 0.5, findings=(wrong,), criteria=(Criterion("tests", "failed", "one test"),),
        evidence=Evidence("pytest -q", 1, "ab" * 32, "1 failed", AT), seconds=1.25,
    )  # fmt: skip
    return [
        ev.IterationStarted(number, "ab" * 32),
        ev.ModelCallReserved(call, "maker", "claude-sonnet-4-5", 12_000, 8192, 158_880_000_000),
        ev.ModelCallSettled(call, Usage(1200, 80), 4_800_000_000, asked=(CallAsked("t1", "bash"),), session="s-1"),
        ev.ToolCallGranted("t1", "bash", "allow:bash"),
        ev.ToolCallFinished("t1", "bash", 0.25, None, "0123456789abcdef"),
        ev.MakerFinished("ended"),
        ev.WorkCommitted("c" * 40, "d" * 40, files=1, added=3, removed=1),
        ev.CheckFinished(failed),
        ev.IterationFinished(number, 0.5, False, "cd" * 32, (Signal("flat_score", 1, "note", "0.5, 0.5"),)),
    ]


def journal_events() -> list[ev.AnyEvent]:
    """A run of three iterations, with a word from a person in it and an event of a version to come."""
    start: list[ev.AnyEvent] = [
        ev.RunQueued("fix-tests", "20261121-0715-a3f9", SETTINGS, "s" * 12, "e" * 12, "h" * 12, "olga"),
        ev.RunnerStarted(123, 1, "boot", "nonce"),
        ev.RunStarted(),
        ev.WorkspacePrepared("/w/fix-tests", "loop/fix-tests/x", "b" * 40, ("no sandbox",)),
    ]
    middle: list[ev.AnyEvent] = [ev.Nudged("Mind the edge case: ≤ 0, ‮and this\x9b", "olga"), LATER]
    end: list[ev.AnyEvent] = [ev.RunEnded("max_iterations", "4 of 4", best=2, commit="c" * 40)]
    return [*start, *_iteration(1), *middle, *_iteration(2), *_iteration(3), *end]


def trace_events(count: int = 12) -> list[tr.AnyTraceEvent]:
    """What such a run leaves in its trace."""
    events: list[tr.AnyTraceEvent] = []
    for number in range(count):
        call = f"call-{number}"
        blocks = (Text(f"Reading number {number}.\nÜber alles."), ToolUse("t1", "bash", '{"command": "pytest -q"}'))
        events += [
            tr.PromptSent(1, "maker", call, "m", (tr.PartNote("system", 1200, "ab" * 32, stable=True),), 3, ("bash", "grep")),
            tr.ModelReplied(1, "maker", call, "m", blocks, "tools", Usage(1200, 80), 1.5, 4_800_000_000),
            tr.ToolCalled(1, "t1", "bash", '{"command": "pytest -q"}'),
            tr.ToolReturned(1, "t1", "bash", f"{'.' * 100}\x1b[31mF\x1b[0m {number}", seconds=0.2),
        ]
    return [*events, LATER, tr.Noted(1, "the end")]


def written(form: LogFormat[Any], path: Path, events: Iterable[Any], *, epoch: int = 1) -> None:
    """Append `events` to the log at `path` in one life."""
    writer = LogWriter.opened(form, path, epoch, unchanged)
    for number, event in enumerate(events):
        add(writer, event, number / 8)
    writer.close()


def add(writer: LogWriter[Any], event: Any, clock: float) -> None:
    """Append an event of any kind."""
    if isinstance(event, Unknown):
        writer.append_many([event], at=AT, clock=clock)
    else:
        writer.append(event, at=AT, clock=clock)


def journal_at(path: Path, events: Sequence[ev.AnyEvent] | None = None, *, epoch: int = 1) -> list[ev.AnyEvent]:
    """A journal of one life at `path`; gives its events."""
    events = journal_events() if events is None else list(events)
    writer = JournalWriter.open(path, epoch, unchanged)
    for number, event in enumerate(events):
        add(writer, event, number / 8)
    writer.close()
    return list(events)
