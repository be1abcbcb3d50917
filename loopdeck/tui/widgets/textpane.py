"""Rows of clean text to be read, any number of them."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from loopdeck.core.columns import Cell
from loopdeck.tui.unfolding import Row
from loopdeck.tui.widgets.painted import Painted


class TextPane(Painted, ScrollView, can_focus=True):
    """Rows under one another; the keys scroll."""

    DEFAULT_CSS = """
    TextPane { width: 1fr; height: 1fr; padding: 0 1; background: $background; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "roll(-1)", "up", show=False),
        Binding("down,j", "roll(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown,space", "page(1)", "page down", show=False),
        Binding("home,g", "roll(-1000000000)", "first", show=False),
        Binding("end,G", "roll(1000000000)", "last", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: Sequence[Row] = ()

    def show(self, rows: Sequence[Row], *, keep: bool = False) -> None:
        """Show these rows from the first on; `keep` stays where it is."""
        self.rows = rows
        self.virtual_size = Size(self.scrollable_content_region.width, len(rows))
        if not keep:
            self._to(0)
        self.refresh()

    def section(self) -> int:
        """The section at the top of the screen; -1 before the first."""
        top = self.scroll_offset.y
        return next((row.section for row in reversed(self.rows[: top + 1]) if row.section >= 0), -1)

    def next_section(self) -> None:
        """Bring the next section to the top; after the last, go back to the first row."""
        here = self.section()
        self._to(next((at for at, row in enumerate(self.rows) if row.section > here), 0))

    def render_line(self, y: int) -> Strip:
        """One row."""
        width = self.scrollable_content_region.width
        at = self.scroll_offset.y + y
        if at >= len(self.rows):
            return self.strip((), width)
        row = self.rows[at]
        return self.strip((Cell(row.text, row.style),), width)

    def action_roll(self, by: int) -> None:
        """Up or down by so many rows."""
        self._to(self.scroll_offset.y + by)

    def action_page(self, by: int) -> None:
        """Up or down by a screen."""
        self._to(self.scroll_offset.y + by * max(1, self.size.height - 1))

    def _to(self, row: int) -> None:
        self.scroll_to(y=max(0, min(row, len(self.rows) - 1)), animate=False, force=True, immediate=True)
