"""The harness of all loops: each prompt, skill, rubric and check as a file with its version and the loops that use it."""

from textual.app import ComposeResult

from loopdeck.core.columns import Cell, Column, Rows, TableRow, cell
from loopdeck.core.plural import some
from loopdeck.deck.answer import Fact
from loopdeck.deck.harness import Component, Inventory, LoopHarness, inventory
from loopdeck.deck.why import Section
from loopdeck.errors import LoopdeckError
from loopdeck.shipped import PACKAGE
from loopdeck.tui.beside import Beside
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.widgets.facts import FactList
from loopdeck.tui.widgets.lines import LineTable

COLUMNS = (
    Column("kind", 9),
    Column("name", 18),
    Column("version", 12),
    Column("bytes", 6, "right", from_width=100),
    Column("file", 44, from_width=140),
    Column("loops", 0),
)
_Found = tuple[Inventory, ...]


class HarnessScreen(RoomScreen):
    """An inventory, of every deck."""

    SCOPE = "harness"
    CSS = """
    HarnessScreen #parts { height: 2fr; }
    HarnessScreen #facts { height: 1fr; min-height: 7; border-top: solid $panel; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._found: _Found = ()
        self._beside: Beside[_Found] | None = None

    def body(self) -> ComposeResult:
        """The components, and what is known of the one under the cursor."""
        yield LineTable(COLUMNS, empty="…", id="parts")
        yield FactList(id="facts")

    def title_words(self) -> str:
        """How many there are."""
        parts = [one for found in self._found for one in found.components]
        files = len({one.path for one in parts})
        return f"harness  {some(len(parts), 'component')} in {some(files, 'file')}" if parts else "harness"

    def on_mount(self) -> None:
        """All files are read, beside the room."""
        self._beside = Beside(self.room, self._looked)
        self.action_again()

    @property
    def table(self) -> LineTable:
        """The components."""
        return self.query_one("#parts", LineTable)

    def selected(self) -> tuple[int, Component] | None:
        """The deck's number and the component under the cursor."""
        deck, _, at = self.table.cursor.partition(".")
        return (int(deck), self._found[int(deck)].components[int(at)]) if at else None

    def _looked(self, found: _Found) -> None:
        if not self.is_attached:
            return
        self._found = found
        several = len(found) > 1
        rows = [
            _row(f"{number}.{at}", one, self.room.decks[number].name if several else "")
            for number, each in enumerate(found)
            for at, one in enumerate(each.components)
        ]
        self.table.fill(Rows(tuple(rows)))
        self._paint_facts()
        self.take(self.room.snapshot)

    def _paint_facts(self) -> None:
        chosen = self.selected()
        if chosen is not None:
            number, part = chosen
            loops = [one for one in self._found[number].loops if one.loop in part.loops]
            self.query_one(FactList).show(facts(part, loops))

    def on_line_table_moved(self, message: LineTable.Moved) -> None:
        """Another component."""
        if message.table is self.table:
            self._paint_facts()

    def on_line_table_chosen(self, _: LineTable.Chosen) -> None:
        """Enter."""
        self.action_open()

    def action_open(self) -> None:
        """The file, in the operator's editor; what is the package's own is only looked at, by its place."""
        from loopdeck.tui.editor import open_file

        chosen = self.selected()
        if chosen is None:
            return
        number, part = chosen
        if part.kind == "template":
            self.room.tell(
                f"{part.name} comes with loopdeck: {PACKAGE / 'prompts' / part.name}. `maker.system` replaces it for a loop."
            )
            return
        try:
            open_file(self.app, self.room.decks[number].root / part.path)
        except LoopdeckError as error:
            self.room.tell(str(error), "error")
        self.action_again()

    def action_again(self) -> None:
        """Read everything anew."""
        decks = self.room.decks
        if self._beside is not None:
            self._beside.want(lambda: tuple(inventory(deck) for deck in decks))


def _row(key: str, one: Component, deck: str) -> TableRow:
    loops = ", ".join(f"{loop}*" if loop in one.changed else loop for loop in one.loops)
    where = f"{deck}: " if deck else ""
    said: Cell = (
        cell(f"{where}{one.trouble}", "bad") if one.trouble else cell(f"{where}{loops}", "warn" if one.changed else "plain", 400)
    )
    version = cell(one.version or "unreadable", "info" if one.version else "bad")
    return TableRow(key, (cell(one.kind, "dim"), cell(one.name, "strong"), version, cell(f"{one.size:,}"), cell(one.path, "dim"), said))


def facts(part: Component, loops: list[LoopHarness]) -> tuple[Section, ...]:
    """All that is known of a component, and of the harness of the loops that use it."""
    lines = [Fact("file", part.path), Fact("version", part.version or "unreadable"), Fact("bytes", f"{part.size:,}")]
    if part.trouble:
        lines.insert(0, Fact("trouble", part.trouble, "bad"))
    if part.changed:
        lines.append(Fact("changed", f"since the newest run of {', '.join(part.changed)}: applies to its next run", "warn"))
    used = []
    for one in loops:
        same = one.now == one.run_hash
        run = f"; {one.run} was started with {'this one' if same else one.run_hash[:12]}" if one.run else "; no run yet"
        used.append(Fact(one.loop, f"harness {one.now[:12] or 'unreadable'}{run}", "plain" if same or not one.run else "warn"))
    return (Section(f"{part.kind} {part.name}", tuple(lines)), Section("used by", tuple(used)))
