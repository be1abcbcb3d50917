"""One line of words of which one is chosen: tabs, or the steps of a form. A click chooses another."""

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from loopdeck.core.columns import Cell, cell
from loopdeck.tui.widgets.painted import Painted


class Choices(Painted, Widget):
    """The words, the chosen one marked by more than its colour."""

    DEFAULT_CSS = """
    Choices { height: 1; background: $surface; }
    """

    class Picked(Message):
        """One was clicked; `at` is its place, from 0."""

        def __init__(self, at: int) -> None:
            self.at = at
            super().__init__()

    def __init__(self, words: tuple[str, ...], *, before: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._words = words
        self._before = before
        self._styles: tuple[str, ...] = ("plain",) * len(words)
        self._at = 0

    @property
    def at(self) -> int:
        """Which one is chosen."""
        return self._at

    def choose(self, at: int, styles: tuple[str, ...] = ()) -> None:
        """Mark another; `styles` are those of all words."""
        self._at = at
        self._styles = styles or self._styles
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        return self.strip([one for _, one in self._cells()], self.size.width)

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked."""
        left = 0
        for which, one in self._cells():
            right = left + cell_len(one.text)
            if which >= 0 and left <= event.x < right:
                self.post_message(self.Picked(which))
            left = right

    def _cells(self) -> list[tuple[int, Cell]]:
        cells = [(-1, cell(f" {self._before} ", "dim"))]
        for at, word in enumerate(self._words):
            chosen = at == self._at
            cells.append((at, cell(f"[{word}]" if chosen else f" {word} ", "strong" if chosen else self._styles[at])))
        return cells
