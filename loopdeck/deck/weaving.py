"""Asides put between the lines of a trace by their time: which place shows what. Pure but for who is asked what stands where.

Invariant: taking the asides out again leaves the trace's lines in their order; an aside stands before the first line that was written
at its time or later, and asides of one time keep their order.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from loopdeck.deck.asides import Aside
from loopdeck.deck.tracepick import Choice, Picked

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


class Show(NamedTuple):
    """What is shown of a trace of `total` lines: the `numbers` of those `picked` by `choice` (None: all); `settled` once known."""

    settled: bool
    choice: Choice
    numbers: Sequence[int] | None
    total: int
    picked: Picked | None = None

    def lines(self) -> int:
        """How many lines are shown."""
        return self.total if self.numbers is None else len(self.numbers)


class Places:
    """Which place shows what: lines of the trace by their numbers, and asides between them. `show` says what is shown just now."""

    def __init__(self, weave: Weave, show: Callable[[], Show]) -> None:
        self._weave = weave
        self._show = show

    @property
    def version(self) -> int:
        """Another number whenever asides came to stand elsewhere."""
        return self._weave.version

    def put(self, asides: tuple[Aside, ...]) -> None:
        """These are to stand between the lines; where, the trace's `work` finds out."""
        self._weave.put(asides)

    def count(self) -> int:
        """Lines and asides that are shown."""
        return self._settled().lines() + self._weave.count()

    def lines(self) -> int:
        """Lines that are shown."""
        return self._show().lines()

    def number(self, place: int) -> int:
        """The number of the line shown at `place`, from 0; of an aside, that of the line before it."""
        show = self._settled()
        inner = self._weave.inner(place) - (self._weave.at(place) is not None)
        inner = max(0, min(inner, show.lines() - 1))
        return inner if show.numbers is None or not show.numbers else int(show.numbers[inner])

    def key(self, place: int) -> int:
        """As `number`, but different for everything that is shown: an aside's is below 0."""
        self._settled()
        which = self._weave.at(place)
        return self.number(place) if which is None else -1 - which

    def place(self, number: int) -> int:
        """Where line `number` is shown, or the next one after it that is; at most the last place."""
        show = self._settled()
        inner = number if show.picked is None else show.picked.place(number)
        inner = max(0, min(inner, show.lines() - 1))
        return self._weave.outer(inner) if show.lines() else 0

    def place_of(self, key: int) -> int:
        """Where that stands which has the `key`; near to it, if it is not shown."""
        self._settled()
        found = self._weave.place(-1 - key) if key < 0 else None
        return self.place(max(0, key)) if found is None else found

    def aside(self, place: int) -> Aside | None:
        """The aside at `place`, if one stands there."""
        self._settled()
        which = self._weave.at(place)
        return None if which is None else self._weave.aside(which)

    def _settled(self) -> Show:
        """What is shown, with the weave as it fits that; there are no asides until all lines are counted."""
        show = self._show()
        if show.settled:
            self._weave.settle(show.choice, show.numbers, show.total)
        return show
