"""Asides put between the lines of a trace by their time: which place shows what. Pure but for who is asked what stands where.

Invariant: taking the asides out again leaves the trace's lines in their order; an aside stands before the first line that was written
at its time or later, and asides of one time keep their order.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from loopdeck.deck.asides import Aside
from loopdeck.deck.tracepick import Choice

_AT_ONCE = 40
"""Asides whose place is looked up in one step of work: each takes a look at a few lines."""

After = Callable[[str, int], int | None]
"""The first of so many lines that was written at a time or later; None if there is none."""


class Weave:
    """The asides of one trace. `version` is another one whenever anything may stand elsewhere than before."""

    def __init__(self) -> None:
        self.version = 0
        # Numbers of lines before which they stand, as far as looked up; until that was done once, the others are not shown.
        self._asides: tuple[Aside, ...] = ()
        self._anchors: list[int] = []
        self._complete = False
        self._searched = -1
        self._visible: list[int] = []
        self._before: list[int] = []
        self._stamp: object = None

    def put(self, asides: tuple[Aside, ...]) -> None:
        """These are all there are now."""
        if asides == self._asides:
            return
        known = len(self._anchors)
        if self._asides[:known] != asides[:known]:
            self._anchors.clear()
        self._asides = asides
        self._again()

    def forget(self) -> None:
        """The trace is another one."""
        self._anchors.clear()
        self._again()

    def _again(self) -> None:
        self._searched = -1
        self._complete = self._complete and bool(self._anchors)
        self._stamp = None
        self.version += 1

    def waits(self, lines: int) -> bool:
        """True if asides have to be looked up, of which none was found behind the last of `lines` before."""
        return len(self._anchors) < len(self._asides) and self._searched != lines

    def look(self, after: After, lines: int) -> None:
        """Look up the next ones. Those behind all `lines` stay at the end, until there are more."""
        before = len(self._anchors), self._complete
        self._look(after, lines)
        self._complete = self._complete or not self.waits(lines)
        if before != (len(self._anchors), self._complete):
            self._stamp = None
            self.version += 1

    def _look(self, after: After, lines: int) -> None:
        for _ in range(_AT_ONCE):
            if len(self._anchors) == len(self._asides):
                return
            found = after(self._asides[len(self._anchors)].at, lines)
            if found is None:
                self._searched = lines
                return
            self._anchors.append(max(found, self._anchors[-1] if self._anchors else 0))

    def settle(self, choice: Choice, numbers: Sequence[int] | None, lines: int) -> None:
        """What is shown are `numbers` (None: all `lines`) and those asides that `choice` takes."""
        stamp = (choice, None if numbers is None else len(numbers), lines)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        known = self._asides if self._complete else self._asides[: len(self._anchors)]
        self._visible = [] if choice.calls else [at for at, one in enumerate(known) if _taken(choice, one)]
        end = lines if numbers is None else len(numbers)
        anchors = (self._anchors[at] if at < len(self._anchors) else lines for at in self._visible)
        self._before = [min(at, end) if numbers is None else bisect_left(numbers, at) for at in anchors]

    def count(self) -> int:
        """How many are shown."""
        return len(self._visible)

    def at(self, place: int) -> int | None:
        """Which aside stands at `place`; None if it is a line of the trace."""
        found = self._rank(place)
        return self._visible[found] if found < len(self._before) and self._before[found] + found == place else None

    def place(self, which: int) -> int | None:
        """Where that aside stands; None if it is not shown."""
        rank = bisect_left(self._visible, which)
        return self._before[rank] + rank if self._visible[rank : rank + 1] == [which] else None

    def inner(self, place: int) -> int:
        """The place of the line at `place` among the lines alone; of an aside, that of the line after it."""
        return place - self._rank(place)

    def outer(self, inner: int) -> int:
        """The place of the line that is at `inner` among the lines alone."""
        return inner + bisect_right(self._before, inner)

    def aside(self, which: int) -> Aside:
        """One of them, by its number."""
        return self._asides[which]

    def _rank(self, place: int) -> int:
        """How many asides stand before `place`."""
        low, high = 0, len(self._before)
        while low < high:
            middle = (low + high) // 2
            if self._before[middle] + middle < place:
                low = middle + 1
            else:
                high = middle
        return low


def _taken(choice: Choice, one: Aside) -> bool:
    return (not choice.kinds or one.kind in choice.kinds) and choice.iteration in (0, one.iteration)
