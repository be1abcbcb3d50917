"""A table of any length that costs what is on the screen: one strip a line, made when it is first shown.

Invariant: the cursor is on a key, not on a place: when rows change their order it stays on what it was on. Two hundred rows refreshed
ten times a second cost a tenth of what Textual's own table costs, which is why this exists.
"""

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from loopdeck.core.columns import Cell, Column, Rows, Source, TableRow, cell, fit
from loopdeck.tui.widgets.painted import Painted
from loopdeck.tui.widgets.swift import Swift

_KEPT = 1024
"""Strips remembered: a few screens."""
_BLANK = TableRow("", ())


class LineTable(Swift, Painted, ScrollView, can_focus=True):
    """Rows from a source under a head line, with a cursor."""

    DEFAULT_CSS = """
    LineTable { height: 1fr; background: $background; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "step(-1)", "up", show=False),
        Binding("down,j", "step(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "edge(-1)", "first", show=False),
        Binding("end,G", "edge(1)", "last", show=False),
        Binding("enter", "choose", "open", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row now; `by_hand` if a person moved it."""

        def __init__(self, table: "LineTable", key: str, by_hand: bool) -> None:
            self.table = table
            self.key = key
            self.by_hand = by_hand
            super().__init__()

        @property
        def control(self) -> "LineTable":
            """The table it happened in."""
            return self.table

    class Chosen(Message):
        """A row was opened."""

        def __init__(self, table: "LineTable", key: str) -> None:
            self.table = table
            self.key = key
            super().__init__()

        @property
        def control(self) -> "LineTable":
            """The table it happened in."""
            return self.table

    def __init__(self, columns: tuple[Column, ...], *, head: bool = True, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns = columns
        self.source: Source = Rows()
        self.cursor = ""
        self._head = 1 if head else 0
        self._empty = empty
        self._at = 0
        self._none = _BLANK
        self._names = _names(columns)
        self._strips: dict[tuple[str, str], tuple[TableRow, int, Strip]] = {}

    @property
    def at(self) -> int:
        """The place of the cursor, from 0."""
        return self._at

    def fill(self, source: Source, *, columns: tuple[Column, ...] = (), empty: str = "") -> None:
        """Show these rows; the cursor stays on its key, or, if that is gone, at its place.

        `columns` and `empty`, the words where there are no rows, take the place of those there were.
        """
        if (columns and columns != self.columns) or (empty and empty != self._empty):
            self.columns, self._empty = columns or self.columns, empty or self._empty
            self._names = _names(self.columns)
            self._strips.clear()
            self.refresh()
        old, self.source = self.source, source
        place = source.index(self.cursor) if self.cursor else None
        moved = place is None
        self._at = min(self._at, max(0, source.count() - 1)) if place is None else place
        self._resize()
        if source.count() and moved:
            self._land(by_hand=False)
        elif place is not None:
            self._show_cursor()
        self._repaint(old)

    def move_to(self, key: str, *, by_hand: bool = False) -> bool:
        """Put the cursor on that key; False if there is no such row."""
        place = self.source.index(key)
        if place is None:
            return False
        self._go(place, by_hand=by_hand)
        return True

    def render_line(self, y: int) -> Strip:
        """One line of the terminal."""
        if y < self._head:
            return self._made(self._names, "")
        at = self.scroll_offset.y + y - self._head
        if at < self.source.count():
            return self._made(self.source.row(at), "" if at != self._at else ("cursor" if self.has_focus else "cursor-idle"))
        if at == 0 and self._none.key != self._empty:
            self._none = TableRow(self._empty, (cell(self._empty, "dim", 1000),))
        return self._made(self._none if at == 0 and self._empty else _BLANK, "")

    def action_step(self, by: int) -> None:
        """Up or down by so many rows."""
        self._go(self._at + by)

    def action_page(self, by: int) -> None:
        """Up or down by a screen."""
        self._go(self._at + by * max(1, self.scrollable_content_region.height - self._head - 1))

    def action_edge(self, side: int) -> None:
        """To the first or the last row."""
        self._go(0 if side < 0 else self.source.count() - 1)

    def action_choose(self) -> None:
        """Open the row under the cursor."""
        if self.source.count():
            self.post_message(self.Chosen(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a second one opens."""
        at = self.scroll_offset.y + event.y - self._head
        if event.y < self._head or at >= self.source.count():
            return
        again = at == self._at and event.chain > 1
        self._go(at)
        if again:
            self.action_choose()

    def watch_has_focus(self, has_focus: bool) -> None:
        """The cursor looks different in the table that has the keys."""
        super().watch_has_focus(has_focus)
        self.refresh()

    def on_resize(self) -> None:
        """Other places for the columns; the cursor stays in sight."""
        self._resize()
        self._show_cursor()

    def notify_style_update(self) -> None:
        """Another theme: every strip is made anew."""
        super().notify_style_update()
        self._strips.clear()

    def _made(self, row: TableRow, kind: str) -> Strip:
        known = self._strips.get((row.key, kind))
        if known is not None and known[0] is row and known[1] == self.across:
            return known[2]
        brush = self.brush(*(name for name in (row.style, kind) if name not in ("plain", "")))
        if row is _BLANK or row is self._none:
            strip = self.strip([one for one in row.painted if isinstance(one, Cell)], self.across, brush=brush)
        else:
            strip = self.table_strip(row, self.columns, fit(self.columns, self.across), self.across, brush)
        if len(self._strips) >= _KEPT:
            self._strips.clear()
        self._strips[row.key, kind] = (row, self.across, strip)
        return strip

    def _go(self, at: int, *, by_hand: bool = True) -> None:
        if not self.source.count():
            return
        before, self._at = self._at, max(0, min(at, self.source.count() - 1))
        self._land(by_hand=by_hand)
        self._lines((before, self._at))

    def _land(self, *, by_hand: bool) -> None:
        key = self.source.row(self._at).key
        changed, self.cursor = key != self.cursor, key
        self._show_cursor()
        if changed or by_hand:
            self.post_message(self.Moved(self, key, by_hand))

    def _show_cursor(self) -> None:
        height = self.scrollable_content_region.height - self._head
        top = self.scroll_offset.y
        if height <= 0:
            return
        if self._at < top:
            self.scroll_to(y=self._at, animate=False, force=True, immediate=True)
        elif self._at >= top + height:
            self.scroll_to(y=self._at - height + 1, animate=False, force=True, immediate=True)

    def _resize(self) -> None:
        size = Size(self.scrollable_content_region.width, self.source.count() + self._head)
        if self.virtual_size != size:
            self.virtual_size = size

    def _repaint(self, old: Source) -> None:
        """Only the lines on the screen whose row is another one now."""
        top, source = self.scroll_offset.y, self.source
        end = top + self.scrollable_content_region.height
        before, now = min(end, old.count()), min(end, source.count())
        changed = [at for at in range(top, min(before, now)) if old.row(at) is not source.row(at)]
        self._lines(changed + list(range(min(before, now), max(before, now))))

    def _lines(self, places: Iterable[int]) -> None:
        top, width, height = self.scroll_offset.y - self._head, self.size.width, self.size.height
        regions = [Region(0, at - top, width, 1) for at in places if self._head <= at - top < height]
        if regions:
            self.refresh(*regions)


def _names(columns: tuple[Column, ...]) -> TableRow:
    return TableRow("\0names", tuple(cell(column.name, "head") for column in columns))
