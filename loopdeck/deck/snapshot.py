"""What the room shows at one moment: plain, frozen values, made by the one reader thread and handed over whole.

Invariant: nothing in here is ever changed after it was handed over, and a row that did not change is the same object in the next
snapshot. So "is it new?" is a question of identity; none of these compares by value.
"""

from typing import Literal, Protocol

from msgspec import Struct

from loopdeck.core.happening import Reason, Settings, Walls
from loopdeck.core.lifecycle import Phase, Status
from loopdeck.core.run import Approval, Run
from loopdeck.core.usage import Certainty, Usage
from loopdeck.store.sessions import Session

Attention = Literal["asking", "broken", "waiting", "unread", "working", "queued", "quiet"]
"""Who needs the operator, most urgent first: asks him; hung, lost or in error; stands still; ended with work nobody has read; …"""
Fate = Literal["merged", "discarded", "waits", ""]
"""What became of a run's changes: in a branch of the operator's; dropped; done and to be merged; nothing yet, or there are none."""


class DeckFacts(Struct, frozen=True, eq=False):
    """One deck: its name, checkout and home; `unread_cap` is `max_unread_lines`; `trouble` is what can't be read, in words.

    `sessions` are those of agents that were started elsewhere and tell of themselves by a hook, the newest last.
    """

    name: str
    root: str
    home: str
    supervised: bool = False
    unread: int = 0
    unread_cap: int | None = None
    day_cost: int = 0
    day_cap: int | None = None
    trouble: tuple[str, ...] = ()
    sessions: tuple[Session, ...] = ()


class LoopRow(Struct, frozen=True, eq=False, kw_only=True):
    """One run, or a loop without any (`run` is empty then). Times are seconds since the epoch, money is picodollars, texts are raw.

    `rate` is money an hour over the last minutes; `since_progress` is what was spent since the score last rose; `checker_cost` and
    `checker_s` are the checks' part of cost and of active time; `touches` counts what people had to do for it; `alone_s` is its
    longest stretch without one. `layers` are those of the four that are on. `refused` are the newest commands that had no effect.
    """

    key: str
    deck: int
    loop: str
    run: str = ""
    status: Status = "idle"
    reason: Reason | None = None
    phase: Phase | None = None
    attention: Attention = "quiet"
    iteration: int = 0
    settings: Settings = Settings(max_iterations=0)
    scores: tuple[float | None, ...] = ()
    usage: Usage = Usage()
    cost: int | None = 0
    certainty: Certainty = "metered"
    reserved: int = 0
    rate: int = 0
    since_progress: int = 0
    checker_cost: int = 0
    checker_s: float = 0.0
    clock_s: float = 0.0
    tool_calls: int = 0
    last_at: float = 0.0
    started_at: float = 0.0
    ended_at: float = 0.0
    beat_age_s: float = 0.0
    live: bool = False
    why: str = ""
    asking: str = ""
    asking_for: str = ""
    approvals: tuple[Approval, ...] = ()
    pausing: bool = False
    held: bool = False
    open_findings: int = 0
    unread: int = 0
    fate: Fate = ""
    agent: str = ""
    model: str = ""
    by: str = ""
    trigger: str = ""
    level: str = ""
    walls: Walls = ""
    layers: tuple[int, ...] = ()
    touches: int = 0
    alone_s: float = 0.0
    branch: str = ""
    worktree: str = ""
    dir: str = ""
    damage: str = ""
    edited: bool = False
    refused: tuple[tuple[str, str], ...] = ()


class Detail(Struct, frozen=True, eq=False):
    """One run whole, for the screen that asked for it: a copy nobody else holds, and how many lines its trace has."""

    key: str
    run: Run
    trace_lines: int = 0


class Snapshot(Struct, frozen=True, eq=False):
    """Everything at one moment. `taken` is seconds since the epoch; `number` counts up; `details` are of the runs that are watched."""

    number: int
    taken: float
    decks: tuple[DeckFacts, ...]
    rows: tuple[LoopRow, ...]
    details: tuple[Detail, ...] = ()

    def row(self, key: str) -> LoopRow | None:
        """The row of that key, if it is there."""
        return next((one for one in self.rows if one.key == key), None)

    def detail(self, key: str) -> Detail | None:
        """The watched run of that key, if it is there."""
        return next((one for one in self.details if one.key == key), None)


NOTHING = Snapshot(0, 0.0, (), ())
"""Before anything was read."""


class Watcher(Protocol):
    """Who makes snapshots, in a thread of its own, and hands each to the room; never another before that one was `taken`."""

    def start(self) -> None:
        """Begin to look."""
        ...

    def stop(self) -> None:
        """Look no more."""
        ...

    def taken(self) -> None:
        """The last snapshot has arrived."""
        ...

    def poke(self) -> None:
        """Look now."""
        ...

    def watch(self, key: str | None) -> None:
        """Put the whole run of that row into the snapshots from now on; None for no run."""
        ...
