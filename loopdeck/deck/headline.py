"""The title line of every screen: whose deck, how many loops are in which state, what is spent today and how fast, what waits. Pure.

Invariant: what is spent here is what all runs of the decks have spent since midnight, those that are over and hidden as well; it is the
sum that a cap for the day is compared with.
"""

from loopdeck.core.columns import Cell, cell
from loopdeck.core.plural import some
from loopdeck.deck.board import MARKS, age, count, money
from loopdeck.deck.snapshot import DeckFacts, LoopRow, Snapshot


def headline(snapshot: Snapshot, width: int = 120) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
    """The title line: whose deck and how many loops are in which state; then spend, its rate and when a cap is reached, what waits.

    Where the line is too short for that, states are told by their glyphs alone, and at last what is least urgent is left out.
    """
    for brief_left, brief_right in ((False, False), (True, False)):
        sides = _counted(snapshot, brief=brief_left), _concerns(snapshot, brief=brief_right)
        if sum(len(one.text) for side in sides for one in side) + 4 <= width:
            return sides
    return _counted(snapshot, brief=True), _concerns(snapshot, brief=True)


def _counted(snapshot: Snapshot, *, brief: bool) -> tuple[Cell, ...]:
    names = ", ".join(one.name for one in snapshot.decks) or "loopdeck"
    left = [cell(names, "strong", 60)]
    for word, glyph, style, number in _counts(snapshot.rows):
        left.append(cell(f" {glyph}{number}" if brief else f"  {glyph}{number} {word}", style))
    return tuple(left)


def _counts(rows: tuple[LoopRow, ...]) -> list[tuple[str, str, str, int]]:
    found = []
    for status in ("asking", "hung", "running", "waiting", "paused", "stopping", "queued"):
        if number := sum(1 for row in rows if row.status == status):
            glyph, style = MARKS[status]
            found.append((status, glyph, style, number))
    if number := sum(1 for row in rows if row.status == "ended" and row.reason in ("lost", "error")):
        found.append(("broken", "✗", "bad", number))
    if number := sum(1 for row in rows if row.status == "ended" and row.reason == "done" and row.fate in ("waits", "")):
        found.append(("done", "✓", "good", number))
    if number := sum(1 for row in rows if row.status == "ended" and row.fate == "merged"):
        found.append(("merged", "◆", "good", number))
    short = ("budget", "no_progress", "max_iterations")
    if number := sum(1 for row in rows if row.status == "ended" and row.reason in short and row.fate != "merged"):
        found.append(("stopped short", "✗", "warn", number))
    return found


def _concerns(snapshot: Snapshot, *, brief: bool) -> tuple[Cell, ...]:
    rows = snapshot.rows
    cells = [cell(f"{_today(snapshot)} today", "plain")]
    if rate := sum(row.rate for row in rows):
        cells.append(cell(f" {money(rate)}/h", "info"))
        words = "" if brief else _forecast(rows, snapshot.decks)
        if words:
            cells.append(cell(f" {words}", "warn"))
    if unread := sum(deck.unread for deck in snapshot.decks):
        over = any(deck.unread_cap is not None and deck.unread > deck.unread_cap for deck in snapshot.decks)
        cells.append(cell(f"  {count(unread)} unread" if brief else f"  {some(unread, 'line')} unread", "bad" if over else "dim"))
    if waiting := waiting_count(rows):
        cells.append(cell(f"  {waiting} for you", "ask"))
    trouble = sum(len(deck.trouble) for deck in snapshot.decks)
    if trouble:
        cells.append(cell(f"  ! {trouble} in trouble", "bad"))
    return tuple(cells)


def _today(snapshot: Snapshot) -> str:
    """What all runs have spent since midnight, of what may be spent in a day; `+?` if some of it has no price."""
    spent = money(sum(deck.day_cost for deck in snapshot.decks))
    unpriced = any(row.cost is None for row in snapshot.rows)
    caps = [deck.day_cap for deck in snapshot.decks]
    most = sum(cap for cap in caps if cap is not None)
    return spent + ("+?" if unpriced else "") + (f" of {money(most)}" if caps and None not in caps else "")


def waiting_count(rows: tuple[LoopRow, ...]) -> int:
    """How many things wait for a person: questions, and runs that stand still until something is mended."""
    stalled = sum(row.status == "paused" and row.attention == "broken" for row in rows)
    return stalled + sum(max(1, len(row.approvals)) for row in rows if row.status == "asking")


def _forecast(rows: tuple[LoopRow, ...], decks: tuple[DeckFacts, ...]) -> str:
    """When the first cap on money is reached if all goes on as in the last minutes."""
    hours = []
    for row in rows:
        if row.rate > 0 and row.settings.max_cost and row.cost is not None and row.status == "running":
            hours.append(((row.settings.max_cost - row.cost) / row.rate, row.loop))
    for number, deck in enumerate(decks):
        rate = sum(row.rate for row in rows if row.deck == number)
        if deck.day_cap and rate:
            hours.append(((deck.day_cap - deck.day_cost) / rate, "the day"))
    if not hours:
        return ""
    left, what = min(hours)
    return f"cap of {what} in {age(max(0.0, left * 3600))}" if left < 24 else ""
