"""Text that is read whole: lines wrapped to the width, none cut, scrolled page by page; it says which of them are on the screen.

Invariant: what has been on the screen is said by what the widget could paint, never by where its scroll bar was moved to.
"""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from loopdeck.core.columns import Cell
from loopdeck.core.text import Shown
from loopdeck.tui.widgets.painted import Painted

Line = tuple[Cell, ...]

_WRAPPED = Cell(Shown("↪ "), "dim")
_BEGUN = Cell(Shown("  "), "dim")
_LEAST = 8
_NEAR = 20


class Pages(Painted, ScrollView, can_focus=True):
    """The lines as they were wrapped for it; nothing at first."""

    DEFAULT_CSS = """
    Pages { height: 1fr; background: $surface; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """

    class Read(Message):
        """The lines from `first` to before `end` of `total` are on the screen."""

        def __init__(self, pages: "Pages", first: int, end: int, total: int) -> None:
            self.pages = pages
            self.first = first
            self.end = end
            self.total = total
            super().__init__()

        @property
        def control(self) -> "Pages":
            """Where it happened."""
            return self.pages

    class Rewrap(Message):
        """It has another width now, and wants its lines wrapped for that."""

        def __init__(self, pages: "Pages") -> None:
            self.pages = pages
            super().__init__()

        @property
        def control(self) -> "Pages":
            """Where it happened."""
            return self.pages

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[Line] = ()
        self._width = 0

    @property
    def columns(self) -> int:
        """For how many cells its lines are to be wrapped."""
        # The scroll bar's column is never written to, so that one does not change where lines are wrapped.
        return max(_LEAST, self.size.width - 1)

    def show(self, lines: Sequence[Line], *, stay: bool = False) -> None:
        """Show these, wrapped for `columns` (see `wrapped`), from the top, or, to `stay`, from where one was."""
        self._lines = lines
        self.virtual_size = Size(self.columns, len(lines))
        if not stay:
            self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self.refresh()
        self._tell()

    def page_to(self, unread: int) -> None:
        """On by a screen, with a line of what was there, but never past the line `unread`, the first that nobody has seen."""
        target = self.scroll_offset.y + max(1, self.size.height - 1)
        if unread < len(self._lines):
            target = min(target, unread)
        self.scroll_to(y=target, animate=False, force=True, immediate=True)

    def render_line(self, y: int) -> Strip:
        """One line of the terminal."""
        at = self.scroll_offset.y + y
        return self.strip(self._lines[at] if at < len(self._lines) else (), self.size.width)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other lines are on the screen."""
        super().watch_scroll_y(old_value, new_value)
        self._tell()

    def on_resize(self) -> None:
        """More or fewer of them, and perhaps wrapped otherwise."""
        if self.size.width != self._width:
            self._width = self.size.width
            self.post_message(self.Rewrap(self))
        self._tell()

    def _tell(self) -> None:
        if self._lines and self.size.height > 0:
            # Only once it has been painted has anybody seen it.
            self.call_after_refresh(self._told)

    def _told(self) -> None:
        first = self.scroll_offset.y
        self.post_message(self.Read(self, first, first + self.size.height, len(self._lines)))


def wrapped(lines: Iterable[Line], width: int) -> tuple[Line, ...]:
    """`lines` in `width` cells each, wherever they have to be broken; what goes on is marked, so that a line's end can be told."""
    room = max(_LEAST, width) - cell_len(_WRAPPED.text)
    return tuple(part for line in lines for part in _broken(line, room))


def _broken(line: Line, room: int) -> Iterable[Line]:
    parts: list[Cell] = [_BEGUN]
    left = room
    for cell in line:
        for text, width in _chunks(cell.text, left, room):
            if width > left:
                yield tuple(parts)
                parts, left = [_WRAPPED], room
            parts.append(Cell(Shown(text), cell.style))
            left -= width
    yield tuple(parts)


def _chunks(text: str, left: int, room: int) -> Iterable[tuple[str, int]]:
    """`text` in pieces, each with its width: the first fits into `left` cells if any of it does, every other into `room`."""
    if text.isascii() or cell_len(text) == len(text):
        at = 0
        space = left or room
        while at < len(text):
            piece = text[at : at + space]
            if at + len(piece) < len(text):
                # After a blank if there is one near: nothing is lost by it, and words stay whole.
                piece = piece[: piece.rfind(" ", max(0, len(piece) - _NEAR)) + 1] or piece
            yield piece, len(piece)
            at, space = at + len(piece), room
        return
    piece, width, space = "", 0, left
    for character in text:
        takes = cell_len(character)
        if width + takes > space and piece:
            yield piece, width
            piece, width, space = "", 0, room
        piece, width = piece + character, width + takes
    if piece:
        yield piece, width
