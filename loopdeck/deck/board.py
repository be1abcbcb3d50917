"""The deck as a table: which columns, and what stands in them. Pure; the room and what is painted before it show the same.

Colour says nothing here that a glyph or a word does not say as well.
"""

from typing import NamedTuple

from loopdeck.core.columns import Cell, Cells, Column, TableRow, cell
from loopdeck.core.text import Shown
from loopdeck.core.usage import dollars
from loopdeck.deck.snapshot import DeckFacts, LoopRow, Snapshot

COLUMNS = (
    Column("", 1),
    Column("state", 8, wide=11),
    Column("loop", 17, wide=20),
    Column("iter", 6, "right"),
    Column("at", 7),
    Column("score", 9, from_width=94),
    Column("budget", 10),
    Column("spent", 14, "right", from_width=106),
    Column("tokens", 13, "right", from_width=150),
    Column("lvl", 4, from_width=130),
    Column("age", 4, "right"),
    Column("why", 0),
)
"""Of the deck's table, widest first to go."""

_MARKS = {
    "idle": ("·", "dim"), "queued": ("…", "dim"), "running": ("▶", "info"), "asking": ("?", "ask"), "waiting": ("~", "warn"),
    "paused": ("‖", "warn"), "hung": ("!", "bad"), "stopping": ("■", "warn"),
}  # fmt: skip
_REASONS = {
    "done": ("✓", "good", "done"), "max_iterations": ("✗", "warn", "max iter"), "budget": ("✗", "warn", "budget"),
    "no_progress": ("✗", "warn", "no progress"), "human": ("■", "dim", "stopped"), "error": ("✗", "bad", "error"),
    "lost": ("✗", "bad", "lost"),
}  # fmt: skip
_NODES = (("t", "trigger"), ("m", "maker"), ("c", "checks"), ("s", "state"))
_LIVE_NODE = {"setup": "trigger", "maker": "maker", "checks": "checks", "deciding": "state"}
_SPARKS = "▁▂▃▄▅▆▇█"
_CERTAINTY = {"metered": "", "priced": "", "estimated": "≈"}
_BAR = 5


def mark(row: LoopRow) -> tuple[Cell, Cell]:
    """Glyph and word of the row's status; of an ended run its reason."""
    if row.status == "ended":
        glyph, style, word = _REASONS[row.reason or "lost"]
        return cell(glyph, style), cell(word, style)
    glyph, style = _MARKS[row.status]
    word = "pausing" if row.pausing and row.status == "running" else row.status
    return cell(glyph, style), cell(word, style)


def table_row(row: LoopRow, now: float, *, decks: int = 1, deck: str = "") -> TableRow:
    """The row as the deck's table shows it; with several decks the loop's name says of which."""
    glyph, word = mark(row)
    name = row.loop if decks == 1 else f"{deck}/{row.loop}"
    quiet = row.status in ("idle", "ended")
    return TableRow(
        row.key,
        (
            glyph, word, cell(name, "plain" if quiet else "strong"), _iterations(row), picture(row),
            cell(sparkline(row.scores), "info"), _budget(row), _spent(row), _tokens(row), _layers(row),
            cell(age(now - row.last_at) if row.last_at else "", "dim"), _why(row),
        ),
    )  # fmt: skip


def picture(row: LoopRow) -> Cells:
    """trigger → maker → checks → state as four letters, the live one in capitals and marked."""
    live = _LIVE_NODE.get(row.phase or "", "") if row.status not in ("ended", "idle", "queued") else ""
    cells: list[Cell] = []
    for letter, name in _NODES:
        if cells:
            cells.append(Cell(Shown("›"), "dim"))
        cells.append(Cell(Shown(letter.upper()), "mark") if name == live else Cell(Shown(letter), "dim"))
    return tuple(cells)


def sparkline(scores: tuple[float | None, ...], width: int = 9) -> str:
    """The last `width` scores of 0..1 as blocks; a round without one is a point."""
    return "".join("·" if one is None else _SPARKS[min(7, max(0, int(one * 7.999)))] for one in scores[-width:])


class Share(NamedTuple):
    """How much of a cap is spent, and how much set aside besides, in 0.. of it."""

    spent: float
    reserved: float


def spent_share(row: LoopRow) -> Share | None:
    """Of its tightest cap (cost or tokens); None if neither is capped or known."""
    limits = row.settings
    shares: list[Share] = []
    if limits.max_cost and row.cost is not None:
        shares.append(Share(row.cost / limits.max_cost, row.reserved / limits.max_cost))
    if limits.max_tokens:
        shares.append(Share(row.usage.tokens / limits.max_tokens, 0.0))
    return max(shares, default=None)


def money(pico: int | None, *, places: int = 2) -> str:
    """Picodollars in words; what is not known is a question mark, never 0."""
    if pico is None:
        return "$?"
    amount = dollars(pico)
    return f"${amount:.{places}f}" if amount >= 1 or places > 2 or not pico else f"${amount:.3f}"


def count(number: float) -> str:
    """A count in at most five characters: 950, 12.3k, 4.1M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            scaled = number / size
            return f"{scaled:.0f}{letter}" if scaled >= 100 else f"{scaled:.1f}{letter}"
    return f"{number:.0f}"


def age(seconds: float) -> str:
    """How long ago, in at most four characters: 4s, 12m, 3h, 9d."""
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size:.0f}{letter}"
    return f"{max(0.0, seconds):.0f}s"


def headline(snapshot: Snapshot, width: int = 120) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
    """The title line: whose deck and how many loops are in which state; then spend, its rate and when a cap is reached, what waits.

    Where the line is too short for that, states are told by their glyphs alone, and what is least urgent is left out.
    """
    wide = _headline(snapshot, narrow=False)
    fits = sum(len(one.text) for side in wide for one in side) + 4 <= width
    return wide if fits else _headline(snapshot, narrow=True)


def _headline(snapshot: Snapshot, *, narrow: bool) -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
    names = ", ".join(one.name for one in snapshot.decks) or "loopdeck"
    left = [cell(names, "strong", 60)]
    for word, glyph, style, number in _counts(snapshot.rows):
        left.append(cell(f" {glyph}{number}" if narrow else f"  {glyph}{number} {word}", style))
    return tuple(left), _concerns(snapshot, narrow=narrow)


def _counts(rows: tuple[LoopRow, ...]) -> list[tuple[str, str, str, int]]:
    found = []
    for status in ("asking", "hung", "running", "waiting", "paused", "stopping", "queued"):
        if number := sum(1 for row in rows if row.status == status):
            glyph, style = _MARKS[status]
            found.append((status, glyph, style, number))
    if number := sum(1 for row in rows if row.status == "ended" and row.reason in ("lost", "error")):
        found.append(("broken", "✗", "bad", number))
    if number := sum(1 for row in rows if row.status == "ended" and row.reason == "done"):
        found.append(("done", "✓", "good", number))
    short = ("budget", "no_progress", "max_iterations")
    if number := sum(1 for row in rows if row.status == "ended" and row.reason in short):
        found.append(("stopped short", "✗", "warn", number))
    return found


def _concerns(snapshot: Snapshot, *, narrow: bool) -> tuple[Cell, ...]:
    rows = snapshot.rows
    known = [row.cost for row in rows if row.cost is not None]
    spent = money(sum(known)) + ("+?" if len(known) < len(rows) else "")
    runs = sum(1 for row in rows if row.run)
    cells = [cell(spent if narrow else f"{spent} in {runs} {'run' if runs == 1 else 'runs'}", "plain")]
    if rate := sum(row.rate for row in rows):
        cells.append(cell(f" {money(rate)}/h", "info"))
        words = "" if narrow else _forecast(rows, snapshot.decks)
        if words:
            cells.append(cell(f" {words}", "warn"))
    if unread := sum(deck.unread for deck in snapshot.decks):
        over = any(deck.unread_cap is not None and deck.unread > deck.unread_cap for deck in snapshot.decks)
        cells.append(cell(f"  {count(unread)} unread{'' if narrow else ' lines'}", "bad" if over else "dim"))
    if waiting := waiting_count(rows):
        cells.append(cell(f"  {waiting} for you", "ask"))
    trouble = sum(len(deck.trouble) for deck in snapshot.decks)
    if trouble:
        cells.append(cell(f"  ! {trouble} in trouble", "bad"))
    return tuple(cells)


def waiting_count(rows: tuple[LoopRow, ...]) -> int:
    """How many things wait for a person."""
    return sum(max(1, len(row.approvals)) for row in rows if row.status == "asking")


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


def _iterations(row: LoopRow) -> Cell:
    if not row.run:
        return cell("")
    most = row.settings.max_iterations
    return cell(f"{row.iteration}/{most}", "warn" if most and row.iteration >= most and row.status != "ended" else "plain")


def _budget(row: LoopRow) -> Cells:
    share = spent_share(row)
    if share is None or not row.run:
        return cell("")
    full = min(_BAR, round(share.spent * _BAR))
    aside = min(_BAR, round((share.spent + share.reserved) * _BAR)) - full
    style = "bad" if share.spent >= 0.95 else "warn" if share.spent >= 0.8 else "good"
    percent = min(999, round(share.spent * 100))
    return cell("▰" * full, style), cell("▪" * aside + "▱" * (_BAR - full - aside), "dim"), cell(f" {percent:>3}%", style)


def _spent(row: LoopRow) -> Cell:
    if not row.run:
        return cell("")
    sign = _CERTAINTY[row.certainty]
    cap = f"/{money(row.settings.max_cost)}" if row.settings.max_cost else ""
    return cell(f"{sign}{money(row.cost)}{cap}")


def _tokens(row: LoopRow) -> Cell:
    cap = f"/{count(row.settings.max_tokens)}" if row.settings.max_tokens else ""
    return cell(f"{count(row.usage.tokens)}{cap}", "dim") if row.run else cell("")


def _layers(row: LoopRow) -> Cell:
    return cell("".join(str(one) if one in row.layers else "·" for one in (1, 2, 3, 4)), "accent")


def _why(row: LoopRow) -> Cell:
    if row.damage:
        return cell(f"damaged: {row.damage}", "bad", 300)
    style = "ask" if row.status == "asking" else "bad" if row.reason in ("lost", "error") or row.status == "hung" else "dim"
    asked = [f"{one.tool} {one.summary}" for one in row.approvals[:1]]
    words = asked[0] if asked else row.why or (f"{row.unread} unread lines" if row.unread else "")
    return cell(words, style, 300)
