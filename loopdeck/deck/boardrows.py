"""The deck's table, each row made when it is first wanted: a thousand loops cost what is on the screen.

Invariant: a row that would look the same is the same object as before, so that nothing is painted twice.
"""

from collections.abc import Sequence

from loopdeck.core.columns import TableRow
from loopdeck.deck.board import age, table_row
from loopdeck.deck.snapshot import LoopRow

_Made = tuple[LoopRow, str, float, TableRow]
"""What a row was made of, its age in words, until when (seconds since the epoch) that is taken to be so, and how it looks."""
_AGE_S = 0.25


class BoardRows:
    """`rows` in their order as they look at `now` (seconds since the epoch); `decks` are the names of all decks.

    `before` is what was shown until now.
    """

    def __init__(self, rows: Sequence[LoopRow], now: float, decks: Sequence[str], before: "BoardRows | None" = None) -> None:
        self._rows = rows
        self._now = now
        self._decks = decks
        self._made: dict[str, _Made] = {}
        self._before = before._made if before is not None and before._decks == decks else {}
        self._places = {row.key: at for at, row in enumerate(rows)}

    def count(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def row(self, at: int) -> TableRow:
        """The row at that place."""
        row = self._rows[at]
        made = self._made.get(row.key)
        if made is None:
            made = self._made[row.key] = self._make(row)
        return made[3]

    def index(self, key: str) -> int | None:
        """The place of the row of that key."""
        return self._places.get(key)

    def _make(self, row: LoopRow) -> _Made:
        known = self._before.get(row.key)
        if known is not None and known[0] is row and self._now < known[2]:
            return known
        since = age(self._now - row.last_at) if row.last_at else ""
        until = self._now + _AGE_S
        if known is not None and known[0] is row and known[1] == since:
            return (row, since, until, known[3])
        fresh = table_row(row, self._now, decks=len(self._decks), deck=self._decks[row.deck])
        same = known is not None and known[3].painted == fresh.painted
        return (row, since, until, known[3] if known is not None and same else fresh)
