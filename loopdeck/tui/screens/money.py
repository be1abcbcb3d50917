"""What it costs: the ledger by loop, role, model or day, and below it the receipts of what is under the cursor.

The journals are read beside the room; ended runs once. Both tables end in a total to which what is shown adds up.
"""

from collections.abc import Sequence

from textual.app import ComposeResult

from loopdeck.agents import prices
from loopdeck.core.columns import Rows, cell
from loopdeck.core.worth import worth
from loopdeck.deck.money import Books, Ledger
from loopdeck.deck.moneyboard import RECEIPTS, SUMS, TOTAL, VIEWS, Source, forecast, only, receipt_rows, sum_rows, sums, worth_lines
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
        self._sources: tuple[Source, ...] = ()
        self._books: tuple[Books, ...] = ()
        self._beside: Beside[tuple[Ledger, ...]] | None = None
        self._read_at = 0.0

    def body(self) -> ComposeResult:
        """The views, the sums, what the money bought, the receipts."""
        yield Choices(VIEWS, before="by", id="views")
        yield LineTable(SUMS, empty="reading the journals…", id="sums")
        yield Block(id="worth")
        yield LineTable(RECEIPTS, empty="", id="receipts")

    def title_words(self) -> str:
        """What is seen."""
        trouble = sum(len(one.trouble) for one in self._ledgers)
        return f"money by {VIEWS[self._view]}" + (f"  ! {trouble} journals can't be read" if trouble else "")

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
        return self._row() is not None if action == "open" else super().check_action(action, parameters)

    @property
    def table(self) -> LineTable:
        """The sums."""
        return self.query_one("#sums", LineTable)

    # What is painted

    def _looked(self, ledgers: tuple[Ledger, ...]) -> None:
        if not self.is_attached:
            return
        self._ledgers = ledgers
        several = len(ledgers) > 1
        self._sources = tuple(
            Source(number, self.room.decks[number].name if several else "", one)
            for number, ledger in enumerate(ledgers)
            for one in ledger.statements
        )
        self._paint()
        self.take(self.room.snapshot)

    def _paint(self) -> None:
        rows = sum_rows(sums(self._sources, VIEWS[self._view]))
        self.table.show_as(SUMS, _EMPTY)
        self.table.fill(Rows(rows))
        self._paint_below()

    def _paint_below(self) -> None:
        """The receipts of the loop under the cursor; of a role, model or day, the loops that it is made of."""
        receipts = self.query_one("#receipts", LineTable)
        by_loop = VIEWS[self._view] == "loop"
        receipts.show_as(RECEIPTS if by_loop else SUMS, _NO_RECEIPT if self._sources else "")
        if by_loop:
            receipts.fill(Rows(receipt_rows(one.statement for one in self._chosen())))
        else:
            receipts.fill(Rows(sum_rows(sums(self._part(), "loop"))))
        self._paint_worth()
        self.refresh_bindings()

    def _paint_worth(self) -> None:
        block = self.query_one("#worth", Block)
        chosen = self._chosen()
        live = [row for row in self.room.snapshot.rows if row.live]
        if VIEWS[self._view] != "loop" or not chosen or self._under == TOTAL:
            words = "all loops" if VIEWS[self._view] == "loop" else f"{self._under}, by loop"
            block.say(((cell(words, "strong"),), (cell(""),), (cell(""),), forecast(live)))
            return
        first = chosen[0]
        merged = self._ledgers[first.deck].merged
        made = worth(first.statement.loop, [one.statement for one in chosen], merged)
        mine = [row for row in live if (row.deck, row.loop) == (first.deck, first.statement.loop)]
        block.say(worth_lines(made, mine))

    @property
    def _under(self) -> str:
        return self.table.cursor.removeprefix("=")

    def _chosen(self) -> Sequence[Source]:
        """The runs of the loop under the cursor, or all of them."""
        if self.table.cursor == TOTAL:
            return self._sources
        return [one for one in self._sources if one.loop == self._under]

    def _part(self) -> Sequence[Source]:
        """All runs with only those lines that the row under the cursor is the sum of."""
        view, name = VIEWS[self._view], self._under
        if self.table.cursor == TOTAL:
            return self._sources
        cut = (only(one, view, name) for one in self._sources)
        return [one for one in cut if one.statement.lines]

    def _row(self) -> LoopRow | None:
        """The newest run of the loop under the cursor, as the room knows it."""
        chosen = self._chosen() if VIEWS[self._view] == "loop" and self.table.cursor != TOTAL else ()
        if not chosen:
            return None
        mine = (row for row in self.room.snapshot.rows if (row.deck, row.loop) == (chosen[0].deck, chosen[0].statement.loop))
        return max(mine, key=lambda row: row.run, default=None)

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
        row = self._row()
        if row is not None:
            self.room.down("loop", row)

    def action_turn(self) -> None:
        """The next view."""
        self._turn_to((self._view + 1) % len(VIEWS))

    def action_turn_back(self) -> None:
        """The one before."""
        self._turn_to((self._view - 1) % len(VIEWS))

    def action_by_loop(self) -> None:
        """By loop."""
        self._turn_to(0)

    def action_by_role(self) -> None:
        """By role."""
        self._turn_to(1)

    def action_by_model(self) -> None:
        """By model."""
        self._turn_to(2)

    def action_by_day(self) -> None:
        """By day."""
        self._turn_to(3)

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
