"""The deck: one row per loop, those that need the operator on top.

The order is the reader's. While a hand is on the keys the rows stay where they are; a moment after, they are sorted anew and the
cursor stays on its loop.
"""

from textual.app import ComposeResult

from loopdeck.core.plural import some
from loopdeck.deck.attached import line
from loopdeck.deck.board import COLUMNS
from loopdeck.deck.boardrows import BoardRows
from loopdeck.deck.finding import Order, fits, named
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.tui.actions.allowed import NAMES
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.hand import Hand
from loopdeck.tui.widgets.banner import Banner
from loopdeck.tui.widgets.lines import LineTable
from loopdeck.tui.widgets.peek import Peek
from loopdeck.tui.widgets.wordline import WordLine

_TICK_S = 1.0
_SETTLE_S = 3.0
_AROUND = 4
"""Lines that are not the table's rows: title, head, keys, the peek's border."""
_NONE_FITS = "No loop has these words. esc shows all of them."
_EMPTY = "No loops yet. Press N for a new one, or run `loopdeck new NAME`; `loopdeck demo` shows what loops are."


class DeckScreen(Hand, RoomScreen):
    """All loops of all decks."""

    SCOPE = "deck"
    DEFAULT_CSS = """
    DeckScreen #trouble { color: $error; }
    DeckScreen #attached { max-height: 1; color: $text-muted; }
    DeckScreen #hint { background: $primary-muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._order = Order()
        self._rows: BoardRows | None = None
        self._offered: frozenset[str] = frozenset()
        self._about: tuple[object, ...] = ()
        self._banners: tuple[Banner, ...] = ()
        self._wanted = ""
        self._began = float("inf")
        self._moved = False

    def body(self) -> ComposeResult:
        """What is wrong, what to do first, the table, what is peeked at, the line for words."""
        yield Banner(id="trouble")
        yield Banner(id="hint")
        yield Banner(id="filtered")
        yield LineTable(COLUMNS, empty=_EMPTY, id="loops")
        yield Banner(id="attached")
        yield Peek()
        yield WordLine()

    def on_mount(self) -> None:
        """Ages grow without anything being written."""
        self._began = self.room.now()
        self._banners = tuple(self.query(Banner))
        super().on_mount()
        self.set_interval(_TICK_S, self._tick)

    def shown(self, snapshot: Snapshot) -> None:
        """The rows that fit the filter, in the order of who needs the operator."""
        rows = {row.key: row for row in snapshot.rows if fits(row, self._wanted)}
        now = self.room.now()
        names = tuple(deck.name for deck in snapshot.decks)
        before = self.table.source.count()
        self._rows = BoardRows([rows[key] for key in self._order.of(tuple(rows), now)], now, names, self._rows)
        self.table.fill(self._rows, empty=_NONE_FITS if self._wanted else _EMPTY)
        if now - self._began < _SETTLE_S and not self._moved and len(rows) > before > 0:
            # Rows come in one by one at first; whoever has not moved looks at the first of them.
            self.table.move_to(self._rows.row(0).key)
        # A loop that was just made has the cursor as soon as it runs.
        if keys := [row.key for row in rows.values() if row.run and (row.deck, row.loop) == self.room.sought]:
            self.room.sought = None
            self.table.move_to(keys[-1])
        told = f"/{self._wanted}: {len(rows)} of {some(len(snapshot.rows), 'loop')}; esc shows all"
        self.query_one("#filtered", Banner).say(told if self._wanted else "")
        troubles = [words for deck in snapshot.decks for words in deck.trouble]
        self.query_one("#trouble", Banner).say("! " + "; ".join(troubles) if troubles else "")
        self.query_one("#attached", Banner).say(line(snapshot.decks, now))
        if self.room.lead is not None:
            self.query_one("#hint", Banner).say(self.room.lead.hint(snapshot, self.room.looked_at)[1])
        about = (
            self.subject(),
            len(rows),
            self.size,
            self.query_one(Peek).size,
            bool(snapshot.number),
            *(one.outer_size for one in self._banners if one.display),
        )
        if about != self._about:
            self._about = about
            self._look()

    @property
    def table(self) -> LineTable:
        """The loops."""
        return self.query_one("#loops", LineTable)

    def subject(self) -> LoopRow | None:
        """The loop under the cursor; none if no loop fits the filter."""
        there = self.is_mounted and self.table.source.index(self.table.cursor) is not None
        return self.room.snapshot.row(self.table.cursor) if there else None

    def hand_actions(self) -> frozenset[str]:
        """All of the hand's, and what opens a loop."""
        return NAMES

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is something to come back from only if something is open."""
        if action == "back":
            return bool(self._wanted) or (self.is_mounted and bool(self.query_one(Peek).wanted))
        if action in ("filter", "jump"):
            # A key typed while the room was being opened comes before anything is known.
            return bool(self.room.snapshot.rows) or not self.room.snapshot.number
        return super().check_action(action, parameters)

    def _look(self) -> None:
        """What depends on the row under the cursor: the peek, and the keys that apply."""
        banners = sum(one.outer_size.height for one in self._banners if one.display)
        free = self.size.height - _AROUND - banners
        self.query_one(Peek).fit(self.subject(), self.room, free, self.table.source.count())
        offered = frozenset(name for name in (*NAMES, "back", "filter") if self.check_action(name, ()))
        if offered != self._offered:
            # To find all keys that apply takes longer than to paint a row.
            self._offered = offered
            self.refresh_bindings()

    def _tick(self) -> None:
        if self.is_current:
            self.take(self.room.snapshot)

    # What the keys and the mouse do

    def on_line_table_moved(self, message: LineTable.Moved) -> None:
        """A moving hand keeps the rows where they are."""
        if message.by_hand:
            self._order.moved(self.room.now())
            self._moved = True
        self._look()

    def on_line_table_chosen(self, _: LineTable.Chosen) -> None:
        """Enter, or a second click."""
        self.action_open()

    def on_word_line_said(self, said: WordLine.Said) -> None:
        """The table follows the words as they are typed."""
        if said.purpose == "filter":
            self._wanted = said.words
            self.shown(self.room.snapshot)
        elif row := named(self.room.snapshot.rows, said.words):
            self.table.move_to(row.key, by_hand=True)
        elif said.over and said.words:
            self.room.tell(f"no loop is called {said.words}", "warning")
        if said.over:
            self.table.focus()

    def action_open(self) -> None:
        """Down into the loop."""
        row = self.subject()
        if row is not None:
            self.open_loop(row)

    def action_peek(self) -> None:
        """Open or close the peek."""
        peek = self.query_one(Peek)
        peek.wanted = not peek.display
        self._look()

    def action_filter(self) -> None:
        """Words that a row must have."""
        self.query_one(WordLine).open("filter", self._wanted)

    def action_jump(self) -> None:
        """A loop by its name."""
        self.query_one(WordLine).open("jump")

    def action_boards(self) -> None:
        """What all loops have done, and what is open."""
        self.room.down("project")

    def action_harness(self) -> None:
        """What is around the models."""
        self.room.down("harness")

    def action_back(self) -> None:
        """Up: out of the filter, out of the peek."""
        if self._wanted:
            self._wanted = ""
            self.shown(self.room.snapshot)
        else:
            self.query_one(Peek).wanted = False
            self._look()
