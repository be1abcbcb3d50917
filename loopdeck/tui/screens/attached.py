"""Agent sessions that were not started here: who works where, its last call, and the brake for it."""

from textual.app import ComposeResult

from loopdeck.core.columns import Rows
from loopdeck.core.plural import some
from loopdeck.deck.attached import brake, release
from loopdeck.deck.attachedboard import COLUMNS, NONE, chosen, facts, rows
from loopdeck.deck.snapshot import Snapshot
from loopdeck.store.sessions import Session
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.widgets.facts import FactList
from loopdeck.tui.widgets.lines import LineTable

_TICK_S = 1.0


class AttachedScreen(RoomScreen):
    """The sessions of all decks."""

    SCOPE = "attached"
    CSS = """
    AttachedScreen #sessions { height: 1fr; }
    AttachedScreen #facts { height: 7; border-top: solid $panel; }
    """

    def body(self) -> ComposeResult:
        """The sessions, and what is known of the one under the cursor."""
        yield LineTable(COLUMNS, empty=NONE, id="sessions")
        yield FactList(id="facts")

    def title_words(self) -> str:
        """How many there are."""
        return some(sum(len(deck.sessions) for deck in self.room.snapshot.decks), "session") + " not started here"

    def on_mount(self) -> None:
        """Ages grow without anything being written."""
        super().on_mount()
        self.set_interval(_TICK_S, self._tick)

    def shown(self, snapshot: Snapshot) -> None:
        """All of them as they are now."""
        self.table.fill(Rows(rows(snapshot.decks, self.room.now())), empty=NONE)
        self._paint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only who isn't braked can be, and only who is can be released."""
        if action in ("brake", "release"):
            found = self.selected()
            return found is not None and bool(found[1].braked) == (action == "release")
        return super().check_action(action, parameters)

    @property
    def table(self) -> LineTable:
        """The sessions."""
        return self.query_one("#sessions", LineTable)

    def selected(self) -> tuple[int, Session] | None:
        """The number of the deck and its session, under the cursor."""
        return chosen(self.room.snapshot.decks, self.table.cursor) if self.is_mounted else None

    def _paint(self) -> None:
        found = self.selected()
        self.query_one(FactList).show(facts(self.room.snapshot.decks[found[0]], found[1]) if found else ())
        self.refresh_bindings()

    def _tick(self) -> None:
        if self.is_current:
            self.take(self.room.snapshot)

    def on_line_table_moved(self, message: LineTable.Moved) -> None:
        """Another session."""
        if message.table is self.table:
            self._paint()

    def action_brake(self) -> None:
        """None of its calls is let through from now on."""
        found = self.selected()
        if found is not None:
            number, one = found
            home, by = self.room.decks[number].home, self.room.by
            self.room.do(lambda: brake(home, one, by), self._told)

    def action_release(self) -> None:
        """Its calls are let through again."""
        found = self.selected()
        if found is not None:
            number, one = found
            home = self.room.decks[number].home
            self.room.do(lambda: release(home, one), self._told)

    def _told(self, words: str) -> None:
        self.room.tell(words)
        self.room.reader.poke()
