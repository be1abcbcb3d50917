"""What the room showed last, kept so that it can be painted before the room is up.

Invariant: all texts in it have been through the sanitiser, and nothing depends on it: it can be deleted at any time.
"""

import json
from collections.abc import Mapping, Sequence

from msgspec import structs

from loopdeck.core.columns import Cell, Cells
from loopdeck.deck.board import COLUMNS, table_row
from loopdeck.deck.headline import headline
from loopdeck.deck.snapshot import Snapshot
from loopdeck.store.files import make_dir, write_atomic
from loopdeck.store.layout import DeckHome

FORMAT = 1
MOST_ROWS = 200
"""More than any terminal is high."""


def frame(snapshot: Snapshot, number: int, styles: Mapping[str, str], *, width: int = 120) -> bytes:
    """The deck of that `number` as its table looked at the time of `snapshot`, for a terminal about `width` wide.

    `styles` are SGR parameters (such as `1;38;2;110;168;254`) by the names that cells carry; `bar` and `back` are those of the lines
    around the table and of all that has no other.
    """
    rows = tuple(structs.replace(row, deck=0) for row in snapshot.rows if row.deck == number)
    alone = structs.replace(snapshot, decks=snapshot.decks[number : number + 1], rows=rows, details=())
    left, right = headline(alone, width)
    painted = [table_row(row, snapshot.taken).painted for row in rows[:MOST_ROWS]]
    return json.dumps(
        {
            "format": FORMAT,
            "taken": snapshot.taken,
            "left": _plain(left),
            "right": _plain(right),
            "columns": [list(one) for one in COLUMNS],
            "rows": [[_plain(_several(cells)) for cells in row] for row in painted],
            "styles": dict(styles),
        }
    ).encode()


def save(home: DeckHome, data: bytes) -> None:
    """Keep a frame in the deck's home, if there is one. Raises StoreError."""
    if home.path.is_dir():
        make_dir(home.frame.parent)
        write_atomic(home.frame, data)


def _several(cells: Cells) -> Sequence[Cell]:
    return (cells,) if isinstance(cells, Cell) else cells


def _plain(cells: Sequence[Cell]) -> list[list[str]]:
    return [[str(one.text), one.style] for one in cells]
