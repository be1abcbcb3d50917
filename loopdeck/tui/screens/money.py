"""What it costs: the ledger by loop, role, model or day, and below it the receipts of what is under the cursor.

The journals are read beside the room; ended runs once. Both tables end in a total to which what is shown adds up.
"""

from collections.abc import Sequence

from textual.app import ComposeResult

from loopdeck.agents import prices
from loopdeck.core.columns import Rows
from loopdeck.core.plural import some
from loopdeck.deck.money import Books, Ledger
from loopdeck.deck.moneyboard import RECEIPTS, SUMS, TOTAL, VIEWS, Spent, receipt_rows, spent, sum_rows, sums, words
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.store.shelf import FileShelf
from loopdeck.tui.beside import Beside
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.widgets.block import Block
from loopdeck.tui.widgets.choices import Choices
from loopdeck.tui.widgets.lines import LineTable

_EMPTY = "No run has asked a model yet."
_NO_RECEIPT = "No receipt: no model was asked."
AGAIN_S = 2.0
"""Seconds between two looks at the journals, however fast snapshots come."""


class MoneyScreen(RoomScreen):
    """The ledger of all decks."""

    SCOPE = "money"
    CSS = """
    MoneyScreen #sums { height: 2fr; min-height: 5; }
    MoneyScreen #worth { height: 4; background: $surface; }
    MoneyScreen #receipts { height: 3fr; min-height: 5; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._view = 0
        self._ledgers: tuple[Ledger, ...] = ()
        self._spent = Spent()
        self._books: tuple[Books, ...] = ()
        self._beside: Beside[tuple[Ledger, ...]] | None = None
        self._read_at = 0.0

    def body(self) -> ComposeResult:
        """The views, the sums, what the money bought, the receipts."""
        yield Choices(("loop", "role", "model", "day (UTC)"), before="by", id="views")
        yield LineTable(SUMS, empty="reading the journals…", id="sums")
        yield Block(id="worth")
        yield LineTable(RECEIPTS, empty="", id="receipts")

    def title_words(self) -> str:
        """What is seen."""
        trouble = sum(len(one.trouble) for one in self._ledgers)
        return f"money of all runs by {VIEWS[self._view]}" + (f"  ! {some(trouble, 'journal')} can't be read" if trouble else "")

    def on_mount(self) -> None:
        """Begin to read."""
        self._books = tuple(Books(deck, prices.cost) for deck in self.room.decks)
        self._beside = Beside(self.room, self._looked)
        super().on_mount()

    def shown(self, snapshot: Snapshot) -> None:
        """Runs may have spent something: look again, but not with every snapshot."""
        now = self.room.now()
        if self._beside is not None and now - self._read_at >= AGAIN_S:
            self._read_at = now
            books, shelves = self._books, [FileShelf(deck.home.prices) for deck in self.room.decks]
            self._beside.want(lambda: _read(books, shelves))
        self._paint_worth()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A loop can be opened where one is under the cursor."""
        return self.subject() is not None if action == "open" else super().check_action(action, parameters)

    @property
    def table(self) -> LineTable:
        """The sums."""
        return self.query_one("#sums", LineTable)

    # What is painted

    def _looked(self, ledgers: tuple[Ledger, ...]) -> None:
        if self.is_attached:
            self._ledgers = ledgers
            self._spent = spent(ledgers, [deck.name for deck in self.room.decks])
            self._paint()
            self.take(self.room.snapshot)

    def _paint(self) -> None:
        self.table.fill(Rows(sum_rows(sums(self._spent.sources, VIEWS[self._view]))), empty=_EMPTY)
        self._paint_below()

    def _paint_below(self) -> None:
        """The receipts of the loop under the cursor; of a role, model or day, the loops that it is made of."""
        view, row = VIEWS[self._view], self.table.cursor
        empty = _NO_RECEIPT if self._spent.sources else " "
        if view == "loop":
            found = receipt_rows(one.statement for one in self._spent.chosen(row))
        else:
            found = sum_rows(sums(self._spent.part(view, row), "loop"))
        self.query_one("#receipts", LineTable).fill(Rows(found), columns=RECEIPTS if view == "loop" else SUMS, empty=empty)
        self._paint_worth()
        self.refresh_bindings()

    def _paint_worth(self) -> None:
        self.query_one("#worth", Block).say(words(self._spent, VIEWS[self._view], self.table.cursor, self.room.snapshot.rows))

    def subject(self) -> LoopRow | None:
        """The newest run of the loop under the cursor, as the room knows it."""
        row = self.table.cursor
        chosen = self._spent.chosen(row) if VIEWS[self._view] == "loop" and row != TOTAL else ()
        if not chosen:
            return None
        mine = (one for one in self.room.snapshot.rows if (one.deck, one.loop) == (chosen[0].deck, chosen[0].statement.loop))
        return max(mine, key=lambda one: one.run, default=None)

    # What the keys and the mouse do

    def on_line_table_moved(self, message: LineTable.Moved) -> None:
        """Another row: its receipts."""
        if message.table is self.table:
            self._paint_below()

    def on_line_table_chosen(self, message: LineTable.Chosen) -> None:
        """Enter."""
        if message.table is self.table:
            self.action_open()

    def on_choices_picked(self, message: Choices.Picked) -> None:
        """A click on a view."""
        self._turn_to(message.at)

    def action_open(self) -> None:
        """Down into the loop."""
        row = self.subject()
        if row is not None:
            self.room.down("loop", row)

    def action_turn(self) -> None:
        """The next view."""
        self._turn_to((self._view + 1) % len(VIEWS))

    def action_turn_back(self) -> None:
        """The one before."""
        self._turn_to((self._view - 1) % len(VIEWS))

    def _turn_to(self, view: int) -> None:
        self._view = view
        self.query_one(Choices).choose(view)
        self._paint()
        self.table.action_edge(-1)
        self.take(self.room.snapshot)


def _read(books: Sequence[Books], shelves: Sequence[FileShelf]) -> tuple[Ledger, ...]:
    for shelf in shelves[:1]:
        prices.keep_on(shelf)
    return tuple(one.read() for one in books)
