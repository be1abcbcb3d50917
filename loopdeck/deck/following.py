"""One run, followed: what its journal folds to and what is seen of its runner, kept up to date for what has changed alone.

Invariant: after `refresh` the row is the one that a cold look at the run's files would give; only what the journal has gained was
folded for it. Whatever is wrong with the files ends up in the row, as damage, and never as an exception.
"""

import time

from loopdeck.core import events as ev
from loopdeck.core import fold
from loopdeck.core.run import Run
from loopdeck.deck.attention import Order, moment, order
from loopdeck.deck.burn import WINDOW_S, Burn
from loopdeck.deck.facts import UNKNOWN, Facts
from loopdeck.deck.reading import in_hands, named, with_last_words
from loopdeck.deck.rows import SILENT_S, Known, Shipped, Sums, finished, run_row, same, whole
from loopdeck.deck.snapshot import LoopRow
from loopdeck.deck.view import SETTLING_S, Seen, view
from loopdeck.errors import Bug, LoopdeckError
from loopdeck.store import lease
from loopdeck.store.folded import load_run
from loopdeck.store.journal import JOURNAL, JournalTail, tail_journal
from loopdeck.store.layout import RunPaths
from loopdeck.store.locks import is_locked
from loopdeck.store.reading import last
from loopdeck.store.silence import Silence

_RECENT = 400
"""Newest events that are looked through for what was spent in the last minutes before anybody followed."""
_FEW = 1000
_NOBODY = Seen(False, 0.0, 0.0)

_Stamp = tuple[int, int, int] | None


class Followed:
    """One run. `facts`, `shipped` and `edited` are told from outside, followed by `refresh`.

    `today` is what was spent (picodollars) in iterations that began since the `day` of the last `refresh`.
    """

    def __init__(self, paths: RunPaths, key: str, deck: int) -> None:
        self.paths = paths
        # Built once: to put a path together takes longer than to look at it.
        self.journal, self.lease = paths.journal, paths.lease
        self.key = key
        self.facts: Facts = UNKNOWN
        self.shipped = Shipped()
        self.edited = False
        self.newest = True
        self.run = Run()
        self.row = LoopRow(key=key, deck=deck, loop=paths.loop, run=paths.run, dir=str(paths.dir))
        self.order: Order = order(self.row)
        self.folds = 0
        self.today = 0
        self._deck = deck
        self._seen = _NOBODY
        self._silence = Silence()
        self._told: tuple[object, ...] = ()
        self._tail: JournalTail | None = None
        self._stuck: _Stamp = None
        self._damage = ""
        self._sums = Sums()
        self._burn = Burn()
        self._rate = 0

    @property
    def over(self) -> bool:
        """True if its journal says that the run has ended."""
        return self.run.status == "ended"

    def refresh(self, now: float, day: str, *, look: bool = False) -> bool:
        """Take in what is new; True if the row is another one for it. `now` is the time, `day` when it began (UTC, RFC 3339).

        With `look` also at the runner and at whatever tells nobody of itself.
        """
        try:
            return self._refresh(now, day, look)
        except LoopdeckError as error:
            # Rights and disks are mended without a change of the file, so it is tried again.
            return self._bare(error.what, (0, 0, 0))
        except Exception as error:
            # Lines with right checksums that make no sense are damage too, and not the end of all reading.
            return self._bare(f"{self.journal.name} makes no sense: {type(error).__name__}: {error}", self._stamp())

    def remember(self, now: float) -> None:
        """Find what was spent in the last minutes before the run was followed. Raises StoreError."""
        if self._tail is None or self.over or moment(self.run.last_at) <= now - WINDOW_S:
            return
        newest = ((one.at, one.event) for one in last(JOURNAL, self.journal, _RECENT))
        charges = [(moment(at), event.cost) for at, event in newest if isinstance(event, ev.ModelCallSettled) and event.cost]
        self._burn.recall(one for one in charges if one[0] < min(self._burn.first, now))

    def _refresh(self, now: float, day: str, look: bool) -> bool:
        changed = self._take_in(now, look)
        if look or changed:
            self._rate = 0 if self.over or not self._burn else self._burn.rate(moment(self.run.started_at), now)
        told = (self.key, self.facts, self.shipped, self.edited, self._rate, day, self._damage, *_visible(self._seen))
        if not changed and told == self._told:
            return False
        self._told = told
        return self._paint(day)

    def _take_in(self, now: float, look: bool) -> bool:
        # The lease first: a runner that ends between the two looks has written its end by then.
        if look if self._seen.held else not self.over:
            self._seen = self._look()
        if self._tail is None:
            return look and self._load()
        if look and self._tail.mark.offset and not self.journal.exists():
            return self._load()
        changed = False
        generation, damage = self._tail.generation, self._tail.damage
        while entries := self._tail.poll():
            if generation != self._tail.generation:
                generation = self._tail.generation
                self._begin(Run())
            changed = True
            self.folds += 1
            for entry in entries:
                if not self._apply(entry.event, fold.Stamp(entry.at, entry.clock, entry.epoch), entry.seq, now):
                    return True
            if len(entries) < _FEW:
                # That was the end of it, or was a moment ago; whoever writes more tells.
                break
        if damage is not self._tail.damage:
            found = self._tail.damage
            self._damage = f"{self.journal.name}:{found.line}: {found.what}" if found else ""
            changed = True
        return changed

    def _apply(self, event: ev.AnyEvent, stamp: fold.Stamp, seq: int, now: float) -> bool:
        before = self.run.spend.cost - self.run.children_cost
        try:
            fold.apply(self.run, event, stamp)
        except Bug as error:
            self._stop_at(f"{self.journal.name}, event {seq}: {error.what}")
            return False
        cost = self.run.spend.cost - self.run.children_cost - before
        if cost and (at := moment(stamp.at)) > now - WINDOW_S:
            self._burn.add(at, cost)
        return True

    def _load(self) -> bool:
        """The whole run from its checkpoint on, if there is anything to be found that was not there the last time."""
        stamp = self._stamp()
        if self._stuck is not None and stamp == self._stuck:
            return False
        folded = load_run(self.paths)
        self._begin(named(folded.run, self.paths))
        self.folds += 1
        self._damage = folded.damage
        if folded.damage:
            self._stop_at(folded.damage, stamp)
        else:
            self._tail, self._stuck = tail_journal(self.journal, folded.mark), None
        return True

    def _begin(self, run: Run) -> None:
        self.run = named(run, self.paths)
        self._sums = Sums()
        self._burn = Burn()
        self._damage = ""

    def _stop_at(self, damage: str, stamp: _Stamp = None) -> None:
        """Go no further until the file is another one: then it is read from the start."""
        self._damage = damage
        self._tail = None
        self._stuck = stamp or self._stamp()

    def _bare(self, what: str, stamp: _Stamp) -> bool:
        """Show of the run only that it can't be shown."""
        if self._damage == what:
            return False
        self._stop_at(what, stamp)
        self._told = ()
        loop, run = self.paths.loop, self.paths.run
        self.row = LoopRow(
            key=self.key, deck=self._deck, loop=loop, run=run, dir=str(self.paths.dir), attention="broken", damage=what,
        )  # fmt: skip
        self.order = order(self.row)
        return True

    def _look(self) -> Seen:
        path = self.lease
        held = is_locked(path)
        # Who has held it is in the file; it is read until somebody has, and never again.
        begun = held or self._seen.begun
        if not begun:
            now = lease.look(path)
            held, begun = now.held, now.holder is not None
        try:
            silent = self._silence.of(path.stat().st_mtime) if held else 0.0
            age = 0.0 if begun else max(0.0, time.time() - self.paths.dir.stat().st_mtime)
        except OSError:
            return Seen(held, 0.0, 0.0, begun)
        return in_hands(Seen(held, silent, age, begun), self.run, self.paths)

    def _stamp(self) -> _Stamp:
        try:
            found = self.journal.stat()
        except OSError:
            return None
        return (found.st_ino, found.st_size, found.st_ctime_ns)

    def _paint(self, day: str) -> bool:
        self._sums = finished(self.run, self._sums, day)
        seen = with_last_words(view(self.run, self._seen, str(self.paths.dir), damage=self._damage), self.paths)
        known = Known(self.key, self._deck, self.facts, self.shipped, self.edited, self._rate)
        sums = whole(self.run, self._sums)
        self.today = sums.today
        row = run_row(seen, known, sums)
        if same(row, self.row):
            return False
        self.row, self.order = row, order(row)
        return True


def _visible(seen: Seen) -> tuple[bool, bool, bool, int, bool]:
    """What of it shows: that a living runner breathes is no news, nor is how long a run that was just made has been waiting."""
    return (seen.held, seen.begun, seen.tended, int(seen.beat_age_s) if seen.beat_age_s >= SILENT_S else 0, seen.age_s < SETTLING_S)
