"""A glance at one loop, in lines: what it is, its picture, how it stands, what it asks, the last lines of its trace. Files are read."""

from collections.abc import Iterator

from msgspec import structs

from loopdeck.core.columns import Cell, cell
from loopdeck.core.plural import some
from loopdeck.core.traceline import told
from loopdeck.deck.board import money
from loopdeck.deck.loopboard import picture, standing
from loopdeck.deck.snapshot import LoopRow
from loopdeck.deck.traceboard import Look
from loopdeck.deck.tracing import Line
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import last_of_trace

_ASKED = 2
_DRAWN = 76
"""Columns that the picture needs."""

Cells = tuple[Cell, ...]


def peeked(row: LoopRow, paths: RunPaths | None, now: float, width: int, height: int) -> tuple[Cells, ...]:
    """Up to `height` lines of `width` columns; `paths` are those of its run, if it has one. Raises StoreError."""
    head = list(_head(row, now, width))[:height]
    room = height - len(head)
    if paths is None or room <= 1:
        return tuple(head)
    entries = last_of_trace(paths.trace, room)
    look = Look(width, 0)
    tail = [sum(look.cells(Line(-1, one.at, told(one.event))), ()) for one in entries]
    return (*head, *tail) if tail else (*head, (cell("nothing in its trace yet", "dim"),))


def _head(row: LoopRow, now: float, width: int) -> Iterator[Cells]:
    about = " ".join(part for part in (row.agent, row.model) if part)
    parts = [part for part in (row.run, about, row.level) if part]
    yield (cell(row.loop, "strong", 80), cell(f"  {' · '.join(parts)}", "dim"))
    if width >= _DRAWN and row.run:
        yield from picture(row, None, width)
    # A question has lines of its own below.
    yield standing(structs.replace(row, why="") if row.approvals else row, now)
    if row.run:
        yield _getting_on(row)
    for one in row.approvals[:_ASKED]:
        yield (cell("? ", "ask"), cell(f"{one.tool} ", "strong"), cell(one.summary, "ask", 300))
        yield (cell(f"  {one.tier}: {one.reason or one.rule}   a answers it", "dim", 300),)


def _getting_on(row: LoopRow) -> Cells:
    people = f"{some(row.touches, 'touch', 'touches')} by people"
    said = [some(row.open_findings, "open finding"), f"{row.usage.tokens:,} tokens", some(row.tool_calls, "tool call"), people]
    if row.checker_cost and row.cost:
        said.append(f"checks {100 * row.checker_cost / row.cost:.0f} % of cost")
    if row.rate:
        said.append(f"{money(row.rate)}/h")
    return (cell("  ".join(said), "dim"),)
