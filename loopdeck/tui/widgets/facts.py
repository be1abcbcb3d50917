"""Facts in sections, one under another, their texts broken into lines of the widget's width. Scrolls; the cursor is a line."""

from collections.abc import Iterator

from rich.cells import cell_len, chop_cells

from loopdeck.core.columns import Cell, Column, Rows, TableRow, cell
from loopdeck.core.text import Shown, clean_line
from loopdeck.deck.answer import Fact
from loopdeck.deck.why import Section
from loopdeck.tui.widgets.lines import LineTable

_LONGEST = 4000
"""Characters of one fact that are shown."""
_LEAST, _MOST = 8, 30
"""Cells of the labels' column: at least, and at most."""


class FactList(LineTable):
    """Shows sections of facts."""

    DEFAULT_CSS = """
    FactList { background: $background; scrollbar-gutter: stable; }
    """

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:
        super().__init__((Column("", 0),), head=False, empty=empty, id=id)
        self._sections: tuple[Section, ...] = ()
        self._wide = 0

    def show(self, sections: tuple[Section, ...]) -> None:
        """Show these; the cursor stays on its line where that is still there."""
        if sections != self._sections:
            self._sections = sections
            self._break()

    @property
    def fact(self) -> Fact | None:
        """The fact under the cursor; None on a heading, or if there is none."""
        place = self.cursor.split(".")
        return self._sections[int(place[0])].lines[int(place[1])] if len(place) == 3 else None

    def top(self) -> None:
        """Go to the first line."""
        self.action_edge(-1)

    def on_resize(self) -> None:
        """Another width: other lines."""
        if self.scrollable_content_region.width != self._wide:
            self._break()

    def _break(self) -> None:
        self._wide = self.scrollable_content_region.width
        if self._wide > 0:
            self.fill(Rows(tuple(laid_out(self._sections, self._wide))))


def laid_out(sections: tuple[Section, ...], width: int) -> Iterator[TableRow]:
    """The lines of `sections` in a widget `width` cells wide. A row's key is made of the section, the fact and the line's number."""
    longest = max((cell_len(clean_line(fact.label)) for section in sections for fact in section.lines), default=0)
    labels = max(_LEAST, min(longest, _MOST, width // 3))
    for at, section in enumerate(sections):
        if at:
            yield TableRow(f"{at}", (cell(""),))
        yield TableRow(f"{at}:", (cell(section.title, section.tone, 400),))
        for number, fact in enumerate(section.lines):
            yield from _rows(f"{at}.{number}", fact, labels, width)


def _rows(key: str, fact: Fact, labels: int, width: int) -> Iterator[TableRow]:
    label = clean_line(fact.label, 200)
    room = max(8, width - labels - 4)
    for number, line in enumerate(broken(clean_line(fact.text, _LONGEST), room)):
        head = _label(label, labels) if not number else " " * (labels + 4)
        yield TableRow(f"{key}.{number}", ((cell(head, "dim"), Cell(line, fact.tone)),))


def _label(label: str, width: int) -> str:
    taken = cell_len(label)
    if taken <= width:
        return f"  {label}{' ' * (width - taken)}  "
    return f"  {chop_cells(label, max(1, width - 1))[0]}…  "


def broken(text: Shown, width: int) -> list[Shown]:
    """`text` in lines of at most `width` cells, broken between words where there are any."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = chop_cells(word, width) if cell_len(word) > width else [word]
        lines += full
    return [Shown(one) for one in (*lines, line)]
