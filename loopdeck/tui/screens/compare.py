"""Two iterations of a run beside each other: findings, verdicts and figures, and what changed in the state and in the files."""

from textual import events
from textual.app import ComposeResult
from textual.containers import Container

from loopdeck.deck.compare import compare, ordered
from loopdeck.deck.differences import Differences, differences
from loopdeck.deck.passboard import compared, lines_of
from loopdeck.deck.passes import History
from loopdeck.deck.snapshot import LoopRow
from loopdeck.tui.beside import Beside
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.widgets.diffview import DiffView
from loopdeck.tui.widgets.facts import FactList

WIDE = 110
"""From this width on the two halves stand beside each other."""


class CompareScreen(RoomScreen):
    """What lies between two iterations."""

    SCOPE = "compare"
    AUTO_FOCUS = "FactList"
    CSS = """
    CompareScreen #halves { height: 1fr; layout: vertical; }
    CompareScreen #halves > * { width: 1fr; height: 1fr; }
    CompareScreen DiffView { border-top: solid $panel; }
    CompareScreen.wide #halves { layout: horizontal; }
    CompareScreen.wide DiffView { border-top: none; border-left: solid $panel; width: 3fr; }
    CompareScreen.wide FactList { width: 2fr; }
    """

    def __init__(self, row: LoopRow, history: History, one: int, other: int) -> None:
        super().__init__()
        self._row = row
        self._history = history
        self._before, self._after = ordered(one, other)
        self._beside: Beside[tuple[tuple[int, int], Differences]] | None = None

    def body(self) -> ComposeResult:
        """What the checks and the ledger say, and what the files say."""
        with Container(id="halves"):
            yield FactList(id="told")
            yield DiffView(empty="…", id="diff")

    def title_words(self) -> str:
        """Which two."""
        before = f"iteration {self._before}" if self._before else "the beginning"
        return f"{self._row.loop}  {before} → iteration {self._after}"

    def on_mount(self) -> None:
        """The facts are there; the diff comes from git."""
        self._beside = Beside(self.room, self._found)
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Beside each other where there is room."""
        self.set_class(event.size.width >= WIDE, "wide")

    def _show(self) -> None:
        after = self._history.at(self._after)
        if after is None or self._beside is None:
            return
        facts = self.query_one(FactList)
        facts.show(compared(compare(self._history.at(self._before), after)))
        facts.top()
        deck, paths, history = self.room.deck_of(self._row), self.room.paths_of(self._row), self._history
        pair = (self._before, self._after)
        self._beside.want(lambda: (pair, differences(deck, paths, history, *pair)))
        self.take(self.room.snapshot)
        self.refresh_bindings()

    def _found(self, found: tuple[tuple[int, int], Differences]) -> None:
        pair, seen = found
        if self.is_attached and pair == (self._before, self._after):
            self.query_one(DiffView).show(lines_of(seen))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only where there is another iteration on that side."""
        match action:
            case "earlier":
                return self._before > 0
            case "later":
                return self._after < len(self._history.passes)
            case _:
                return super().check_action(action, parameters)

    def action_earlier(self) -> None:
        """Take the one before as the older of the two."""
        self._before -= 1
        self._show()

    def action_later(self) -> None:
        """Take the next as the younger of the two."""
        self._after += 1
        self._show()
