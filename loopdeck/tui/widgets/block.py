"""A few painted lines that don't scroll, such as those above a table."""

from typing import ClassVar

from textual.strip import Strip
from textual.widget import Widget

from loopdeck.core.columns import Cell
from loopdeck.tui.widgets.painted import Painted

Line = tuple[Cell, ...]


class Block(Painted, Widget):
    """Lines of cells, as high as there are lines, unless a subclass says that it is not `FITTED` to them."""

    FITTED: ClassVar[bool] = True

    DEFAULT_CSS = """
    Block { height: auto; background: $surface; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: tuple[Line, ...] = ()

    def say(self, lines: tuple[Line, ...]) -> None:
        """Show these; nothing is painted if they are what is shown already."""
        if lines == self._lines:
            return
        higher = len(lines) != len(self._lines)
        self._lines = lines
        if self.FITTED:
            self.styles.height = len(lines)
        self.refresh(layout=self.FITTED and higher)

    def render_line(self, y: int) -> Strip:
        """One of them."""
        return self.strip(self._lines[y] if y < len(self._lines) else (), self.size.width)
