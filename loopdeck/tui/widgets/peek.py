"""A glance at one loop without leaving the deck: below the table, in the lines that the table does not need.

Invariant: what it shows is looked up beside the room, one loop at a time, and never that of another than the one that was asked for.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from loopdeck.core.columns import Cell
from loopdeck.deck.snapshot import LoopRow
from loopdeck.tui.beside import Beside
from loopdeck.tui.widgets.block import Block

if TYPE_CHECKING:
    from loopdeck.tui.app import Room

_Shown = tuple[object, tuple[tuple[Cell, ...], ...]]
_BORDER = 1
_AGAIN_S = 0.5
"""Seconds between two looks at one loop, however fast it works."""
LEAST, MOST = 7, 60
"""Lines: with fewer it is not opened by itself, more it doesn't take."""


class Peek(Block):
    """The pane; hidden until there is room for it, or it is asked for."""

    DEFAULT_CSS = """
    Peek { background: $surface; border-top: solid $panel; display: none; }
    """

    FITTED: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        # Whether a hand wants it; None: wherever there is room.
        self.wanted: bool | None = None
        self._of: object = None
        self._frame: object = None
        self._waits = False
        self._latest: Callable[[], None] = lambda: None
        self._asked = 0.0
        self._beside: Beside[_Shown] | None = None

    def fit(self, row: LoopRow | None, room: "Room", lines: int, rows: int) -> None:
        """Show `row` in what a table of `rows` leaves of so many `lines`; in a part of them, if a hand wants it and they are few."""
        free = lines - rows
        if self.wanted is False or row is None or (self.wanted is None and free < LEAST):
            self.display = False
            return
        taken = min(MOST, free if self.wanted is None else max(free, lines * 2 // 5))
        self.display = True
        if self.styles.height is None or self.styles.height.value != taken + _BORDER:
            self.styles.height = taken + _BORDER
        self._show(row, room, taken)

    def _show(self, row: LoopRow, room: "Room", lines: int) -> None:
        """Looked up once for each change."""
        width = room.size.width
        frame = (row.key, width, lines)
        of = (row, frame)
        if of == self._of:
            return
        left = self._asked + _AGAIN_S - time.monotonic()
        if self._frame == frame and left > 0:
            self._latest = partial(self._show, row, room, lines)
            if not self._waits:
                self._waits = True
                self.set_timer(left, self._again)
            return
        self._of, self._frame, self._asked = of, frame, time.monotonic()
        if self._beside is None:
            self._beside = Beside(room, self._done)
        paths, now = room.paths_of(row) if row.run else None, room.now()

        def look() -> _Shown:
            # What it takes to understand a trace is loaded when there is one to be shown, and not before.
            from loopdeck.deck.peeked import peeked

            return of, peeked(row, paths, now, width, lines)

        self._beside.want(look)

    def _again(self) -> None:
        """What came too soon after the look before."""
        self._waits = False
        if self.display:
            self._latest()

    def _done(self, found: _Shown) -> None:
        of, lines = found
        if of == self._of and self.is_attached:
            self.say(lines)
