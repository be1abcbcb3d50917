"""One loop: its picture, a row for each iteration of a run, and below the selected iteration's verdicts and findings.

Shows the newest run, and goes on to a newer one, unless an older was chosen. Works the same while the run goes on and after it.
"""

from pathlib import Path

from textual.app import ComposeResult

from loopdeck.core.columns import Cell, cell
from loopdeck.deck.loopboard import COLUMNS, Iterations, badges, contract, picture, standing
from loopdeck.deck.loopruns import Looked, LoopRuns
from loopdeck.deck.passboard import iteration
from loopdeck.deck.passes import Pass
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.errors import LoopdeckError
from loopdeck.tui.actions.allowed import NAMES
from loopdeck.tui.beside import Beside
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.hand import Hand
from loopdeck.tui.widgets.block import Block
from loopdeck.tui.widgets.facts import FactList
from loopdeck.tui.widgets.lines import LineTable

_EMPTY = "No iteration yet."
_NO_RUN = "This loop has no run yet. Press s to start one."


class LoopScreen(Hand, RoomScreen):
    """The iterations of a loop's run."""

    SCOPE = "loop"
    CSS = """
    LoopScreen #passes { height: 2; max-height: 45%; }
    LoopScreen #facts { height: 1fr; border-top: solid $panel; }
    """

    def __init__(self, row: LoopRow) -> None:
        super().__init__()
        self._row = row
        self._seen: Looked | None = None
        self._asked: LoopRow | None = None
        self._marked = 0
        self._runs: LoopRuns | None = None
        self._beside: Beside[Looked] | None = None

    def body(self) -> ComposeResult:
        """The picture and the exit, the iterations, the one under the cursor."""
        yield Block(id="head")
        yield LineTable(COLUMNS, empty=_EMPTY, id="passes")
        yield FactList(empty="", id="facts")

    def title_words(self) -> str:
        """Which loop and which of its runs."""
        row, seen = self._shown_row(), self._seen
        which = f"  run {seen.at} of {seen.of}" if seen and seen.of > 1 else ""
        return f"{row.loop}  {row.run}{which}"

    def on_mount(self) -> None:
        """The table has the keys."""
        self._runs = LoopRuns(self.room.deck_of(self._row), self._row.loop, self._older(self._row))
        self._beside = Beside(self.room, self._looked)
        super().on_mount()

    def shown(self, snapshot: Snapshot) -> None:
        """Look at the journal whenever the row is another one; what is known is shown at once."""
        self._row = _newest(self._row, snapshot) or self._row
        if self._row is not self._asked:
            self._asked = self._row
            self._look()
        self._paint_head()

    def subject(self) -> LoopRow | None:
        """The run in front of you: an older one, if that was chosen."""
        return self._shown_row()

    def hand_actions(self) -> frozenset[str]:
        """All of the hand's."""
        return NAMES - {"open"}

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Other runs are offered where there are any; a finding's file where there is one."""
        seen = self._seen
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
        history = self._seen.history if self._seen else None
        return history.at(int(self.table.cursor)) if history and self.table.cursor else None

    # Looking

    def _older(self, row: LoopRow) -> str:
        newest = _newest(row, self.room.snapshot)
        return "" if newest is None or newest.run == row.run else row.run

    def _shown_row(self) -> LoopRow:
        return self._seen.row if self._seen and not self._seen.newest else self._row

    def _look(self, step: int = 0) -> None:
        runs, row = self._runs, self._row
        if runs is not None and self._beside is not None:
            if step:
                runs.step(step)
            self._beside.want(lambda: runs.look(row))

    def _looked(self, seen: Looked) -> None:
        if not self.is_attached:
            return
        before, self._seen = self._seen, seen
        other = before is None or before.row.run != seen.row.run
        if other:
            self._marked = 0
        self._fill(newest=other or self._at_end(before))
        self.take(self.room.snapshot)
        self.refresh_bindings()

    def _at_end(self, before: Looked | None) -> bool:
        return bool(before and before.history and self.table.at == len(before.history.passes) - 1)

    def _fill(self, *, newest: bool) -> None:
        """Show the iterations; the cursor goes on to the newest if it was there, or if the run is another."""
        history = self._seen.history if self._seen else None
        table = self.table
        if history is None:
            self.query_one(FactList).show(())
            return
        old = table.source if isinstance(table.source, Iterations) else None
        table.styles.height = max(2, len(history.passes) + 1)
        table.fill(Iterations(history, self._marked, old))
        if newest and history.passes:
            table.move_to(str(history.passes[-1].number))
        self._paint_facts()

    def _paint_head(self) -> None:
        history = self._seen.history if self._seen else None
        row = self._shown_row()
        lines: list[tuple[Cell, ...]] = [*picture(row, history, self.size.width), standing(row, self.room.now())]
        lines += [contract(row, history), badges(row)]
        if self._marked:
            lines.append((cell(f"◉ iteration {self._marked} is put aside: c on another compares, c on it lets go", "accent"),))
        self.query_one(Block).say(tuple(lines))

    def _paint_facts(self) -> None:
        one = self.selected()
        history = self._seen.history if self._seen else None
        if one is not None and history is not None:
            self.query_one(FactList).show(iteration(one, history))

    def on_resize(self) -> None:
        """The picture is as wide as the screen."""
        if self.is_mounted:
            self._paint_head()

    # What the keys do

    def on_line_table_moved(self, message: LineTable.Moved) -> None:
        """Another iteration: its findings, from the top."""
        if message.table is self.table:
            self._paint_facts()
            self.query_one(FactList).top()

    def on_line_table_chosen(self, _: LineTable.Chosen) -> None:
        """Enter, or a second click."""
        self.action_open()

    def action_open(self) -> None:
        """Down into the trace, at this iteration."""
        from loopdeck.tui.screens.trace import TraceScreen

        one = self.selected()
        if one is not None:
            self.room.open(TraceScreen(self._shown_row(), iteration=one.number))

    def action_failing(self) -> None:
        """To the first iteration after the cursor with a failing check; after the last, the first of all."""
        history = self._seen.history if self._seen else None
        failing = [one.number for one in history.passes if one.first_failing] if history else []
        if not failing:
            self.room.tell("no check has failed in this run")
            return
        here = int(self.table.cursor or 0)
        at_first = here in failing and self.query_one(FactList).has_focus
        after = [number for number in failing if number > here] if at_first else []
        self.table.move_to(str(after[0] if after else failing[0]), by_hand=True)
        self.query_one(FactList).focus()

    def action_mark(self) -> None:
        """Put the iteration aside; on a second one, compare the two."""
        one = self.selected()
        if one is None:
            return
        if self._marked and self._marked != one.number:
            self._compare(self._marked, one.number)
            return
        self._marked = 0 if self._marked else one.number
        self._fill(newest=False)
        self._paint_head()

    def action_before(self) -> None:
        """Beside the one before."""
        one = self.selected()
        if one is not None:
            self._compare(one.number - 1, one.number)

    def _compare(self, one: int, other: int) -> None:
        from loopdeck.tui.screens.compare import CompareScreen

        if self._seen and self._seen.history:
            self.room.open(CompareScreen(self._shown_row(), self._seen.history, one, other))

    def action_older(self) -> None:
        """The run before."""
        self._look(-1)

    def action_newer(self) -> None:
        """The run after."""
        self._look(1)

    def action_file(self) -> None:
        """The file of the finding under the cursor, in the run's worktree."""
        from loopdeck.tui.editor import open_file

        fact, row = self.query_one(FactList).fact, self._shown_row()
        file = Path(row.worktree) / fact.path if fact and fact.path and row.worktree else None
        if file is None or fact is None:
            self.room.tell("tab to the findings and put the cursor on one that names a file")
            return
        try:
            open_file(self.app, file, fact.line)
        except LoopdeckError as error:
            self.room.tell(str(error), "error")


def _newest(row: LoopRow, snapshot: Snapshot) -> LoopRow | None:
    """The row of the newest run of the same loop."""
    return max((one for one in snapshot.rows if (one.deck, one.loop) == (row.deck, row.loop)), key=lambda one: one.run, default=None)
