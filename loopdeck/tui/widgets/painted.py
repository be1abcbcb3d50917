"""What all line-painting widgets share: styles by name, and cells made into a line of the terminal."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from loopdeck.core.columns import Align, Cell, Cells, Column, Place, TableRow
from loopdeck.tui.text import sized
from loopdeck.tui.theme import paint

if TYPE_CHECKING:
    _Base = Widget
else:
    _Base = object

_SHOWS_ON_BLANKS = "mark"
"""The one style of which a blank is seen."""


class Brush(dict[str, Style]):
    """Styles by name over one ground, each worked out when it is first wanted: to add two styles takes longer than to paint a cell."""

    def __init__(self, ground: Style, named: Callable[[str], Style]) -> None:
        super().__init__()
        self.ground = ground
        self.shows_on_blanks = bool(ground.reverse or ground.underline)
        self._named = named

    def __missing__(self, name: str) -> Style:
        """The style of that name."""
        style = self[name] = self.ground + self._named(name)
        return style


class Painted(_Base):
    """Mixed into a widget that paints lines from cells; its styles are those of `theme`, so a theme changes all."""

    _brushes: dict[tuple[str, ...], Brush] | None = None

    @property
    def ground(self) -> Style:
        """What lies under everything the widget paints."""
        return self.brush().ground

    def named_style(self, name: str) -> Style:
        """The style of that name, without a background of its own."""
        return paint(name, self.app.theme_variables, ansi=self.app.native_ansi_color)

    def brush(self, *grounds: str) -> Brush:
        """All styles over the widget's ground and, upon that, the styles of these names."""
        if self._brushes is None:
            self._brushes = {}
        found = self._brushes.get(grounds)
        if found is None:
            # To ask Textual for the ground walks up the whole tree.
            under = self.brush(*grounds[:-1])[grounds[-1]] if grounds else self.rich_style
            found = self._brushes[grounds] = Brush(under, self.named_style)
        return found

    def notify_style_update(self) -> None:
        """Another theme, or the keys went elsewhere."""
        super().notify_style_update()
        self._brushes = None

    def strip(self, cells: Sequence[Cell], width: int, *, brush: Brush | None = None) -> Strip:
        """`cells` one after another in a line of `width` terminal cells, painted with `brush`, or over the widget's ground."""
        return Strip(self._side_by_side(cells, width, self.brush() if brush is None else brush), width)

    def table_strip(self, row: TableRow, columns: Sequence[Column], places: Sequence[Place], width: int, brush: Brush) -> Strip:
        """`row` in a line of `width` cells, its columns at their places."""
        segments: list[Segment] = []
        at = 0
        for number, place in enumerate(places, 1):
            cells = row.painted[place.which]
            at = place.at + place.width
            gap = max(0, (places[number].at if number < len(places) else width) - at)
            if isinstance(cells, Cell) and cells.style != _SHOWS_ON_BLANKS and not brush.shows_on_blanks:
                # One piece with what follows it: half as many pieces, half as much for the terminal to be told.
                text = sized(cells.text, place.width, columns[place.which].align)
                segments.append(Segment(text + " " * gap, brush[cells.style]))
                continue
            segments += self._column(cells, place.width, columns[place.which].align, brush)
            if gap:
                segments.append(Segment(" " * gap, brush.ground))
        return Strip(segments, max(width, at))

    def _column(self, cells: Cells, width: int, align: Align, brush: Brush) -> list[Segment]:
        if isinstance(cells, Cell):
            return [Segment(sized(cells.text, width, align), brush[cells.style])]
        return self._side_by_side(cells, width, brush)

    def _side_by_side(self, cells: Sequence[Cell], width: int, brush: Brush) -> list[Segment]:
        segments: list[Segment] = []
        left = width
        for text, style in cells:
            if left <= 0:
                break
            takes = len(text) if text.isascii() else cell_len(text)
            segments.append(Segment(text if takes <= left else sized(text, left), brush[style]))
            left -= takes
        if left > 0:
            segments.append(Segment(" " * left, brush.ground))
        return segments
