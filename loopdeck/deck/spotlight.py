"""The one run that a screen shows whole: a copy of it, made again whenever it has changed.

Invariant: what was handed out is nobody else's; the run that the reader goes on folding never leaves its thread.
"""

from collections.abc import Sequence

import msgspec

from loopdeck.core.run import Run
from loopdeck.deck.following import Followed
from loopdeck.deck.gathering import Gathering
from loopdeck.deck.lookout import GROWS, Lookout
from loopdeck.deck.snapshot import Detail
from loopdeck.errors import LoopdeckError
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import TraceWindow, window_on_trace

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Run).decode
_GULP = 1 << 22
"""Bytes of a trace whose lines are counted in one go."""


class Spotlight:
    """Follows what `aim` names, among the runs of `decks` or beside them."""

    def __init__(self, decks: Sequence[Gathering], lookout: Lookout[object]) -> None:
        self._decks = decks
        self._lookout = lookout
        self._wanted: str | None = None
        self._aimed: str | None = None
        self._apart: Followed | None = None
        self._window: TraceWindow | None = None
        self._traced: RunPaths | None = None
        self._folds: tuple[RunPaths | None, int, int] = (None, -1, -1)
        self._lines = 0
        self._detail: Detail | None = None
        self.behind = False

    def aim(self, key: str | None) -> None:
        """Show that run from now on. May be called in any thread."""
        self._wanted = key

    def details(self) -> tuple[Detail, ...]:
        """What is shown: none or one; the same object as long as nothing has changed."""
        return () if self._detail is None else (self._detail,)

    def moved(self, now: float) -> bool:
        """Look again; True if there is something else to show."""
        key = self._wanted
        if key != self._aimed:
            self._aimed, self._apart = key, None
        one = self._find(key, now) if key else None
        self._trace_of(one.paths if one else None)
        if one is None or key is None:
            gone = self._detail is not None
            self._detail, self._folds = None, (None, -1, -1)
            return gone
        self._count()
        state = (one.paths, one.folds, self._lines)
        if state == self._folds and self._detail is not None and self._detail.key == key:
            return False
        run = self._detail.run if self._detail is not None and state[:2] == self._folds[:2] else _decode(_encode(one.run))
        self._folds = state
        self._detail = Detail(key, run, self._lines)
        return True

    def _find(self, key: str, now: float) -> Followed | None:
        number, _, rest = key.partition("/")
        loop, _, run = rest.partition("/")
        if not number.isdecimal() or int(number) >= len(self._decks):
            return None
        deck = self._decks[int(number)]
        for one in deck.followed():
            if one.key == key or (run and (one.paths.loop, one.paths.run) == (loop, run)):
                return one
        if self._apart is None and run and (paths := deck.find(loop, run)) is not None:
            # An older run that is over: it is read once.
            self._apart = Followed(paths, key, int(number))
            self._apart.refresh(now, "", look=True)
        return self._apart

    def _trace_of(self, paths: RunPaths | None) -> None:
        if paths == self._traced:
            return
        if self._window is not None and self._traced is not None:
            self._lookout.forget(self._traced.trace)
            self._window.close()
        self._traced, self._lines, self.behind = paths, 0, False
        self._window = None if paths is None else window_on_trace(paths.trace)

    def _count(self) -> None:
        """Lines of the trace so far; a long one is counted in several gulps, and until then this is `behind`."""
        if self._window is None or self._traced is None:
            return
        self._lookout.want(self, self._traced.trace, GROWS)
        try:
            self.behind = not self._window.grow(_GULP)
        except LoopdeckError:
            self.behind = False
            return
        self._lines = self._window.count()
