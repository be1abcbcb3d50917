"""Where lines stand in a list some of which are unfolded: each takes one row, an unfolded one as many more as its text has.

Invariant: rows and places are counted from 0; what is unfolded is few, so that all is found by walking over it.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence

from loopdeck.core.text import Shown


class Folds:
    """The unfolded lines of a list, by their place, with their texts."""

    def __init__(self) -> None:
        self._places: list[int] = []
        self._texts: dict[int, Sequence[Shown]] = {}

    def toggle(self, place: int, text: Sequence[Shown]) -> None:
        """Unfold the line at `place`, or fold it again."""
        if place in self._texts:
            del self._texts[place], self._places[bisect_left(self._places, place)]
        else:
            self._texts[place] = text
            insort(self._places, place)

    def clear(self) -> None:
        """Fold all."""
        self._places.clear()
        self._texts.clear()

    def is_open(self, place: int) -> bool:
        """True if the line at `place` is unfolded."""
        return place in self._texts

    def rows(self, count: int) -> int:
        """Rows that `count` lines take."""
        return count + sum(len(self._texts[place]) for place in self._places if place < count)

    def row_of(self, place: int) -> int:
        """The row where the line at `place` begins."""
        return place + sum(len(self._texts[before]) for before in self._places[: bisect_left(self._places, place)])

    def at(self, row: int) -> tuple[int, int]:
        """What stands in `row`: the place of a line, and which row of it, 0 being the line itself."""
        for place in self._places:
            more = len(self._texts[place])
            if row <= place:
                break
            if row <= place + more:
                return place, row - place
            row -= more
        return row, 0

    def text(self, place: int, part: int) -> Shown:
        """Row `part`, from 1, of the unfolded text at `place`."""
        return self._texts[place][part - 1]
