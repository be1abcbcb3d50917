"""The deck: one row per loop, those that need the operator on top.

The order is the reader's. While a hand is on the keys the rows stay where they are; a moment after, they are sorted anew and the
cursor stays on its loop.
"""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from loopdeck.deck.board import COLUMNS
from loopdeck.deck.boardrows import BoardRows
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.tui.actions.allowed import NAMES
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.hand import Hand
from loopdeck.tui.text import content, line
from loopdeck.tui.widgets.lines import LineTable
from loopdeck.tui.widgets.peek import Peek

HAND_REST_S = 2.0
"""How long after the last key of a moving hand the rows stay in their order."""
_TICK_S = 1.0
_EMPTY = "No loops yet. Press N for a new one, or run `loopdeck new NAME`; `loopdeck demo` shows what loops are."


class DeckScreen(Hand, RoomScreen):
    """All loops of all decks."""

    SCOPE = "deck"
    CSS = """
    DeckScreen #trouble { height: auto; max-height: 2; padding: 0 1; color: $error; display: none; }
    DeckScreen #hint { height: auto; max-height: 2; padding: 0 1; background: $primary-muted; display: none; }
    DeckScreen Input { height: 1; border: none; padding: 0 1; background: $panel; display: none; }
    DeckScreen Input.open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self) -> None:
        super().__init__()
        self._order: tuple[str, ...] = ()
        self._moved_at = 0.0
        self._rows: BoardRows | None = None
        self._offered: frozenset[str] = frozenset()
        self._troubles: tuple[str, ...] = ()
        self._wanted = ""
        self._jumping = False

    def body(self) -> ComposeResult:
        """The table, what is peeked at, the line for words."""
        with Vertical():
            yield Static("", markup=False, id="trouble")
            yield Static("", markup=False, id="hint")
            yield LineTable(COLUMNS, empty=_EMPTY, id="loops")
            yield Peek()
            yield Input(id="words", compact=True)

    def on_mount(self) -> None:
        """Ages grow without anything being written."""
        super().on_mount()
        self.set_interval(_TICK_S, self._tick)

    def shown(self, snapshot: Snapshot) -> None:
        """The rows that fit the filter, in the order of who needs the operator."""
        rows = {row.key: row for row in snapshot.rows if self._fits(row)}
        self._order = self._ordered(tuple(rows))
        names = tuple(deck.name for deck in snapshot.decks)
        self._rows = BoardRows([rows[key] for key in self._order], self.room.now(), names, self._rows)
        self.table.fill(self._rows)
        self._hint(snapshot)
        self._say(tuple(words for deck in snapshot.decks for words in deck.trouble))
        self._peek()
        offered = frozenset(name for name in (*NAMES, "back") if self.check_action(name, ()))
        if offered != self._offered:
            # To find all keys that apply takes longer than to paint a row.
            self._offered = offered
            self.refresh_bindings()

    @property
    def table(self) -> LineTable:
        """The loops."""
        return self.query_one("#loops", LineTable)

    def subject(self) -> LoopRow | None:
        """The loop under the cursor."""
        return self.room.snapshot.row(self.table.cursor) if self.is_mounted else None

    def hand_actions(self) -> frozenset[str]:
        """All of the hand's, and what opens a loop."""
        return NAMES

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is something to come back from only if something is open."""
        if action == "back":
            return bool(self._wanted) or (self.is_mounted and self.query_one(Peek).display)
        return super().check_action(action, parameters)

    def _fits(self, row: LoopRow) -> bool:
        if not self._wanted or self._jumping:
            return True
        text = f"{row.loop} {row.status} {row.reason or ''} {row.why} {row.agent} {row.model}".lower()
        return all(word in text for word in self._wanted.lower().split())

    def _ordered(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """The reader's order; the one on the screen, as long as a hand moves there, with what is new at its end."""
        if self.room.now() - self._moved_at >= HAND_REST_S:
            return keys
        still = [key for key in self._order if key in keys]
        return (*still, *(key for key in keys if key not in self._order))

    def _say(self, troubles: tuple[str, ...]) -> None:
        said = self.query_one("#trouble", Static)
        said.display = bool(troubles)
        if troubles != self._troubles:
            # It makes the screen be laid out anew.
            self._troubles = troubles
            said.update(line("! " + "; ".join(troubles), 400))

    def _tick(self) -> None:
        if self.is_current:
            self.take(self.room.snapshot)

    def _peek(self) -> None:
        peek = self.query_one(Peek)
        if peek.display:
            peek.show(self.subject(), self.room)

    def _hint(self, snapshot: Snapshot) -> None:
        lead = self.room.lead
        if lead is not None:
            _, words = lead.hint(snapshot, self.room.looked_at)
            line = self.query_one("#hint", Static)
            line.display = True
            line.update(content(words))

    # What the keys and the mouse do

    def on_line_table_moved(self, message: LineTable.Moved) -> None:
        """A moving hand keeps the rows where they are."""
        if message.by_hand:
            self._moved_at = self.room.now()
        self._peek()
        self.refresh_bindings()

    def on_line_table_chosen(self, _: LineTable.Chosen) -> None:
        """Enter, or a second click."""
        self.action_open()

    def action_open(self) -> None:
        """Down into the loop."""
        row = self.subject()
        if row is not None:
            self.open_loop(row)

    def action_peek(self) -> None:
        """Open or close the peek."""
        peek = self.query_one(Peek)
        peek.display = not peek.display
        self._peek()

    def action_filter(self) -> None:
        """Words that a row must have."""
        self._ask(jumping=False)

    def action_jump(self) -> None:
        """A loop by its name."""
        self._ask(jumping=True)

    def action_harness(self) -> None:
        """What is around the models."""
        self.room.down("harness")

    def action_back(self) -> None:
        """Up: out of the words, out of the filter, out of the peek."""
        peek = self.query_one(Peek)
        if self.query_one("#words", Input).has_class("open") or self._wanted:
            self._words_done("")
        elif peek.display:
            peek.display = False

    def _ask(self, *, jumping: bool) -> None:
        self._jumping = jumping
        words = self.query_one("#words", Input)
        words.placeholder = "jump to a loop: its name, or how it begins" if jumping else "only loops with these words; escape shows all"
        words.value = "" if jumping else self._wanted
        words.add_class("open")
        words.focus()

    def _words_done(self, wanted: str) -> None:
        words = self.query_one("#words", Input)
        words.remove_class("open")
        self._wanted, self._jumping = wanted, False
        self.table.focus()
        self.shown(self.room.snapshot)

    def on_input_changed(self, event: Input.Changed) -> None:
        """The table follows the words as they are typed."""
        if not event.input.has_class("open"):
            return
        if self._jumping:
            self._land_on(event.value)
        else:
            self._wanted = event.value
            self.shown(self.room.snapshot)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: keep the filter, or stay where the jump led."""
        self._words_done("" if self._jumping else event.value)

    def on_key(self, event: events.Key) -> None:
        """Escape out of the words, whatever has the keys."""
        if event.key == "escape" and self.query_one("#words", Input).has_focus:
            event.stop()
            self._words_done("")

    def _land_on(self, words: str) -> None:
        if not words:
            return
        rows = self.room.snapshot.rows
        found = [row for row in rows if row.loop.startswith(words)] or [row for row in rows if words in row.loop]
        if found:
            self.table.move_to(found[0].key, by_hand=True)
