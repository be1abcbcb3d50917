"""The approvals inbox as plain values: what waits in which loop, what came of the answered ones, and when a key may answer. Pure.

Invariant: nobody can answer what he can't have read. A call that has just come before him takes no answer for `READY_S`, and is not
allowed before every line of it has been on the screen; a dangerous one takes two different keys.
"""

import json
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from loopdeck.core.commands import Decide
from loopdeck.core.plural import some
from loopdeck.core.run import Approval
from loopdeck.deck.attention import moment
from loopdeck.deck.snapshot import LoopRow, Snapshot

READY_S = 0.5
"""For so long keys that were meant for something else don't answer."""
FADE_S = 6.0
"""For so long an answered one is still shown, with what came of it."""
ARMED_S = 5.0
"""Within this time after the first key comes the second, which allows a dangerous call."""


class Waiting(Struct, frozen=True, eq=False):
    """A call that waits for a person, with the row of its run."""

    key: str
    row: LoopRow
    approval: Approval

    @property
    def same(self) -> str:
        """The same for calls that are equal: the same tool with the same arguments."""
        return f"{self.approval.tool} {_canonical(self.approval.arguments)}"

    def expired(self, now: float) -> bool:
        """True if it can only be denied by now; `now` is seconds since the epoch."""
        return bool(self.approval.expires) and moment(self.approval.expires) <= now


class Outcome(NamedTuple):
    """What came of a call: `word` is approved, denied, or what became of its run; `by` is empty where nobody answered."""

    word: str
    by: str = ""
    why: str = ""
    at: str = ""


class Entry(Struct, frozen=True, eq=False):
    """A line of the inbox; `gone_at` is when it stopped waiting, None as long as its run does."""

    waiting: Waiting
    outcome: Outcome | None = None
    gone_at: float | None = None

    @property
    def open(self) -> bool:
        """True if it can be answered."""
        return self.outcome is None and self.gone_at is None


def waiting(snapshot: Snapshot) -> tuple[Waiting, ...]:
    """Every call that waits, oldest first. A run that is being stopped, or has ended, waits for nobody; one without a runner does."""
    found = [
        Waiting(f"{row.deck}/{row.loop}/{one.id}", row, one)
        for row in snapshot.rows
        if row.status != "stopping" and (row.status != "ended" or row.reason == "lost")
        for one in row.approvals
    ]
    return tuple(sorted(found, key=lambda one: (one.approval.since, one.key)))


def outcome_of(command: Decide) -> Outcome:
    """What an answer comes to."""
    word = "denied" if not command.approved else "approved as edited" if command.arguments else "approved"
    return Outcome(word + (" as a rule" if command.always else ""), command.by, command.why, command.at)


class Inbox:
    """What the screen lists. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def take(self, snapshot: Snapshot, now: float) -> tuple[Waiting, ...]:
        """Take in what waits now; returns those that wait no more and of which nobody has said why."""
        present = {one.key: one for one in waiting(snapshot)}
        vanished = []
        for key, entry in self._entries.items():
            if key not in present and entry.gone_at is None:
                self._entries[key] = Entry(entry.waiting, entry.outcome, now)
                if entry.outcome is None:
                    vanished.append(entry.waiting)
        for key, one in present.items():
            known = self._entries.get(key)
            if known is None or known.gone_at is not None or known.waiting.row is not one.row:
                self._entries[key] = Entry(one, known.outcome if known and known.gone_at is None else None)
        self._entries = {key: one for key, one in self._entries.items() if one.gone_at is None or 0 <= now - one.gone_at < FADE_S}
        return tuple(vanished)

    def tell(self, key: str, outcome: Outcome) -> None:
        """What came of one of them."""
        if key in self._entries:
            old = self._entries[key]
            self._entries[key] = Entry(old.waiting, outcome, old.gone_at)

    def entries(self) -> tuple[Entry, ...]:
        """All that are shown, oldest question first: an answered one keeps its place until it is gone."""
        return tuple(sorted(self._entries.values(), key=lambda one: (one.waiting.approval.since, one.waiting.key)))

    def entry(self, key: str) -> Entry | None:
        """The one of that key."""
        return self._entries.get(key)

    def equals(self, key: str) -> tuple[Waiting, ...]:
        """Those that can be answered and are equal to the one of that key, itself first."""
        one = self._entries.get(key)
        if one is None or not one.open:
            return ()
        others = [each.waiting for each in self.entries() if each.open and each.waiting.key != key]
        return (one.waiting, *(each for each in others if each.same == one.waiting.same))

    def after(self, key: str) -> str:
        """The next one that can be answered, after that key and else from the top; the key itself if there is none."""
        keys = [one.waiting.key for one in self.entries()]
        at = keys.index(key) + 1 if key in keys else 0
        return next((one for one in (*keys[at:], *keys[:at]) if self._entries[one].open), key)


class Guard:
    """Whether what is before the reader may be answered yet. Lines count from 0; times are seconds of any one clock."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._total: int | None = None
        self._read = 0
        self._armed_at: float | None = None

    def hide(self) -> None:
        """Nothing can be read."""
        self._since = self._total = self._armed_at = None
        self._read = 0

    def face(self, now: float) -> None:
        """It has come before the reader, now or again; what he has read of it he has read."""
        self._since, self._armed_at = now, None

    def on_screen(self, first: int, end: int, total: int) -> None:
        """The lines from `first` to before `end` of `total` can be read. Those after a gap don't count before the gap is read."""
        if total != self._total:
            self._total, self._read = total, 0
        if first <= self._read:
            self._read = max(self._read, min(end, total))

    @property
    def hidden(self) -> bool:
        """True before it has come to the screen."""
        return self._since is None

    @property
    def read(self) -> int:
        """How many lines from the first on have been on the screen."""
        return self._read

    @property
    def unread(self) -> int:
        """Lines that have not been on the screen."""
        return 0 if self._total is None else self._total - self._read

    def fresh(self, now: float) -> bool:
        """True if it has only just come, so that a key may have been meant for something else."""
        return self._since is None or not now - self._since >= READY_S

    def refusal(self, now: float, *, allows: bool) -> str:
        """Why a key that answers does nothing; empty if it may. `allows`: the answer would let the call run."""
        if self._total is None or self._since is None:
            return "it is not on the screen yet"
        if now < self._since:
            self._since = now
        if self.fresh(now):
            return "it has only just come: look at it first"
        if allows and self.unread:
            return f"{some(self.unread, 'line of it has', 'lines of it have')} not been on the screen: space shows the next"
        return ""

    def arm(self, now: float) -> None:
        """The first of the two keys for a dangerous call."""
        self._armed_at = now

    def armed(self, now: float) -> bool:
        """True if the second key may follow."""
        return self._armed_at is not None and 0 <= now - self._armed_at <= ARMED_S


@lru_cache(maxsize=512)
def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return arguments
