"""Which lines of a trace are shown, and in which order, found out from their glances alone, as far as those were taken.

Invariant: what was picked is exactly what looking at every line would pick. A line that can't be read fits every choice: damage is
never filtered away.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import compress, pairwise

from msgspec import Struct

from loopdeck.store.glances import DAMAGED, Glance, Glances

CALLS = frozenset({"model_replied", "model_failed", "tool_called", "tool_returned", "check_ran"})
"""What the tree of calls is made of: turns, what they ask for, what came of it, and the checks after them."""

CallOf = Callable[[int], str]
"""The id of the tool call that a line is about; empty if it is about none."""


class Choice(Struct, frozen=True):
    """What to show: these kinds (none: all), this iteration (0: all); `calls` is the tree of calls."""

    kinds: frozenset[str] = frozenset()
    iteration: int = 0
    calls: bool = False

    @property
    def everything(self) -> bool:
        """True if nothing is left out and the order is the file's."""
        return self == Choice()

    def takes(self, glance: Glance) -> bool:
        """True if lines of that glance are shown."""
        if glance == DAMAGED:
            return True
        kinds = self.kinds & CALLS if self.kinds and self.calls else self.kinds or (CALLS if self.calls else None)
        return (kinds is None or glance.kind in kinds) and self.iteration in (0, glance.iteration)


class Picked:
    """The numbers of the lines that `takes` takes, in order."""

    def __init__(self, glances: Glances, takes: Callable[[Glance], bool]) -> None:
        self.numbers = array("I")
        self._glances = glances
        self._takes = takes
        self._upto = 0
        self._judged = 0
        self._wanted: set[int] = set()

    @property
    def upto(self) -> int:
        """How many lines of the trace were looked at."""
        return self._upto

    def grow(self, lines: int) -> bool:
        """Look at up to so many more lines; True if all that were glanced at were looked at."""
        first, end = self._upto, min(self._glances.count(), self._upto + lines)
        self._judge()
        wanted = map(self._wanted.__contains__, self._glances.codes[first:end])
        self._add(list(compress(range(first, end), wanted)))
        self._upto = end
        return end >= self._glances.count()

    def place(self, number: int) -> int:
        """The place of line `number`, or of the first one after it that was picked."""
        return bisect_left(self.numbers, number)

    def _judge(self) -> None:
        table = self._glances.table
        self._wanted.update(code for code in range(self._judged, len(table)) if self._takes(table[code]))
        self._judged = len(table)

    def _add(self, numbers: list[int]) -> None:
        self.numbers.extend(numbers)


class Calls(Picked):
    """The tree of calls: each result right after its call, however many calls ran beside one another.

    A turn's calls are put in order when they are out of it, which only agents that call several tools at once make them be.
    """

    def __init__(self, glances: Glances, takes: Callable[[Glance], bool], call_of: CallOf) -> None:
        super().__init__(glances, takes)
        self._call_of = call_of
        self._sorted = True
        # Where the last turn begins, and its lines in the file's order: it may not be over.
        self._from = 0
        self._turn: list[int] = []

    def place(self, number: int) -> int:
        """The place of line `number`, or of one near to where it would be."""
        near = super().place(number)
        if self._sorted or self.numbers[near : near + 1] == array("I", [number]):
            return near
        try:
            return self.numbers.index(number)
        except ValueError:
            return near

    def _add(self, numbers: list[int]) -> None:
        glances = self._glances
        del self.numbers[self._from :]
        for number in numbers:
            glance = glances.of(number)
            if glance is not None and not glance.kind.startswith("tool_"):
                self._close()
            self._turn.append(number)
        self.numbers.extend(self._ordered(self._turn))

    def _close(self) -> None:
        self.numbers.extend(self._ordered(self._turn))
        self._from = len(self.numbers)
        self._turn = []

    def _ordered(self, turn: list[int]) -> list[int]:
        kinds = [glance.kind for number in turn if (glance := self._glances.of(number)) is not None]
        if not _muddled(kinds):
            return turn
        self._sorted = False
        return in_tree(turn, self._call_of)


class Picks:
    """What is picked of one trace: what is `shown` (None: every line), and other lists that are kept under a name."""

    def __init__(self, glances: Glances, call_of: CallOf) -> None:
        self.shown: Picked | None = None
        self._glances = glances
        self._call_of = call_of
        self._marks: dict[str, Picked] = {}

    def choose(self, choice: Choice) -> None:
        """Begin to pick what is shown from now on."""
        if choice.everything:
            self.shown = None
        elif choice.calls:
            self.shown = Calls(self._glances, choice.takes, self._call_of)
        else:
            self.shown = Picked(self._glances, choice.takes)

    def marked(self, name: str, takes: Callable[[Glance], bool]) -> Picked:
        """The list of that name; begun, if there is none."""
        if name not in self._marks:
            self._marks[name] = Picked(self._glances, takes)
        return self._marks[name]

    def forget(self) -> None:
        """The trace is another one: no named list holds any more."""
        self._marks.clear()

    def upto(self, lines: int) -> int:
        """Up to which of so many lines all lists are complete."""
        return min((one.upto for one in self._all()), default=lines)

    def grow(self, lines: int) -> None:
        """Look at up to so many more lines for each list."""
        for one in self._all():
            one.grow(lines)

    def _all(self) -> list[Picked]:
        return [*([] if self.shown is None else [self.shown]), *self._marks.values()]


def _muddled(kinds: list[str]) -> bool:
    """True if a call follows a call before the first has its result."""
    return any(one == "tool_called" == after for one, after in pairwise(kinds))


def in_tree(numbers: Iterable[int], call_of: CallOf) -> list[int]:
    """`numbers` of one turn, those about one call together, calls in the order of their first line."""
    groups: dict[str, list[int]] = {}
    for number in numbers:
        call = call_of(number)
        groups.setdefault(call or f"\x00{number}", []).append(number)
    return [number for group in groups.values() for number in group]
