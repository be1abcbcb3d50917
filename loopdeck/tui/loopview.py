"""What the loop screen shows, and how it keeps up with the run's journal; its keys are in `screens.loop`.

Invariant: what is on the screen is of one run, and of one reading of its journal. Files are read by a worker, never here.
"""

from textual.app import ComposeResult

from loopdeck.core.columns import Cell, cell
from loopdeck.deck.loopboard import COLUMNS, Iterations, badges, contract, picture, standing
from loopdeck.deck.loopruns import Looked, LoopRuns
from loopdeck.deck.passboard import iteration
from loopdeck.deck.passes import Pass
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.tui.actions.allowed import NAMES
from loopdeck.tui.beside import Beside
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.hand import Hand
from loopdeck.tui.widgets.block import Block
from loopdeck.tui.widgets.facts import FactList
from loopdeck.tui.widgets.lines import LineTable

_EMPTY = "No iteration yet."


class LoopView(Hand, RoomScreen):
    """The iterations of a loop's run, without keys of their own."""

    CSS = """
    LoopView #passes { height: 2; max-height: 45%; }
    LoopView #facts { height: 1fr; border-top: solid $panel; }
    """

    def __init__(self, row: LoopRow) -> None:
        super().__init__()
        self._row = row
        self.seen: Looked | None = None
        self._asked: LoopRow | None = None
        self.marked = 0
        self._runs: LoopRuns | None = None
        self._beside: Beside[Looked] | None = None

    def body(self) -> ComposeResult:
        """The picture and the exit, the iterations, the one under the cursor."""
        yield Block(id="head")
        yield LineTable(COLUMNS, empty=_EMPTY, id="passes")
        yield FactList(empty="", id="facts")

    def title_words(self) -> str:
        """Which loop and which of its runs."""
        row, seen = self.shown_row(), self.seen
        which = f"  run {seen.at} of {seen.of}" if seen and seen.of > 1 else ""
        return f"{row.loop}  {row.run}{which}"

    def on_mount(self) -> None:
        """The table has the keys."""
        self._runs = LoopRuns(self.room.deck_of(self._row), self._row.loop, self._older(self._row))
        self._beside = Beside(self.room, self._looked)

    def shown(self, snapshot: Snapshot) -> None:
        """Look at the journal whenever the row is another one; what is known is shown at once."""
        self._row = _newest(self._row, snapshot) or self._row
        if self._row is not self._asked:
            self._asked = self._row
            self.look()
        self.paint_head()

    def subject(self) -> LoopRow | None:
        """The run in front of you: an older one, if that was chosen."""
        return self.shown_row()

    def hand_actions(self) -> frozenset[str]:
        """All of the hand's."""
        return NAMES - {"open"}

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Other runs are offered where there are any; a finding's file where there is one."""
        seen = self.seen
        match action:
            case "older":
                return seen is not None and seen.at > 1
            case "newer":
                return seen is not None and not seen.newest
            case "failing" | "mark" | "before" | "open" | "file":
                return bool(seen and seen.history and seen.history.passes)
            case _:
                return super().check_action(action, parameters)

    @property
    def table(self) -> LineTable:
        """The iterations."""
        return self.query_one("#passes", LineTable)

    def selected(self) -> Pass | None:
        """The iteration under the cursor."""
        history = self.seen.history if self.seen else None
        return history.at(int(self.table.cursor)) if history and self.table.cursor else None

    # Looking

    def _older(self, row: LoopRow) -> str:
        newest = _newest(row, self.room.snapshot)
        return "" if newest is None or newest.run == row.run else row.run

    def shown_row(self) -> LoopRow:
        """The row of the run in front of you."""
        return self.seen.row if self.seen and not self.seen.newest else self._row

    def look(self, step: int = 0) -> None:
        """Read on, `step` runs further (-1: the one before); what is found comes to `_looked`."""
        runs, row = self._runs, self._row
        if runs is not None and self._beside is not None:
            if step:
                runs.step(step)
            self._beside.want(lambda: runs.look(row))

    def _looked(self, seen: Looked) -> None:
        if not self.is_attached:
            return
        before, self.seen = self.seen, seen
        other = before is None or before.row.run != seen.row.run
        if other:
            self.marked = 0
        self.fill(newest=other or self._at_end(before))
        self.take(self.room.snapshot)
        self.refresh_bindings()

    def _at_end(self, before: Looked | None) -> bool:
        return bool(before and before.history and self.table.at == len(before.history.passes) - 1)

    def fill(self, *, newest: bool) -> None:
        """Show the iterations; the cursor goes on to the newest if it was there, or if the run is another."""
        history = self.seen.history if self.seen else None
        table = self.table
        if history is None:
            self.query_one(FactList).show(())
            return
        old = table.source if isinstance(table.source, Iterations) else None
        table.styles.height = max(2, len(history.passes) + 1)
        table.fill(Iterations(history, self.marked, old))
        if newest and history.passes:
            table.move_to(str(history.passes[-1].number))
        self.paint_facts()

    def paint_head(self) -> None:
        """The picture and what stands below it."""
        history = self.seen.history if self.seen else None
        row = self.shown_row()
        lines: list[tuple[Cell, ...]] = [*picture(row, history, self.size.width), standing(row, self.room.now())]
        lines += [contract(row, history), badges(row)]
        if self.marked:
            lines.append((cell(f"◉ iteration {self.marked} is put aside: c on another compares, c on it lets go", "accent"),))
        self.query_one(Block).say(tuple(lines))

    def paint_facts(self) -> None:
        """The iteration under the cursor."""
        one = self.selected()
        history = self.seen.history if self.seen else None
        if one is not None and history is not None:
            self.query_one(FactList).show(iteration(one, history))

    def on_resize(self) -> None:
        """The picture is as wide as the screen."""
        if self.is_mounted:
            self.paint_head()


def _newest(row: LoopRow, snapshot: Snapshot) -> LoopRow | None:
    """The row of the newest run of the same loop."""
    return max((one for one in snapshot.rows if (one.deck, one.loop) == (row.deck, row.loop)), key=lambda one: one.run, default=None)
