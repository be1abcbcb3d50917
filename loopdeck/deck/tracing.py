"""A run's trace as a list that can be looked at, searched and filtered, however long it is and while it grows.

Everything that takes time is done by `work`, a millisecond or two at a time, so that whoever shows the list can call it between two
frames. Invariant: what is shown is what has been found out so far, in the order of the file (or of the tree of calls), never a guess:
except for the last lines of a trace that is still being indexed, see `Window.foresee`; `shift` says by how much that was wrong.

Between the lines stand asides (see `deck.asides`), once all lines are counted. A place is where something stands in the list, a number
that of a line in the file: an aside has none.
"""

from array import array
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from msgspec import Struct

from loopdeck.core.trace import ToolCalled, ToolReturned
from loopdeck.core.traceline import WIDE, Told, told
from loopdeck.deck.tracehits import Search
from loopdeck.deck.tracelinks import time_start
from loopdeck.deck.tracepick import Choice, Picked, Picks
from loopdeck.deck.weaving import Places, Show, Weave
from loopdeck.store.glances import Glance, Glances
from loopdeck.store.trace import TraceEntry, TraceWindow, window_on_trace

_INDEX = 1 << 20
_PIECES = 2
_LINES = 8_000

Task = Literal["index", "weave", "search", "glance", ""]


class Line(Struct, frozen=True):
    """A line of the trace in short: its number from 0, when it was written (UTC), and what it tells; None if it can't be read.

    `raw` is the beginning of a line that can't be read. An aside's number is below 0.
    """

    number: int
    at: str
    told: Told | None
    raw: bytes = b""


class Tracing:
    """The trace at `path`. Keeps a descriptor open; `close` it. Not for several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.window = window_on_trace(path)
        self.glances = Glances(self.window)
        self.choice = Choice()
        self.search: Search | None = None
        self.shift = 0
        self.settled = False
        self._generation = 0
        self._foreseen = 0
        self._picks = Picks(self.glances, partial(_call_of, self.window))
        self._searching = False
        self._weave = Weave()
        self.places = Places(self._weave, partial(_on_show, self))

    def open(self) -> None:
        """Make the last lines known at once. Raises StoreError."""
        self._foreseen = self.window.foresee()

    def close(self) -> None:
        """Give the file back."""
        self.window.close()

    def total(self) -> int:
        """Lines of the trace, as far as known or foreseen."""
        return self.window.count() if self.settled else max(self.window.count(), self._foreseen)

    def count(self) -> int:
        """Lines and asides that are shown."""
        return self.places.count()

    def number(self, place: int) -> int:
        """The number of the line shown at `place`, from 0; of an aside, that of the line before it."""
        return self.places.number(place)

    def place(self, number: int) -> int:
        """Where line `number` is shown, or the next one after it that is; at most the last place."""
        return self.places.place(number)

    def numbers(self) -> "array[int] | None":
        """The numbers of all lines that are shown, as they are now; None for all there are."""
        return None if self._picks.shown is None else array("I", self._picks.shown.numbers)

    def shows(self, number: int) -> bool:
        """True if line `number` is one of those shown."""
        return self.places.lines() > 0 and self.number(self.place(number)) == number

    def lines(self, places: Sequence[int]) -> list[Line | None]:
        """The lines at `places`; None for what is not known yet. Raises StoreError."""
        found: dict[int, Line] = {}
        keys = [self.places.key(place) for place in places if 0 <= place < self.count()]
        for key in (one for one in keys if one < 0):
            aside = self._weave.aside(-1 - key)
            told_of = Told(aside.kind, aside.iteration, aside.head, aside.said[:WIDE], len(aside.said), aside.trouble)
            found[key] = Line(key, aside.at, told_of)
        numbers = [one for one in keys if one >= 0]
        for first, count in _runs(numbers):
            for row in self.window.rows(first, count):
                entry = row.entry
                short = None if entry is None else told(entry.event)
                found[row.number] = Line(row.number, "" if entry is None else entry.at, short, row.raw[:WIDE])
        return [found.get(self.places.key(place)) if 0 <= place < self.count() else None for place in places]

    def entry(self, number: int) -> TraceEntry | None:
        """Line `number` whole, or None if it can't be read. Raises StoreError."""
        return _entry(self.window, number)

    def choose(self, choice: Choice) -> None:
        """Show these lines from now on; what they are is found out by `work`."""
        self.choice = choice
        self._picks.choose(choice)

    def look_for(self, text: str, number: int) -> None:
        """Search `text`, from line `number` on; no text ends the search."""
        self.search = Search(self.window, text, number) if text else None
        self._searching = bool(text)

    def marked(self, name: str, takes: Callable[[Glance], bool]) -> Picked:
        """All lines that `takes` takes, kept under a name and grown by `work` from now on."""
        return self._picks.marked(name, takes)

    def task(self) -> Task:
        """What `work` would do next."""
        if not self.settled:
            return "index"
        if self._weave.waits(self.window.count()):
            return "weave"
        if self.search is not None and self._searching:
            return "search"
        return "glance" if self._picks.upto(self.window.count()) < self.window.count() else ""

    def looked_at(self) -> int:
        """Up to which line it is known what is shown."""
        return self.total() if self._picks.shown is None else self._picks.shown.upto

    def progress(self) -> float:
        """How far the task at hand is, from 0 to 1."""
        match self.task():
            case "index":
                return self.window.known / max(1, self.window.size)
            case "search" if self.search is not None:
                return self.search.progress()
            case "glance":
                return self._picks.upto(self.window.count()) / max(1, self.window.count())
            case _:
                return 1.0

    def work(self) -> bool:
        """A millisecond or two of what is to be done; True if nothing is left to do just now. Raises StoreError."""
        match self.task():
            case "index":
                self._index()
            case "weave":
                self._weave.look(partial(time_start, self.window), self.window.count())
            case "search" if self.search is not None:
                self._searching = not self.search.step()
            case "glance":
                self.glances.grow(_PIECES)
                self._picks.grow(_LINES)
            case _:
                return True
        return not self.task()

    def poll(self) -> bool:
        """See whether the trace has grown; True if there is something to do. Raises StoreError."""
        if self.settled:
            before = self.window.count()
            self._index()
            self._searching = self.search is not None and (self._searching or self.window.count() != before)
        return bool(self.task())

    def _index(self) -> None:
        done = self.window.grow(_INDEX)
        if done and not self.settled:
            self.shift = self.window.count() - self._foreseen if self._foreseen else 0
            self._foreseen = 0
        self.settled = done
        if self.window.generation != self._generation:
            self._generation = self.window.generation
            self._foreseen = 0
            self._picks.forget()
            self._weave.forget()
            self.choose(self.choice)
            self.look_for(self.search.text if self.search is not None else "", 0)


def _on_show(tracing: Tracing) -> Show:
    shown = tracing._picks.shown
    return Show(tracing.settled, tracing.choice, None if shown is None else shown.numbers, tracing.total(), shown)


def _entry(window: TraceWindow, number: int) -> TraceEntry | None:
    return next((row.entry for row in window.rows(number, 1)), None)


def _call_of(window: TraceWindow, number: int) -> str:
    entry = _entry(window, number)
    return entry.event.call if entry is not None and isinstance(entry.event, ToolCalled | ToolReturned) else ""


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """`numbers` as stretches of neighbours: the first one and how many."""
    runs: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][0] + runs[-1][1] == number:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return runs
