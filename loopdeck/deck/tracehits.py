"""A search in a trace, in small steps: from where one looks to the end, then from the beginning to there, then whatever is new.

Invariant: when it has come to the end of its steps, its hits are those of a look at every line.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from loopdeck.store.trace import TraceWindow
from loopdeck.store.window import Found

_AT_ONCE = 2


class Search:
    """The lines that hold `text`. Capital letters count only if there are any in `text`."""

    def __init__(self, window: TraceWindow, text: str, origin: int) -> None:
        self.text = text
        self.any_case = text == text.lower()
        self._window = window
        self._origin = min(origin, window.count())
        # Hits from the origin on, and those before it, which are found later.
        self._after, self._before = array("I"), array("I")
        # True when it has been at the end once: what lies behind the origin is known then.
        self.turned = False
        self._looked = 0
        self._end = window.count()
        self._steps = self._seek(self._origin, self._end)

    def step(self) -> bool:
        """Search a little more; True if there is nothing to search just now. Raises StoreError."""
        for _ in range(_AT_ONCE):
            found = next(self._steps, None)
            if found is None:
                return self._next_stretch()
            self._looked += found.size
            (self._before if self.turned and self._end <= self._origin else self._after).extend(found.numbers)
        return False

    def progress(self) -> float:
        """How much of the trace has been looked at, from 0 to 1."""
        return min(1.0, self._looked / max(1, self._window.known))

    def count(self) -> int:
        """Hits so far."""
        return len(self._after) + len(self._before)

    def holds(self, number: int) -> bool:
        """True if line `number` is known to be a hit."""
        return any(hits[place : place + 1] == array("I", [number]) for hits, place in self._near(number))

    def after(self, number: int) -> int | None:
        """The first hit known behind line `number`."""
        for hits in (self._before, self._after):
            place = bisect_right(hits, number)
            if place < len(hits):
                return int(hits[place])
        return None

    def before(self, number: int) -> int | None:
        """The last hit known in front of line `number`."""
        for hits in (self._after, self._before):
            place = bisect_left(hits, number)
            if place > 0:
                return int(hits[place - 1])
        return None

    def _near(self, number: int) -> Iterator[tuple["array[int]", int]]:
        for hits in (self._before, self._after):
            yield hits, bisect_left(hits, number)

    def _next_stretch(self) -> bool:
        if not self.turned:
            self.turned = True
            self._upto, self._end = self._end, self._origin
            self._steps = self._seek(0, self._origin)
            return False
        if self._window.count() > self._upto:
            first, self._upto = self._upto, self._window.count()
            self._end = self._upto
            self._steps = self._seek(first, self._upto)
            return False
        return True

    def _seek(self, first: int, end: int) -> Iterator[Found]:
        return self._window.seek(self.text, first, end=end, any_case=self.any_case)
