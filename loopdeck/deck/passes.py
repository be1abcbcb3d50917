"""A run's history by iteration: the values. `deck.chronicle` makes them out of a journal's events.

The fold remembers verdicts and findings of the running iteration only, since that is all a decision needs; here all of them stay with
their iteration. Invariant: what the fold holds is not held a second time; a `Pass` carries the fold's own `Iteration`, and the rest is
what no fold can tell any more.
"""

from collections import Counter
from datetime import datetime
from typing import Literal

from msgspec import Struct

from loopdeck.core.findings import Finding, Verdict
from loopdeck.core.happening import Role
from loopdeck.core.run import Iteration, Run

Awaited = Literal["approval", "verdict", "state", "pause", "hold", "stall", "back_off"]
Deed = Literal["pause", "resume", "hold", "nudge", "set", "stop", "refused"]
Label = Literal[
    "malformed_output",
    "tool_failed",
    "regression",
    "tool_refused",
    "tool_lost",
    "model_failed",
    "runner_died",
    "no_room",
    "check_broke",
]
"""What goes wrong, never mixed up: the model's output, a tool, the work; and gate, provider, runner, budget, a check itself."""


class Wait(Struct, frozen=True):
    """A time the run stood still, in iteration `iteration` (0: before the first), from `at` on; `until` is empty while it lasts.

    `subject` is what it waited for: a tool call, a check, a cause; `answer` what came of it, `by` and `why` are the answering person's.
    """

    iteration: int
    at: str
    awaited: Awaited
    subject: str
    until: str = ""
    answer: str = ""
    by: str = ""
    why: str = ""

    @property
    def of_person(self) -> bool:
        """True if nobody but a person could end it."""
        return self.awaited != "back_off"

    @property
    def seconds(self) -> float | None:
        """How long it took by the clock on the wall; None while it lasts."""
        return between(self.at, self.until)


class Touch(Struct, frozen=True):
    """What a person did without having been asked. `text` is what they said or changed."""

    iteration: int
    at: str
    deed: Deed
    by: str
    text: str = ""


class Trouble(Struct, frozen=True):
    """One thing that went wrong: its label, and what it was in words."""

    iteration: int
    at: str
    label: Label
    text: str


class Bound(Struct, frozen=True):
    """The worst case that a model call was given: tokens in and out, and picodollars (None without a price)."""

    role: Role
    input_bound: int
    output_cap: int
    cost: int | None


class Pass(Struct, frozen=True, eq=False):
    """One iteration, whole. `verdicts` holds the last of each check, `findings` what was open at its end.

    `skipped` are checks that were not run, with why. `state_after` is the hash of the state it left, empty until it has. `told` are the
    operator's words that its maker was given. `over` says that it came to its end.
    """

    iteration: Iteration
    model: str = ""
    verdicts: tuple[Verdict, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    state_after: str = ""
    told: tuple[str, ...] = ()
    over: bool = False

    @property
    def number(self) -> int:
        """Counts from 1."""
        return self.iteration.number

    @property
    def checker_time_share(self) -> float | None:
        """The checks' part of the iteration's active time, in 0..1; None while it goes on."""
        whole = self.iteration.seconds
        return min(1.0, self.iteration.check_seconds / whole) if self.over and whole > 0 else None

    @property
    def new(self) -> int:
        """Findings not seen in the iteration before."""
        return sum(one.seen <= 1 for one in self.findings)

    @property
    def first_failing(self) -> str:
        """The name of the first check that did not pass, by the order in which they ran; empty if there is none."""
        return next((one.check for one in self.verdicts if not one.passed), "")


class History(Struct, frozen=True, eq=False):
    """A run and all its iterations. `last` is the kind of its newest event; `damage` says where the journal can't be read any more.

    `bound` is the worst case of its newest model call.
    """

    run: Run
    passes: tuple[Pass, ...] = ()
    waits: tuple[Wait, ...] = ()
    touches: tuple[Touch, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    last: str = ""
    damage: str = ""
    bound: Bound | None = None

    def at(self, number: int) -> Pass | None:
        """The iteration of that number, if there is one."""
        return next((one for one in self.passes if one.number == number), None)

    def labels(self, number: int) -> Counter[str]:
        """What went wrong in an iteration: how often under each label."""
        counted = Counter[str](one.label for one in self.troubles if one.iteration == number)
        one = self.at(number)
        counted["regression"] += sum(found.regression for found in one.findings) if one else 0
        return +counted

    @property
    def first_failing(self) -> Pass | None:
        """The first iteration in which a check did not pass."""
        return next((one for one in self.passes if one.first_failing), None)


def between(since: str, until: str) -> float | None:
    """Seconds between two times as journals write them (UTC, RFC 3339), never below 0; None if one of them is not there."""
    if not since or not until:
        return None
    return max(0.0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())
