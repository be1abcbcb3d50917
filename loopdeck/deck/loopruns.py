"""The runs of one loop, looked at one at a time: its newest, or an older one that was chosen.

Reads files, for a worker: never on the UI thread, and for one caller at a time.
"""

from collections import deque

from msgspec import Struct, structs

from loopdeck.deck.decks import Deck
from loopdeck.deck.history import HistoryReader
from loopdeck.deck.passes import History
from loopdeck.deck.rows import Known, Sums, finished, run_row, whole
from loopdeck.deck.snapshot import LoopRow
from loopdeck.store.layout import RunPaths


class Looked(Struct, frozen=True, eq=False):
    """What was found: the run's history (None if the loop has no run), its row, and which of how many runs it is, from 1."""

    history: History | None
    row: LoopRow
    at: int = 0
    of: int = 0

    @property
    def newest(self) -> bool:
        """True if it is the loop's newest run."""
        return self.at == self.of


class LoopRuns:
    """The runs of a loop of `deck`. Stays on the newest run, also when there is a newer one, unless another was chosen."""

    def __init__(self, deck: Deck, loop: str, run: str = "") -> None:
        self._deck = deck
        self._loop = loop
        self._chosen = run
        self._steps: deque[int] = deque()
        self._reader: HistoryReader | None = None

    def step(self, by: int) -> None:
        """Go so many runs on (-1: to the one before) with the next look. From any thread."""
        self._steps.append(by)

    def look(self, row: LoopRow) -> Looked:
        """The chosen run as it is now. `row` is the newest's. Raises StoreError."""
        runs = self._deck.home.runs_of(self._loop)
        if not runs:
            return Looked(None, row)
        at = self._at(runs, sum(self._steps.popleft() for _ in range(len(self._steps))))
        paths = runs[at]
        if self._reader is None or self._reader.paths != paths:
            self._reader = HistoryReader(paths)
        history = self._reader.look()
        seen = row if row.run == paths.run else self._row_of(paths, row)
        return Looked(history, seen, at + 1, len(runs))

    def _at(self, runs: list[RunPaths], step: int) -> int:
        last = len(runs) - 1
        at = next((place for place, paths in enumerate(runs) if paths.run == self._chosen), last)
        at = max(0, min(at + step, last))
        # Who is on the newest stays on the newest.
        self._chosen = "" if at == last else runs[at].run
        return at

    def _row_of(self, paths: RunPaths, newest: LoopRow) -> LoopRow:
        """The row of a run that the snapshot does not tell of; what the loop's file says is taken from the newest's."""
        seen = self._deck.view(paths)
        key = f"{newest.deck}/{paths.loop}/{paths.run}"
        row = run_row(seen, Known(key, newest.deck), whole(seen.run, finished(seen.run, Sums(), "")))
        return structs.replace(row, agent=newest.agent, level=newest.level, layers=newest.layers, trigger=newest.trigger)
