"""The one thread that reads for the room: all decks, all runs, told by the kernel where it can, looking where it can't.

Invariant: it touches nothing of the room's and hands over frozen snapshots only, never a second one before the first was taken.
Nothing on disk can end it: what can't be read is said in a row or beside the deck.
"""

import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from loopdeck.deck.counting import Counting, Counts
from loopdeck.deck.decks import Deck
from loopdeck.deck.following import Followed
from loopdeck.deck.gathering import Edits, Gathering
from loopdeck.deck.hatch import FRAME_S, Bell, Hatch, Post
from loopdeck.deck.lookout import Lookout
from loopdeck.deck.snapshot import LoopRow
from loopdeck.deck.spotlight import Spotlight

LOOK_S = 0.012
"""What comes a little at a time is read in gulps of so long; what comes thick and fast in frames."""
TICK_S = 2.0
"""How often everything is looked at that may have changed without being told."""
BLIND_S = 0.05
BLIND_REST_S = 0.2
"""How often everything is looked at where nothing is told: while there is something going on, and while there isn't."""
_LIVELY_S = 10.0
_CHORES_S = 0.004
"""How long it may be at its chores in one go: it shares the interpreter with the room."""
_AGAIN_S = 0.02
_FEW = 2


class Reader:
    """Reads `decks` and gives each new state to `post`, which is called in the reader's thread and must only pass it on.

    Whoever gets it says `taken`. `hints=False` reads by looking alone, as on a system that tells nothing. `clock` says which day it is,
    in seconds since the epoch.
    """

    def __init__(self, decks: Sequence[Deck], post: Post, *, hints: bool = True, clock: Callable[[], float] = time.time) -> None:
        self._decks = tuple(decks)
        self._clock = clock
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._stopping = threading.Event()
        self._bell = Bell()
        self._hatch = Hatch(post, self._bell)
        self._lookout: Lookout[object] = Lookout(hints=hints)
        self._gatherings = [Gathering(deck, number, self._lookout, clock) for number, deck in enumerate(self._decks)]
        self._counting = Counting(self._decks, self._counted)
        self._counts: SimpleQueue[tuple[int, Counts, str]] = SimpleQueue()
        self._spotlight = Spotlight(self._gatherings, self._lookout)
        self._poked = True
        self._up = False
        self._few = True
        self._ticked_at = self._looked_at = self._lively_at = 0.0

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns when the thread has ended, or after a second. Not to be started again."""
        self._stopping.set()
        self._bell.ring()
        self._counting.stop()
        if self._thread.ident is not None:
            self._thread.join(1.0)

    def taken(self) -> None:
        """The last snapshot has arrived; the next may come."""
        self._hatch.taken()

    def poke(self) -> None:
        """Look at everything now."""
        self._poked = True
        self._bell.ring()

    def watch(self, key: str | None) -> None:
        """Put the whole run of that row into the snapshots from now on; None for no run.

        A key is a row's, or `DECK/LOOP/RUN` of a row's deck, loop and run: that goes on meaning this run when the loop has a newer one.
        """
        self._spotlight.aim(key)
        self._bell.ring()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._turn()
                except Exception as error:
                    # The room must not go blind for a bug in here: it says so, and looks again.
                    for one in self._gatherings:
                        one.chores.say("reader", f"reading failed: {type(error).__name__}: {error}")
                    self._hatch.stir()
                    self._stopping.wait(TICK_S)
        finally:
            self._lookout.close()
            self._bell.close()

    def _turn(self) -> None:
        told = self._wait()
        now = time.monotonic()
        if told is None or self._poked or now - self._ticked_at >= TICK_S:
            self._tick(now)
        elif self._lookout.blind and now - self._looked_at >= self._pace(now):
            self._look_around(now)
        else:
            self._attend(told)
        if self._up:
            self._do_chores()
        self._up = self._up or (self._hatch.number > 0 and not self._hatch.waits)
        self._take_counts()
        self._hatch.stir(self._spotlight.moved(self._clock()))
        if self._hatch.due() <= time.monotonic():
            rows = (pair for one in self._gatherings for pair in one.rows())
            self._hatch.hand_over(rows, [one.facts() for one in self._gatherings], self._spotlight.details())

    def _wait(self) -> "list[object] | None":
        """Sleep until there is something to do; whom it is about, None if that was lost."""
        if self._poked:
            return []
        until = self._due()
        rested = self._rested()
        if rested > time.monotonic():
            self._bell.wait(min(until, rested))
            if rested > time.monotonic():
                return []
            # What has come meanwhile is read before anything goes out, or else it would go out a frame later.
            until = 0.0
        if not self._bell.wait(until, self._lookout.fileno()):
            return []
        self._looked_at = time.monotonic()
        told = self._lookout.told()
        self._few = told is not None and len(told) <= _FEW
        if told is None:
            return None
        # A word of a journal is by far the most frequent, and all that has to be done about it is to read on.
        return list(dict.fromkeys(one.whom if _quick(one.whom, one.path) else (one.whom,) for one in told))

    def _rested(self) -> float:
        """Until when nothing is read. What comes thick and fast is read just before it can go out: read earlier it would only wait."""
        soonest = self._looked_at + LOOK_S
        return soonest if self._few else max(soonest, min(self._hatch.opens, self._looked_at + FRAME_S))

    def _due(self) -> float:
        """When there is something to do even if nothing happens, on the monotonic clock."""
        now = time.monotonic()
        due = min(self._ticked_at + TICK_S, self._hatch.due())
        if self._lookout.blind:
            due = min(due, self._looked_at + self._pace(now))
        if self._spotlight.behind or (self._up and any(one.chores for one in self._gatherings)):
            due = min(due, now + _AGAIN_S)
        return due

    def _pace(self, now: float) -> float:
        return BLIND_S if now - self._lively_at < _LIVELY_S else BLIND_REST_S

    def _tick(self, now: float) -> None:
        """Look at everything."""
        closely, self._poked = self._poked, False
        for number, one in enumerate(self._gatherings):
            before = _asking(one)
            shows = one.look(self._clock(), closely=closely)
            self._hatch.stir(shows, urgent=bool(_asking(one) - before))
            if self._up:
                self._counting.ask(number, one.ended())
        self._ticked_at = self._looked_at = time.monotonic()

    def _look_around(self, now: float) -> None:
        """Look at what grows."""
        self._looked_at = now
        for one in self._gatherings:
            before = _asking(one)
            shows = one.look(self._clock(), soon=True)
            for run in list(one.followed()):
                shows |= one.refresh(run, self._clock())
            if shows:
                self._lively_at = now
                self._hatch.stir(urgent=bool(_asking(one) - before))

    def _attend(self, told: list[object]) -> None:
        """Look at what has been told of."""
        for whom in told:
            match whom:
                case Followed():
                    self._read_on(whom, look=False)
                case (Followed() as run,):
                    self._read_on(run, look=True)
                case (Gathering() as deck,):
                    self._hatch.stir(deck.look(self._clock(), soon=True))
                case (Edits(deck),):
                    deck.read_again()
                case _:
                    pass

    def _read_on(self, run: Followed, *, look: bool) -> None:
        before = _asks(run.row)
        if self._gatherings[run.row.deck].refresh(run, self._clock(), look=look):
            self._hatch.stir(urgent=bool(_asks(run.row) - before))

    def _do_chores(self) -> None:
        """Some of what could wait until the room was up."""
        until = time.monotonic() + _CHORES_S
        for one in self._gatherings:
            while one.chores and time.monotonic() < until:
                self._hatch.stir(one.chores.do_one())

    def _take_counts(self) -> None:
        while not self._counts.empty():
            number, counts, trouble = self._counts.get()
            deck = self._gatherings[number]
            deck.chores.say("unread lines", trouble)
            deck.owe(counts)
            self._hatch.stir()

    def _counted(self, number: int, counts: Counts, trouble: str) -> None:
        """Called in the thread that counts."""
        self._counts.put((number, counts, trouble))
        self._bell.ring()


def _quick(whom: object, path: object) -> bool:
    return isinstance(whom, Followed) and path == whom.journal


def _asks(row: LoopRow) -> frozenset[str]:
    """What of a row waits for the operator."""
    if row.status != "asking":
        return frozenset()
    return frozenset(f"{row.key} {one.id}" for one in row.approvals) or frozenset((f"{row.key} {row.asking} {row.asking_for}",))


def _asking(deck: Gathering) -> frozenset[str]:
    return frozenset().union(*(_asks(row) for _, row in deck.rows()))
