"""What all line-painting widgets share: styles by name, and cells made into a line of the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from loopdeck.core.columns import Align, Cell, Cells, Column, Place, TableRow
from loopdeck.tui.text import sized
from loopdeck.tui.theme import STYLES

PAINTS: set[str] = {f"lines--{name}" for name in (*STYLES, "cursor", "cursor-idle")}
"""The component classes of every widget that paints; Textual looks for them in the widget's own class only."""

if TYPE_CHECKING:
    _Base = Widget
else:
    _Base = object


class Painted(_Base):
    """Mixed into a widget that paints lines from cells and has `PAINTS`; its styles are those of `theme`, so a theme changes all."""

    # To ask Textual for a style walks up the whole tree, for each cell that is painted.
    _paints: dict[str, Style] | None = None

    @property
    def ground(self) -> Style:
        """What lies under everything the widget paints."""
        return self._paint("")

    def named_style(self, name: str) -> Style:
        """The style of that name, without a background of its own."""
        return self._paint(name)

    def notify_style_update(self) -> None:
        """Another theme, or the keys went elsewhere."""
        super().notify_style_update()
        self._paints = None

    def _paint(self, name: str) -> Style:
        if self._paints is None:
            self._paints = {}
        style = self._paints.get(name)
        if style is None:
            style = self.get_component_rich_style(f"lines--{name}", partial=True) if name else self.rich_style
            self._paints[name] = style
        return style

    def strip(self, cells: Sequence[Cell], width: int, *, base: Style | None = None) -> Strip:
        """`cells` one after another in a line of `width` terminal cells; `base` lies under all of them."""
        under = self.ground if base is None else base
        segments: list[Segment] = []
        left = width
        for cell in cells:
            if left <= 0:
                break
            text = cell.text if cell_len(cell.text) <= left else sized(cell.text, left)
            piece = Segment(text, under + self.named_style(cell.style))
            segments.append(piece)
            left -= piece.cell_length
        if left > 0:
            segments.append(Segment(" " * left, under))
        return Strip(segments, width)

    def table_strip(self, row: TableRow, columns: Sequence[Column], places: Sequence[Place], width: int, base: Style) -> Strip:
        """`row` in a line of `width` cells, its columns at their places."""
        segments: list[Segment] = []
        at = 0
        for place in places:
            if place.at > at:
                segments.append(Segment(" " * (place.at - at), base))
            segments += self._column(row.painted[place.which], place.width, columns[place.which].align, base)
            at = place.at + place.width
        if at < width:
            segments.append(Segment(" " * (width - at), base))
        return Strip(segments, max(width, at))

    def _column(self, cells: Cells, width: int, align: Align, base: Style) -> list[Segment]:
        if isinstance(cells, Cell):
            return [Segment(sized(cells.text, width, align), base + self.named_style(cells.style))]
        return list(self.strip(cells, width, base=base))
