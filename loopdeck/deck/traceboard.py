"""How a line of a trace looks, as styled cells: its number, time, iteration, kind in a word, and the gist.

Colour never says anything alone: what went wrong has a mark as well. Everything of the agent's goes through the sanitiser here.
"""

from collections.abc import Iterator

from loopdeck.core.columns import Cell, cell
from loopdeck.core.text import Shown
from loopdeck.core.traceline import WIDE, Told
from loopdeck.core.usage import dollars
from loopdeck.deck.asides import ASIDES
from loopdeck.deck.tracing import Line

_WORDS = {
    "prompt_sent": ("prompt", "info"),
    "model_replied": ("reply", "accent"),
    "model_failed": ("failed", "bad"),
    "tool_called": ("call", "key"),
    "tool_returned": ("result", "plain"),
    "check_ran": ("check", "strong"),
    "state_read": ("state", "dim"),
    "state_written": ("state", "dim"),
    "committed": ("commit", "add"),
    "waited": ("wait", "warn"),
    "noted": ("note", "dim"),
}
_LOUD = {"asked": "ask", "answer": "ask", "end": "strong", "reject": "bad"}
_WORDS |= {kind: (kind, _LOUD.get(kind, "warn")) for kind in ASIDES}
KINDS = tuple(_WORDS)
"""The kinds there are, in the order a filter offers them; the last ones are asides'."""
_HIT = "›"
_ROOMY = 100
"""Columns from which there is room for milliseconds."""
_TREE_COST = 9


def word(kind: str) -> str:
    """What a kind is called on the screen."""
    return _WORDS.get(kind, (kind.replace("_", " "), ""))[0]


class Look:
    """How lines are laid out in `width` columns: `digits` for numbers (0: none), as a `tree` of calls or not, `found` text marked."""

    def __init__(self, width: int, digits: int, *, tree: bool = False, found: str = "") -> None:
        self.width = width
        self._digits = digits
        self._roomy = width >= _ROOMY
        self._tree = tree
        self._found = found
        self._any_case = found == found.lower()

    def cells(self, line: Line, *, hit: bool = False) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
        """The line's cells, and those that stand at the right edge, whatever has to be cut."""
        told = line.told
        if told is None:
            said = line.raw[:WIDE].decode("utf-8", "replace")
            where = cell(f"{_HIT if hit else ' '}{line.number + 1:>{self._digits}} ", "ask" if hit else "dim")
            return (where, cell("✗ damaged", "bad"), cell(f"  {said}", "dim", WIDE)), ()
        # As few cells as there are styles: each costs as much to paint as a whole line of one.
        number = line.number + 1 if line.number >= 0 else "·"
        # A version of the state knows its second only.
        clock = line.at[11:23].rstrip("Z").ljust(12) if self._roomy else line.at[11:19]
        counted = f"{number:>{self._digits}} " if self._digits else ""
        place = f"{counted}{clock} {told.iteration or '':>3} "
        before = (cell(_HIT, "ask"), cell(place, "dim")) if hit else (cell(f" {place}", "dim"),)
        name, style = _WORDS.get(told.kind, (told.kind[:14], "dim"))
        indent = "  " * told.depth if self._tree else ""
        kind = cell(f"✗{name:<6} {indent}", "bad") if told.trouble else cell(f" {name:<6} {indent}", style)
        return (*before, kind, *self._gist(told)), self._right(told)

    def _gist(self, told: Told) -> Iterator[Cell]:
        if told.head:
            yield from self._marked(cell(told.head, "bad" if told.trouble else "plain", WIDE))
        if told.said:
            yield from self._marked(cell(f"  {told.said}" if told.head else told.said, "dim" if told.head else "plain", WIDE))

    def _right(self, told: Told) -> tuple[Cell, ...]:
        if not self._tree:
            more = told.size - len(told.said)
            return (cell(f" +{_short(more)} ", "info"),) if more > len(told.said) else ()
        cost = "" if told.cost is None else f"${dollars(told.cost):.4f}"
        seconds = "" if told.seconds is None else f"{told.seconds:.2f} s"
        return (cell(f" {seconds:>9} {cost:>{_TREE_COST}} ", "dim"),)

    def _marked(self, one: Cell) -> Iterator[Cell]:
        """The cell, cut where it holds what is searched for."""
        text, found = one.text, self._found
        where = text.lower() if self._any_case else text
        at = where.find(found) if found and len(where) == len(text) else -1
        done = 0
        while at >= 0:
            yield Cell(Shown(text[done:at]), one.style)
            done = at + len(found)
            yield Cell(Shown(text[at:done]), "mark")
            at = where.find(found, done)
        yield Cell(Shown(text[done:]), one.style) if done else one


def _short(size: int) -> str:
    """A number of characters, in few."""
    return f"{size}" if size < 1000 else f"{size / 1000:.1f}k" if size < 1_000_000 else f"{size / 1_000_000:.1f}M"
