"""Why a loop is as it is: the answer first, then everything it rests on. Kept up to date while the run goes on."""

from datetime import UTC, datetime

from textual.app import ComposeResult

from loopdeck.deck.answer import Fact
from loopdeck.deck.board import mark
from loopdeck.deck.history import HistoryReader
from loopdeck.deck.passes import History
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.deck.view import RunView
from loopdeck.deck.why import Section, why
from loopdeck.tui.beside import Beside
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.widgets.facts import FactList

_TICK_S = 1.0
_Found = tuple[RunView, History]


class WhyScreen(RoomScreen):
    """The evidence."""

    SCOPE = "why"
    AUTO_FOCUS = "FactList"

    def __init__(self, row: LoopRow) -> None:
        super().__init__()
        self._row = row
        self._asked: LoopRow | None = None
        self._found: _Found | None = None
        self._reader: HistoryReader | None = None
        self._beside: Beside[_Found] | None = None

    def body(self) -> ComposeResult:
        """Facts in sections."""
        yield FactList(empty="…", id="facts")

    def title_words(self) -> str:
        """Of which run."""
        glyph, word = mark(self._row)
        return f"why  {self._row.loop}  {self._row.run}  {glyph.text} {word.text}"

    def on_mount(self) -> None:
        """Ages grow by themselves."""
        self._reader = HistoryReader(self.room.paths_of(self._row)) if self._row.run else None
        self._beside = Beside(self.room, self._looked)
        self.set_interval(_TICK_S, self._tick)

    def shown(self, snapshot: Snapshot) -> None:
        """Look again when the row is another one; it stays with the run it was opened on."""
        row = snapshot.row(self._row.key)
        if row is not None and row.run == self._row.run:
            self._row = row
        if not self._row.run:
            self.query_one(FactList).show((Section("Why", (Fact("idle", "this loop has no run yet: nobody and nothing started it"),)),))
        elif self._row is not self._asked:
            self._asked = self._row
            self._look()
        self._paint()

    def subject(self) -> LoopRow | None:
        """The run."""
        return self._row

    def _look(self) -> None:
        reader, deck = self._reader, self.room.deck_of(self._row)
        if reader is not None and self._beside is not None:
            self._beside.want(lambda: (deck.view(reader.paths), reader.look()))

    def _looked(self, found: _Found) -> None:
        if self.is_attached:
            self._found = found
            self._paint()

    def _tick(self) -> None:
        """A runner that hangs writes nothing, so its lease is looked at."""
        if self.is_current and self._row.live:
            self._look()

    def _paint(self) -> None:
        if self._found is not None:
            one, history = self._found
            now = datetime.fromtimestamp(self.room.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self.query_one(FactList).show(why(one, history, now))

    def action_trace(self) -> None:
        """Everything it did."""
        if self._row.run:
            self.room.down("trace", self._row)

    def action_loop(self) -> None:
        """Its iterations."""
        self.room.down("loop", self._row)
