"""Texts laid out in rows of a given width: what is unfolded in a list, and an event's own screen.

Invariant: what comes out is clean, and the work done is in proportion to the rows that are asked for, whatever the text's size.
"""

from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len, chop_cells

from loopdeck.core.text import Shown, clean, clean_line
from loopdeck.core.traceline import words
from loopdeck.deck.traceevent import EventText, Section
from loopdeck.store.trace import TraceEntry

_PIECE = 4000
"""Characters cleaned at once: a line of a megabyte is shown whole, and no step takes long."""
_PART = "{:>2} {:<14} {:>9} {:>8}  {:<8}  {}"
_MARGIN = 4
"""Columns of a pane that are not text: its padding, its scroll bar, a border."""
_EDGE = 8
"""Columns that the mark of an unfolded row takes."""


def unfolded(entry: TraceEntry, width: int, most: int) -> tuple[Shown, ...]:
    """What an event says, as up to `most` rows of a list `width` wide."""
    return unfolded_text("\n".join(words(entry.event)), width, most)


def unfolded_text(text: str, width: int, most: int) -> tuple[Shown, ...]:
    """Any text, as up to `most` rows of a list `width` wide."""
    inner = max(20, width - _EDGE)
    rows: list[Shown] = []
    # More characters than can be shown need not be looked at.
    cut = text[: most * inner]
    for row in wrapped(clean(cut, max_line=most * inner), inner):
        if len(rows) == most:
            break
        rows.append(row)
    if len(rows) == most or len(cut) < len(text):
        rows[most - 1 :] = [clean("… enter opens the event and shows all of it")]
    return tuple(rows)


def wrapped(text: Shown, width: int) -> Iterator[Shown]:
    """Clean text as rows of at most `width` terminal cells; tabs become spaces."""
    for line in text.split("\n"):
        plain = line.expandtabs(4)
        cells = len(plain) if plain.isascii() else cell_len(plain)
        if cells <= width:
            yield Shown(plain)
        elif cells == len(plain):
            yield from _folded(plain, width)
        else:
            for piece in chop_cells(plain, width):
                yield Shown(piece)


def _folded(text: str, width: int) -> Iterator[Shown]:
    """Text of a cell a character in rows, broken at a blank where there is one in a row's second half."""
    at = 0
    while len(text) - at > width:
        blank = text.rfind(" ", at + width // 2, at + width + 1)
        end = blank + 1 if blank >= 0 else at + width
        yield Shown(text[at:end].rstrip(" ") if blank >= 0 else text[at:end])
        at = end
    yield Shown(text[at:])


class Row(NamedTuple):
    """A row of a laid out event: clean text, its style, and the section it begins, from 0, or -1."""

    text: Shown
    style: str = "plain"
    section: int = -1


def laid_out(event: EventText, width: int) -> tuple[list[Row], list[Row]]:
    """The event for a screen `width` wide, and what belongs beside it if that is wide enough for both; else that is below."""
    beside = event.beside if width >= BESIDE_FROM else ()
    left = (width // 2 if beside else width) - _MARGIN
    rows = list(_facts(event, left))
    rows += _sections((*event.sections, *(() if beside else event.beside)), left)
    return rows, list(_sections(beside, width // 2 - _MARGIN - 1)) if beside else []


BESIDE_FROM = 110
"""Columns from which a prompt and its reply stand side by side."""


def _facts(event: EventText, width: int) -> Iterator[Row]:
    names = max((len(name) for name, _ in event.facts), default=0)
    for name, value in event.facts:
        if value:
            yield from _indented(f"{name:<{names}}  ", clean_line(value, 2000), width)
    parts = [one for one in event.sections if one.figures]
    if parts:
        yield Row(Shown(""))
        yield Row(Shown("what was sent"), "head")
        yield Row(Shown(_PART.format("", "part", "bytes", "tokens", "cache", "from")), "dim")
    for one in parts:
        place, *figures = one.figures
        yield Row(clean_line(_PART.format(place, one.title[:14], *figures)))


def _indented(head: str, text: Shown, width: int) -> Iterator[Row]:
    for number, row in enumerate(wrapped(text, max(20, width - len(head)))):
        yield Row(Shown((head if not number else " " * len(head)) + row))


def _sections(sections: tuple[Section, ...], width: int) -> Iterator[Row]:
    for number, one in enumerate(sections):
        yield Row(Shown(""))
        yield Row(clean_line(f"── {one.title}{f' · {one.note}' if one.note else ''} ", max(40, width)), "head", number)
        for row in rows_of(one.text, width):
            yield Row(row)


def rows_of(text: str, width: int) -> Iterator[Shown]:
    """All of any text, cleaned, in rows of at most `width` cells."""
    if not text:
        return
    for line in text.replace("\r\n", "\n").split("\n"):
        for at in range(0, max(1, len(line)), _PIECE):
            yield from wrapped(clean(line[at : at + _PIECE], max_line=8 * _PIECE), width)
