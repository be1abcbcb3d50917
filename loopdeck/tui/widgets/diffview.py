"""A diff as lines one can scroll: additions and deletions by sign and colour."""

from loopdeck.core.columns import Cell, Column, Rows, TableRow, cell
from loopdeck.core.text import clean_line
from loopdeck.tui.widgets.lines import LineTable

_WIDEST = 2000


class DiffView(LineTable):
    """Lines of a unified diff."""

    DEFAULT_CSS = """
    DiffView { background: $surface; }
    """

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:
        super().__init__((Column("", 0),), head=False, empty=empty, id=id)

    def show(self, lines: tuple[str, ...]) -> None:
        """Show these, from the top."""
        self.fill(Rows(tuple(TableRow(str(at), (_painted(line),)) for at, line in enumerate(lines))))


def _painted(line: str) -> Cell:
    if line.startswith(("+++", "---")):
        return cell(line, "strong", _WIDEST)
    style = {"+": "add", "-": "del", "@": "info"}.get(line[:1], "plain")
    return Cell(clean_line(line.replace("\t", "    "), _WIDEST), style)
