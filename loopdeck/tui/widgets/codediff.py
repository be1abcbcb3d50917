"""A file's change, line by line: numbers on both sides, a sign, and the code in colours. Scrolls sideways where lines are long.

A line is made when it is first shown, with its neighbours, so that ten thousand of them open as fast as ten.
"""

from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.strip import Strip

from loopdeck.core.columns import Align, Cell, Cells, Column, TableRow, cell
from loopdeck.core.text import Shown
from loopdeck.deck.review import FileDiff, Line
from loopdeck.tui.syntax import Syntax
from loopdeck.tui.text import segment
from loopdeck.tui.widgets.lines import LineTable
from loopdeck.tui.widgets.painted import Brush

_BLOCK = 60
"""Lines that are made together."""
_SIDEWAYS = 16
_COLUMNS = (
    Column("old", 5, "right", from_width=70), Column("new", 5, "right"), Column("", 1), Column("", 0),
)  # fmt: skip
_GROUNDS = {"+": "added", "-": "taken"}
_SIGNS = {"+": "add", "-": "del", "@": "info", "~": "dim", " ": "dim"}


class Hunks:
    """The rows of a diff, each block of them made when one of it is wanted. Key of a row: its place."""

    def __init__(self, change: FileDiff) -> None:
        self.change = change
        self._syntax = Syntax(change.language)
        self._blocks: dict[int, list[TableRow]] = {}

    def count(self) -> int:
        """How many lines there are."""
        return len(self.change.lines)

    def row(self, at: int) -> TableRow:
        """The line at that place."""
        block = at // _BLOCK
        if block not in self._blocks:
            self._blocks[block] = self._made(block * _BLOCK)
        return self._blocks[block][at % _BLOCK]

    def index(self, key: str) -> int | None:
        """The place itself."""
        return int(key) if key.isdecimal() and int(key) < self.count() else None

    def _made(self, first: int) -> list[TableRow]:
        lines = self.change.lines[first : first + _BLOCK]
        # Each side is read as the file it is: what was taken out would confuse the lexer about what is there now.
        code: dict[int, tuple[Cell, ...]] = {}
        for sides in ("-@ ", "+@ "):
            places = [at for at, line in enumerate(lines) if line.sign in sides]
            code |= zip(places, self._syntax.cells([lines[at].text for at in places]), strict=True)
        return [_row(first + at, line, code.get(at, ())) for at, line in enumerate(lines)]


def _row(at: int, line: Line, code: tuple[Cell, ...]) -> TableRow:
    style = _SIGNS[line.sign]
    old, new = (cell(number or "", "dim") for number in (line.old, line.new))
    match line.sign:
        case "@":
            head = Cell(Shown(f"@@ -{line.old} +{line.new} @@ "), "info")
            return TableRow(str(at), (cell(""), cell(""), cell(""), (head, *code)))
        case "~":
            return TableRow(str(at), (cell(""), cell(""), cell("~", "dim"), cell(line.text, "dim")))
        case _:
            return TableRow(str(at), (old, new, cell(line.sign, style), code), style=_GROUNDS.get(line.sign, "plain"))


class CodeDiff(LineTable):
    """The diff of one file."""

    DEFAULT_CSS = """
    CodeDiff { background: $background; overflow-x: hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "sideways(-1)", "left", show=False),
        Binding("right", "sideways(1)", "right", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(_COLUMNS, head=False, id=id)
        self._shift = 0

    def show(self, change: FileDiff) -> None:
        """Show this file from its first line on."""
        self._shift = 0
        self._empty = str(cell(change.note or "only its mode or its kind has changed", limit=300).text)
        self._strips.clear()
        self.cursor = ""
        self._at = 0
        self.fill(Hunks(change))
        self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self.refresh()

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        lines = self.source.change.lines if isinstance(self.source, Hunks) else ()
        return lines[self.at] if self.at < len(lines) else None

    def to_hunk(self, by: int) -> bool:
        """Put the cursor on the next head of a hunk (`by` 1) or the one before (-1); False if there is none."""
        hunks = self.source.change.hunks if isinstance(self.source, Hunks) else ()
        further = [at for at in hunks if (at > self.at if by > 0 else at < self.at)]
        if not further:
            return False
        at = further[0] if by > 0 else further[-1]
        self.move_to(str(at), by_hand=True)
        # Its lines are what is wanted, not its head on the last line of the screen.
        self.scroll_to(y=max(0, at - 2), animate=False, force=True, immediate=True)
        return True

    def action_sideways(self, by: int) -> None:
        """Show what is further to the left or right."""
        self._shift = max(0, min(self._shift + by * _SIDEWAYS, 2000))
        self._strips.clear()
        self.refresh()

    def _column(self, cells: Cells, width: int, align: Align, brush: Brush) -> list[Segment]:
        if isinstance(cells, Cell):
            return super()._column(cells, width, align, brush)
        whole = Strip([segment(one.text, brush[one.style]) for one in cells])
        beyond = whole.cell_length > self._shift + width
        shown = whole.crop(self._shift, self._shift + width - (1 if beyond else 0))
        more = [segment(Shown("›"), brush["mark"])] if beyond else []
        return [*shown.adjust_cell_length(width - len(more), brush.ground), *more]
