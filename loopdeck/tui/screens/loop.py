"""One loop: its picture, a row for each iteration of a run, and below the selected iteration's verdicts and findings.

Shows the newest run, and goes on to a newer one, unless an older was chosen. Works the same while the run goes on and after it.
"""

from pathlib import Path

from loopdeck.errors import LoopdeckError
from loopdeck.tui.loopview import LoopView
from loopdeck.tui.widgets.facts import FactList
from loopdeck.tui.widgets.lines import LineTable


class LoopScreen(LoopView):
    """The iterations of a loop's run."""

    SCOPE = "loop"

    def on_line_table_moved(self, message: LineTable.Moved) -> None:
        """Another iteration: its findings, from the top."""
        if message.table is self.table:
            self.paint_facts()
            self.query_one(FactList).top()

    def on_line_table_chosen(self, _: LineTable.Chosen) -> None:
        """Enter, or a second click."""
        self.action_open()

    def action_open(self) -> None:
        """Down into the trace, at this iteration."""
        from loopdeck.tui.screens.trace import TraceScreen

        one = self.selected()
        if one is not None:
            self.room.open(TraceScreen(self.shown_row(), iteration=one.number))

    def action_failing(self) -> None:
        """To the first iteration after the cursor with a failing check; after the last, the first of all."""
        history = self.seen.history if self.seen else None
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
        if self.marked and self.marked != one.number:
            self._compare(self.marked, one.number)
            return
        self.marked = 0 if self.marked else one.number
        self.fill(newest=False)
        self.paint_head()

    def action_before(self) -> None:
        """Beside the one before."""
        one = self.selected()
        if one is not None:
            self._compare(one.number - 1, one.number)

    def _compare(self, one: int, other: int) -> None:
        from loopdeck.tui.screens.compare import CompareScreen

        if self.seen and self.seen.history:
            self.room.open(CompareScreen(self.shown_row(), self.seen.history, one, other))

    def action_older(self) -> None:
        """The run before."""
        self.look(-1)

    def action_newer(self) -> None:
        """The run after."""
        self.look(1)

    def action_file(self) -> None:
        """The file of the finding under the cursor, in the run's worktree."""
        from loopdeck.tui.editor import open_file

        fact, row = self.query_one(FactList).fact, self.shown_row()
        file = Path(row.worktree) / fact.path if fact and fact.path and row.worktree else None
        if file is None or fact is None:
            self.room.tell("tab to the findings and put the cursor on one that names a file")
            return
        try:
            open_file(self.app, file, fact.line)
        except LoopdeckError as error:
            self.room.tell(str(error), "error")
