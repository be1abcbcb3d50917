"""The line above a trace: where the cursor is, what is shown and searched, what is still being found out."""

from collections.abc import Iterator

from textual.strip import Strip
from textual.widget import Widget

from loopdeck.core.columns import Cell, cell
from loopdeck.core.plural import some
from loopdeck.deck.traceboard import word
from loopdeck.deck.tracing import Tracing
from loopdeck.tui.widgets.painted import Painted

_DOING = {"index": "counting lines", "weave": "counting lines", "search": "searching", "glance": "looking through"}


class TraceBar(Painted, Widget):
    """One line; painted anew only if it says something else."""

    DEFAULT_CSS = """
    TraceBar { height: 1; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._left: tuple[Cell, ...] = ()
        self._right: tuple[Cell, ...] = ()

    def say(self, tracing: Tracing, at: int, state: tuple[Cell, ...]) -> None:
        """What there is to say of `tracing` with the cursor on place `at`; `state` stands on the right."""
        left = tuple(told(tracing, at))
        if (left, state) != (self._left, self._right):
            self._left, self._right = left, state
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line; where both don't fit, the left part is cut."""
        width = self.size.width
        edge = min(width, sum(len(one.text) for one in self._right) + 1)
        return Strip.join([self.strip((cell(" "), *self._left), width - edge), self.strip((*self._right, cell(" ")), edge)])


def told(tracing: Tracing, at: int) -> Iterator[Cell]:
    """The parts of the line's left side."""
    count, choice, search = tracing.count(), tracing.choice, tracing.search
    if not count:
        yield cell("nothing to show" if tracing.total() else "nothing in the trace yet", "dim")
    elif at < count:
        shown = "" if choice.everything else f", {at + 1:,} of {count:,} shown"
        where = "line" if tracing.places.aside(at) is None else "beside line"
        yield cell(f"{where} {tracing.number(at) + 1:,} of {tracing.total():,}{shown}")
    if not choice.everything:
        kinds = sorted({word(kind) for kind in choice.kinds})
        parts = [*kinds, f"iteration {choice.iteration}" if choice.iteration else "", "calls" if choice.calls else ""]
        yield cell(" · only", "dim")
        yield cell(f" {', '.join(part for part in parts if part)}", "warn")
    if search is not None:
        yield cell(' · "', "dim")
        yield cell(search.text, "ask")
        yield cell(f'" {some(search.count(), "hit")}', "dim")
    if task := tracing.task():
        yield cell(f" · {_DOING[task]} {tracing.progress():.0%}", "info")
