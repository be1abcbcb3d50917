"""The project board: the items of a loop's STATE.md, or of all loops', in three columns. What is on it is what the states say.

Nothing is changed in here: `e` opens the state that the item under the cursor is in.
"""

from textual.app import ComposeResult
from textual.containers import Horizontal

from loopdeck.core.columns import Column, Rows
from loopdeck.core.items import PLACES
from loopdeck.core.plural import some
from loopdeck.deck.project import TITLES, Card, Project, facts, project, rows
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.tui.beside import Beside
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.widgets.facts import FactList
from loopdeck.tui.widgets.lines import LineTable

AGAIN_S = 1.0
"""Seconds between two looks at the states, however fast snapshots come."""
_EMPTY = {"open": "nothing open", "doing": "nothing in progress", "done": "nothing done yet"}


class ProjectScreen(RoomScreen):
    """The board of the loop of `row`; without one, of all loops."""

    SCOPE = "project"
    AUTO_FOCUS = "#open"
    CSS = """
    ProjectScreen #columns { height: 1fr; }
    ProjectScreen #columns LineTable { width: 1fr; border-right: solid $panel; }
    ProjectScreen #columns #done { border-right: none; }
    ProjectScreen #card { height: 6; border-top: solid $panel; }
    """

    def __init__(self, row: LoopRow | None = None) -> None:
        super().__init__()
        self._row = row
        self._found = Project()
        self._beside: Beside[Project] | None = None
        self._read_at = 0.0

    def body(self) -> ComposeResult:
        """Three columns, and the card under the cursor."""
        with Horizontal(id="columns"):
            for place in PLACES:
                yield LineTable(_columns(place, 0), empty="…", id=place)
        yield FactList(id="card")

    def title_words(self) -> str:
        """Whose board, and how far it is."""
        done, all_ = len(self._found.at("done")), len(self._found.cards)
        whose = self._row.loop if self._row else "all loops"
        trouble = f"   ! {some(len(self._found.trouble), 'state')} can't be read" if self._found.trouble else ""
        return f"board  {whose}   {done} of {some(all_, 'item')} done{trouble}"

    def on_mount(self) -> None:
        """Read the states."""
        self._beside = Beside(self.room, self._looked)
        super().on_mount()

    def shown(self, snapshot: Snapshot) -> None:
        """A state may have changed."""
        now = self.room.now()
        if self._beside is None or now - self._read_at < AGAIN_S:
            return
        self._read_at = now
        decks, row = self.room.decks, self._row
        self._beside.want(lambda: project(decks, (row.deck, row.loop) if row else None))

    def _looked(self, found: Project) -> None:
        if not self.is_attached:
            return
        first = not self._found.cards
        self._found = found
        for place in PLACES:
            cards = found.at(place)
            table = self.query_one(f"#{place}", LineTable)
            listed = Rows(rows(found, place, named=self._row is None))
            table.fill(listed, columns=_columns(place, len(cards)), empty=_EMPTY[place])
        if first and found.cards:
            # Where there is something to look at first.
            self._table(next(place for place in ("doing", "open", "done") if found.at(place))).focus()
        self._paint_card()
        self.take(self.room.snapshot)
        self.refresh_bindings()

    def _table(self, place: str) -> LineTable:
        return self.query_one(f"#{place}", LineTable)

    @property
    def card(self) -> Card | None:
        """The card under the cursor of the column that has the keys."""
        table = self.focused
        return self._found.card(table.cursor) if isinstance(table, LineTable) else None

    def subject(self) -> LoopRow | None:
        """The newest run of the loop whose card that is."""
        card = self.card
        of = (card.deck, card.loop) if card else (self._row.deck, self._row.loop) if self._row else None
        mine = (one for one in self.room.snapshot.rows if (one.deck, one.loop) == of)
        return max(mine, key=lambda one: one.run, default=None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only where there is a loop to go to."""
        return self.subject() is not None if action in ("open", "edit") else super().check_action(action, parameters)

    def _paint_card(self) -> None:
        card = self.card
        self.query_one(FactList).show(facts(card) if card else ())

    def on_line_table_moved(self, message: LineTable.Moved) -> None:
        """Another card."""
        if message.table is self.focused:
            self._paint_card()

    def on_descendant_focus(self) -> None:
        """Another column."""
        self._paint_card()
        self.refresh_bindings()

    def on_line_table_chosen(self) -> None:
        """Enter."""
        self.action_edit()

    def action_column(self, by: int) -> None:
        """To the column beside."""
        at = next((number for number, place in enumerate(PLACES) if self._table(place) is self.focused), 0)
        self._table(PLACES[(at + by) % len(PLACES)]).focus()

    def action_left(self) -> None:
        """The column on the left."""
        self.action_column(-1)

    def action_right(self) -> None:
        """The column on the right."""
        self.action_column(1)

    def action_edit(self) -> None:
        """The state that the card is in."""
        row = self.subject()
        if row is not None:
            self.room.down("state", row)

    def action_open(self) -> None:
        """The loop that it is of."""
        row = self.subject()
        if row is not None:
            self.room.down("loop", row)


def _columns(place: str, number: int) -> tuple[Column, ...]:
    title = next(words for known, words in TITLES.items() if known == place)
    return Column("", 1), Column(f"{title}  {number}", 0)
