"""A table as plain values: styled cells, columns, and which of them fit.

What is painted before the room is up and what the room paints are the same rows, so neither owns this. A cell's text has been
through the sanitiser: its type says so. A style is a name; what it looks like is the painter's business.
"""

from functools import lru_cache
from typing import Literal, NamedTuple, Protocol

from loopdeck.core.text import Shown, clean_line

Align = Literal["left", "right"]
GAP = 1
"""Blank columns between two cells."""
WIDE = 110
"""From this width on a table gives some columns more room."""


_SHORT = 48
"""Cells of so few characters are mostly the same few words again and again."""


class Cell(NamedTuple):
    """Clean text and the name of its style."""

    text: Shown
    style: str = "plain"


Cells = Cell | tuple[Cell, ...]
"""What stands in one column: a cell, or several side by side."""


class Column(NamedTuple):
    """One column: `width` in terminal cells, 0 for what is left over; shown only in tables at least `from_width` wide.

    `align` says which side the text keeps to; `wide` is the width in wide tables.
    """

    name: str
    width: int
    align: Align = "left"
    from_width: int = 0
    wide: int = 0


class Place(NamedTuple):
    """Where a column is painted: which of the columns it is, its first cell, its width."""

    which: int
    at: int
    width: int


class TableRow(NamedTuple):
    """One row: `key` names what it is of, `painted` has one entry for each column."""

    key: str
    painted: tuple[Cells, ...]
    style: str = "plain"


class Source(Protocol):
    """Where a table's rows come from."""

    def count(self) -> int:
        """How many rows there are."""
        ...

    def row(self, at: int) -> TableRow:
        """The row at that place, from 0."""
        ...

    def index(self, key: str) -> int | None:
        """The place of the row of that key."""
        ...


class Rows:
    """Rows that are all there."""

    def __init__(self, rows: tuple[TableRow, ...] = ()) -> None:
        self.rows = rows
        self._places = {row.key: at for at, row in enumerate(rows)}

    def count(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    def row(self, at: int) -> TableRow:
        """The row at that place."""
        return self.rows[at]

    def index(self, key: str) -> int | None:
        """The place of the row of that key."""
        return self._places.get(key)


def cell(text: object, style: str = "plain", limit: int = 200) -> Cell:
    """Any text as a cell: one line of at most `limit` characters."""
    said = str(text)
    return _kept(said, style, limit) if len(said) <= _SHORT else Cell(clean_line(said, limit), style)


@lru_cache(maxsize=1024)
def _kept(text: str, style: str, limit: int) -> Cell:
    return Cell(clean_line(text, limit), style)


@lru_cache(maxsize=64)
def fit(columns: tuple[Column, ...], width: int) -> tuple[Place, ...]:
    """Where the columns go in a table `width` cells wide. Those without a width of their own share what is left, at least 4 each."""
    shown = [
        (index, one.wide if one.wide and width >= WIDE else one.width) for index, one in enumerate(columns) if width >= one.from_width
    ]
    fixed = sum(takes for _, takes in shown) + GAP * max(0, len(shown) - 1)
    loose = sum(1 for _, takes in shown if takes == 0)
    left = max(width - fixed, 4 * loose)
    places: list[Place] = []
    at = 0
    for index, takes in shown:
        if takes == 0:
            takes = left // loose
            left, loose = left - takes, loose - 1
        if at + takes > width:
            takes = width - at
        if takes <= 0:
            break
        places.append(Place(index, at, takes))
        at += takes + GAP
    return tuple(places)
