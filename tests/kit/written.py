"""Runs that nobody runs: journal, trace and lease written through the store as a runner would write them, as fast as one likes.

Invariant: what is written folds without a complaint, so that whatever reads it can't tell it from a real run's.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.conversation import Text, ToolUse
from loopdeck.core.findings import Evidence, Verdict, finding
from loopdeck.core.happening import CallAsked, Reason, Settings
from loopdeck.core.usage import Usage
from loopdeck.deck.decks import Deck
from loopdeck.store.folded import load_run, save_checkpoint
from loopdeck.store.journal import JournalWriter
from loopdeck.store.layout import RunPaths, claim_run
from loopdeck.store.lease import Lease
from loopdeck.store.trace import TraceWriter

SETTINGS = Settings(max_iterations=50, max_cost=2 * 10**12, model="claude-sonnet-4-5")
CALLS = 6
"""Model calls of an iteration, each but the last with a tool call."""
Step = tuple[ev.Event, tr.TraceEvent]


def unchanged(data: bytes) -> bytes:
    """A redactor that finds nothing."""
    return data


def stamp(moment: float | None = None) -> str:
    """A time (now, if none is given) as journals have it."""
    at = datetime.fromtimestamp(time.time() if moment is None else moment, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class WrittenRun:
    """One run of `loop`, new in the deck. `live` holds its lease; `close` gives back everything. It lives `ago_s` seconds behind us."""

    def __init__(self, deck: Deck, loop: str, *, live: bool = True, settings: Settings = SETTINGS, ago_s: float = 0.0) -> None:
        self._ago_s = ago_s
        self.paths: RunPaths = claim_run(deck.home, loop, datetime.now(UTC))
        self.lease = Lease.take(self.paths.lease)
        assert self.lease is not None
        self.journal = JournalWriter.open(self.paths.journal, 1, unchanged)
        self.trace = TraceWriter.open(self.paths.trace, 1, unchanged)
        self.clock = 0.0
        self.settings = settings
        self.iteration = 0
        self.steps = self._steps()
        self.tell(
            ev.RunQueued(loop, self.paths.run, settings, "s" * 64, "e" * 64, "h" * 64, "olga"), ev.RunnerStarted(1, 1, "boot", "n")
        )
        if not live:
            self.lease.release()

    def tell(self, *events: ev.Event, at: str = "") -> "WrittenRun":
        """Write these into the journal, each a second of active time after the one before."""
        for event in events:
            self.clock += 1
            self.journal.append(event, at=at or self.now(), clock=self.clock)
        return self

    def now(self) -> str:
        """The time it has, as journals have it."""
        return stamp(time.time() - self._ago_s)

    def begun(self) -> "WrittenRun":
        """It has its place and its worktree."""
        loop, run = self.paths.loop, self.paths.run
        return self.tell(ev.RunStarted(), ev.WorkspacePrepared(f"/w/{loop}-{run}", f"loop/{loop}/{run}", "b" * 40))

    def go_on(self, steps: int = 1) -> "WrittenRun":
        """Write so many more events of a busy run, each with a line of the trace."""
        for _ in range(steps):
            event, traced = next(self.steps)
            self.clock += 0.05
            at = self.now()
            self.trace.append(traced, at=at, clock=self.clock)
            self.journal.append(event, at=at, clock=self.clock)
        return self

    def ask(self, approval: str = "a1", command: str = "git push") -> "WrittenRun":
        """Its maker, in an iteration of its own, wants what a person has to allow."""
        self.iteration += 1
        return self.tell(
            ev.IterationStarted(self.iteration, "ab" * 32),
            ev.ModelCallReserved("ask", "maker", "m", 100, 50, 1_000_000),
            ev.ModelCallSettled("ask", Usage(90, 40), 900_000, asked=(CallAsked("push", "bash"),)),
            ev.ApprovalRequested(approval, "push", "bash", command, f'{{"command": "{command}"}}', "/w", "bash", "high", "d1"),
        )

    def end(self, reason: Reason = "done", *, checkpoint: bool = True) -> "WrittenRun":
        """It is over; its runner leaves."""
        self.tell(ev.RunEnded(reason, best=1, commit="c" * 40))
        if checkpoint:
            self.checkpoint()
        self.close()
        return self

    def checkpoint(self) -> None:
        """Keep the fold, as a runner does now and then."""
        save_checkpoint(self.paths, load_run(self.paths).run, self.journal)

    def close(self) -> None:
        """Its runner is gone."""
        self.journal.close()
        self.trace.close()
        if self.lease is not None:
            self.lease.release()

    def _steps(self) -> Iterator[Step]:
        call = 0
        while True:
            self.iteration += 1
            number = self.iteration
            yield ev.IterationStarted(number, "ab" * 32), tr.StateRead(number, "maker", "ab" * 32)
            for turn in range(CALLS):
                call += 1
                yield from _turn(number, f"call-{call}", more=turn < CALLS - 1)
            yield ev.MakerFinished("ended"), tr.Noted(number, "the maker's part is over")
            commit = f"{number:040x}"
            yield ev.WorkCommitted(commit, f"{number:040x}", files=2, added=30, removed=4), tr.Committed(number, commit, 2, 30, 4)
            score = round(1 - 1 / (1 + number % 9), 3)
            wrong = finding("tests", "tests", f"expected {number}, got 4", path="calc.py", line=number)
            proof = Evidence("pytest -q", 1, "ab" * 32, "1 failed", stamp())
            yield (
                ev.CheckFinished(Verdict("tests", "command", "failed", score, findings=(wrong,), evidence=proof, seconds=1.25)),
                tr.CheckRan(number, "tests", "failed", score, 1.25, commit, "pytest -q", 1, tail="1 failed", findings=1),
            )
            yield ev.IterationFinished(number, score, False, "cd" * 32), tr.StateWritten(number, "maker", "cd" * 32)


def _turn(number: int, call: str, *, more: bool) -> Iterator[Step]:
    usage, cost = Usage(1200, 80, 400, 0), 4_800_000_000
    tool = f"t-{call}"
    asked = (CallAsked(tool, "bash"),) if more else ()
    prompt = tr.PromptSent(number, "maker", call, "claude-sonnet-4-5", (tr.PartNote("system", 1200, "ab" * 32, stable=True),), 3)
    yield ev.ModelCallReserved(call, "maker", "claude-sonnet-4-5", 12_000, 8192, 158_880_000_000), prompt
    said = (Text(f"Reading what {call} is about.\nThen the tests."), ToolUse(tool, "bash", '{"command": "pytest -q"}'))
    yield (
        ev.ModelCallSettled(call, usage, cost, asked=asked, stop="tools" if more else "end"),
        tr.ModelReplied(number, "maker", call, "claude-sonnet-4-5", said, "tools" if more else "end", usage, 1.5, cost),
    )
    if more:
        yield ev.ToolCallGranted(tool, "bash", "allow:bash"), tr.ToolCalled(number, tool, "bash", '{"command": "pytest -q"}')
        out = f"{'.' * 60}F  expected 5, got 4 in test_calc.py::test_{call}"
        yield ev.ToolCallFinished(tool, "bash", 0.25, None, f"{call:>16}"), tr.ToolReturned(number, tool, "bash", out, seconds=0.25)
