"""All rows of one deck, kept up to date.

Invariant: what the rows say is what a cold look at the deck would find, but for what still waits as a chore: those are done one at a
time, when there is nothing more urgent, and fill in what takes long to find out.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from loopdeck.deck.attached import Attending
from loopdeck.deck.attention import Order, order
from loopdeck.deck.chores import Chores
from loopdeck.deck.counting import Counts
from loopdeck.deck.decks import Deck
from loopdeck.deck.facts import UNKNOWN, facts_of
from loopdeck.deck.following import Followed
from loopdeck.deck.listing import Listing
from loopdeck.deck.lookout import CONTENTS, EDITED, GROWS, LET_GO, Lookout
from loopdeck.deck.loopfiles import Caps, LoopFiles
from loopdeck.deck.rows import Known, Shipped, bereft_row, idle_row, same
from loopdeck.deck.snapshot import DeckFacts, LoopRow
from loopdeck.deck.tending import supervisor
from loopdeck.errors import LoopdeckError
from loopdeck.store.frozen import thaw
from loopdeck.store.layout import RunPaths

FILES_S = 10.0
"""How often the operator's own files are looked at where nobody tells that they were edited."""


class Edits(NamedTuple):
    """Whom to tell that files of a loop were edited which has a run that goes on."""

    deck: "Gathering"


class Gathering:
    """One deck. Not for several threads at once."""

    def __init__(self, deck: Deck, number: int, lookout: Lookout[object], clock: Callable[[], float] = time.time) -> None:
        self.deck = deck
        self._clock = clock
        self._number = number
        self._lookout = lookout
        self._files = LoopFiles(deck.root)
        self._listing = Listing(deck.home)
        self._runs: dict[RunPaths, Followed] = {}
        # Of loops without a run, and of runs without a folder.
        self._idle: dict[str, tuple[Order, LoopRow]] = {}
        self._attached = Attending(deck.home, lookout, self)
        self.chores = Chores()
        self._caps = Caps()
        self._spent_before: dict[RunPaths, int] = {}
        self._unread = 0
        self._day = ""
        self._looked_at = 0.0
        self._supervised = False
        self._facts = DeckFacts(deck.name, str(deck.root), str(deck.home.path))
        lookout.distrust(deck.home.path)

    def followed(self) -> Iterator[Followed]:
        """The runs that are looked at."""
        yield from self._runs.values()

    def look(self, now: float, *, soon: bool = False, closely: bool = False) -> bool:
        """Look at everything there is; True if something shows. With `soon` only for runs and loops that came or went.

        The operator's own files are looked at `closely`, or when some seconds have gone by.
        """
        self._new_day(now)
        closely = closely or now - self._looked_at >= FILES_S
        changed = self._list(now) | self._attached.look()
        if soon or closely:
            changed |= self._list_idle()
        if soon:
            return changed
        for one in list(self._runs.values()):
            changed |= self.refresh(one, now, look=True)
        if closely:
            self._looked_at = now
            self.read_again()
        self._supervised = supervisor(self.deck.home).awake
        return changed

    def read_again(self) -> None:
        """Put those of the operator's own files on the list of chores that have changed, and what else has to be found out."""
        if self._files.known_caps() is None:
            self.chores.later("caps", self._read_caps)
        for one in self._runs.values():
            if one.facts is UNKNOWN:
                # Its folder was seen before the loop was frozen into it.
                self.chores.later(one.paths, partial(self._learn, one))
            if one.over or not one.run.spec_hash:
                continue
            said = self._files.known(one.paths.loop)
            if said is None:
                self.chores.later(one.paths.loop, partial(self._read_file, one.paths.loop))

    def refresh(self, one: Followed, now: float, *, look: bool = False) -> bool:
        """Take in what is new of one run; True if it shows. Nothing if it is not looked at any more."""
        if one.paths not in self._runs:
            return False
        changed = one.refresh(now, self._day, look=look)
        if look:
            _watch(self._lookout, one)
            if not one.over:
                self._lookout.want(Edits(self), self._files.folder(one.paths.loop), EDITED)
        if changed and one.over and not one.newest:
            self._spent_before[one.paths] = one.today
            self._drop(one)
        return changed

    def rows(self) -> Iterator[tuple[Order, LoopRow]]:
        """All rows, each with what it is sorted by."""
        for one in self._runs.values():
            yield one.order, one.row
        yield from self._idle.values()

    def facts(self) -> DeckFacts:
        """What is to be said of the whole deck; the same object as before if that has not changed."""
        spent = sum(self._spent_before.values()) + sum(one.today for one in self._runs.values())
        known = self._facts
        now = DeckFacts(
            known.name, known.root, known.home, self._supervised, self._unread, self._caps.unread, spent, self._caps.day_cost,
            self.chores.trouble, self._attached.seen,
        )  # fmt: skip
        if _values(now) != _values(known):
            self._facts = now
        return self._facts

    def owe(self, counts: Counts) -> bool:
        """So many lines are unread, and this became of runs; True if it shows."""
        self._unread = sum(counts.lines.values())
        changed = False
        for one in self._runs.values():
            shipped = Shipped(counts.lines.get(one.paths.run, 0), counts.fates.get(one.paths.run, ""))
            if shipped != one.shipped:
                one.shipped = shipped
                changed |= one.refresh(self._clock(), self._day)
        return changed

    def ended(self) -> frozenset[RunPaths]:
        """Those of the runs that are over."""
        return frozenset(paths for paths, one in self._runs.items() if one.over)

    def find(self, loop: str, run: str) -> RunPaths | None:
        """The run of that name, whether it is looked at or not."""
        try:
            paths = self.deck.home.run_dir(loop, run)
        except LoopdeckError:
            return None
        return paths if paths.dir.is_dir() else None

    def _list(self, now: float) -> bool:
        if not self.chores.attempt("runs", self._listing.look) and self._looked_at:
            return False
        for folder in self._listing.folders():
            self._lookout.want(self, folder, CONTENTS)
        changed = False
        wanted = dict(self._listing.wanted())
        for gone in [one for paths, one in self._runs.items() if paths not in wanted]:
            # What it has spent today stays spent, though a newer run has its row.
            self._spent_before[gone.paths] = gone.today
            self._forget(gone)
            changed = True
        for paths, newest in wanted.items():
            changed |= self._follow(paths, newest, now)
        return changed | self._list_idle()

    def _follow(self, paths: RunPaths, newest: bool, now: float) -> bool:
        key = f"{self._number}/{paths.loop}" if newest else f"{self._number}/{paths.loop}/{paths.run}"
        one = self._runs.get(paths)
        if one is not None and one.key == key:
            return False
        if one is None:
            one = self._runs[paths] = Followed(paths, key, self._number)
            self.chores.later(paths, partial(self._learn, one))
        one.key, one.newest = key, newest
        self.refresh(one, now, look=True)
        return True

    def _list_idle(self) -> bool:
        for folder in self._files.folders():
            self._lookout.want(self, folder, CONTENTS)
        running = self._listing.loops()
        names = [name for name in self._files.names() if name not in running]
        changed = False
        rows: dict[str, tuple[Order, LoopRow]] = {}
        for name in names:
            said = self._files.known(name)
            if said is None:
                self.chores.later(name, partial(self._read_file, name))
            facts = UNKNOWN if said is None else said.facts
            row = idle_row(Known(f"{self._number}/{name}", self._number, facts), name)
            before = self._idle.get(name)
            if before is not None and (said is None or same(before[1], row)):
                rows[name] = before
            else:
                rows[name], changed = (order(row), row), True
        for paths in self._listing.bereft():
            key = f"{self._number}/{paths.loop}/{paths.run}"
            row = bereft_row(Known(key, self._number), paths, str(self.deck.home.worktree(paths.loop, paths.run)))
            rows[key] = self._idle.get(key) or (order(row), row)
        changed = changed or rows.keys() != self._idle.keys()
        self._idle = rows
        return changed

    def _learn(self, one: Followed) -> bool:
        """What a run was frozen with, and what it spent before anybody looked."""
        with suppress(LoopdeckError):
            one.facts = facts_of(thaw(one.paths.dir).spec)
        now = self._clock()
        one.remember(now)
        return self.refresh(one, now, look=True)

    def _read_file(self, loop: str) -> bool:
        said = self._files.read(loop)
        changed = False
        for one in self._runs.values():
            if one.paths.loop == loop:
                one.edited = bool(one.run.spec_hash) and not one.over and said.spec_hash != one.run.spec_hash
                changed |= one.refresh(self._clock(), self._day)
        return self._list_idle() or changed

    def _read_caps(self) -> bool:
        self._caps = self._files.read_caps()
        self.chores.say("deck.toml", self._caps.trouble)
        return True

    def _new_day(self, now: float) -> None:
        midnight = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
        day = midnight.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if day != self._day:
            self._day = day
            self._spent_before = {}
            self.chores.later("today", partial(self._count_today, midnight.timestamp()))

    def _count_today(self, midnight: float) -> bool:
        for paths in self._listing.ended_since(midnight):
            if paths not in self._spent_before:
                one = Followed(paths, "", self._number)
                one.refresh(midnight, self._day, look=True)
                self._spent_before[paths] = one.today
        return True

    def _drop(self, one: Followed) -> None:
        self._listing.past(one.paths)
        self._forget(one)

    def _forget(self, one: Followed) -> None:
        del self._runs[one.paths]
        _unwatch(self._lookout, one)


def _values(facts: DeckFacts) -> tuple[object, ...]:
    return tuple(getattr(facts, name) for name in facts.__struct_fields__)


def _watch(lookout: Lookout[object], one: Followed) -> None:
    """Be told when there is more of a run that goes on, and when its runner is gone."""
    if one.over and not one.row.live:
        _unwatch(lookout, one)
        return
    lookout.want(one, one.journal, GROWS)
    lookout.want(one, one.lease, LET_GO)
    if one.run.life:
        lookout.forget(one.paths.dir)
    else:
        lookout.want(one, one.paths.dir, CONTENTS)


def _unwatch(lookout: Lookout[object], one: Followed) -> None:
    for path in (one.journal, one.lease, one.paths.dir):
        lookout.forget(path)
