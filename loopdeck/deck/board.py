"""The deck as a table: which columns, and what stands in them. Pure; the room and what is painted before it show the same.

Colour says nothing here that a glyph or a word does not say as well.
"""

from functools import cache
from typing import NamedTuple

from loopdeck.core.columns import Cell, Cells, Column, TableRow, cell
from loopdeck.core.plural import some
from loopdeck.core.text import Shown
from loopdeck.core.usage import dollars
from loopdeck.deck.snapshot import LoopRow

COLUMNS = (
    Column("", 1),
    Column("state", 11),
    Column("loop", 16, wide=20),
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

MARKS = {
    "idle": ("·", "dim"), "queued": ("…", "dim"), "running": ("▶", "info"), "asking": ("?", "ask"), "waiting": ("~", "warn"),
    "paused": ("‖", "warn"), "hung": ("!", "bad"), "stopping": ("■", "warn"),
}  # fmt: skip
_REASONS = {
    "done": ("✓", "good", "done"), "max_iterations": ("✗", "warn", "max iter"), "budget": ("✗", "warn", "budget"),
    "no_progress": ("✗", "warn", "no progress"), "human": ("■", "dim", "stopped"), "error": ("✗", "bad", "error"),
    "lost": ("✗", "bad", "lost"),
}  # fmt: skip
_FATES = {"merged": ("◆", "good"), "discarded": ("◇", "dim")}
_NODES = (("t", "trigger"), ("m", "maker"), ("c", "checks"), ("s", "state"))
_LIVE_NODE = {"setup": "trigger", "maker": "maker", "checks": "checks", "deciding": "state"}
_SPARKS = "▁▂▃▄▅▆▇█"
_CERTAINTY = {"metered": "", "priced": "", "estimated": "≈"}
_BAR = 5


def mark(row: LoopRow) -> tuple[Cell, Cell]:
    """Glyph and word of the row's status; of an ended run what became of its work, or else its reason."""
    if row.status == "ended" and row.fate in _FATES:
        glyph, style = _FATES[row.fate]
        return cell(glyph, style), cell(row.fate, style)
    if row.status == "ended":
        glyph, style, word = _REASONS[row.reason or "lost"]
        return cell(glyph, style), cell(word, style)
    glyph, style = MARKS[row.status]
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
            cell(age(now - row.last_at) if row.last_at else "", "dim"), _marked(row),
        ),
    )  # fmt: skip


def picture(row: LoopRow) -> Cells:
    """trigger → maker → checks → state as four letters, the live one in capitals and marked; nothing where nothing goes on."""
    if row.status in ("ended", "idle"):
        return cell("")
    return _picture("trigger" if row.status == "queued" else _LIVE_NODE.get(row.phase or "", ""))


@cache
def _picture(live: str) -> Cells:
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


def _marked(row: LoopRow) -> Cells:
    """Why, and before it that nothing holds what goes on."""
    bare = row.walls == "none" and row.status not in ("ended", "idle")
    return (cell("unsandboxed ", "bad"), _why(row)) if bare else _why(row)


def _why(row: LoopRow) -> Cell:
    if row.damage:
        return cell(f"damaged: {row.damage}", "bad", 300)
    if row.approvals:
        return cell(f"{row.approvals[0].tool} {row.approvals[0].summary}", "ask", 300)
    if row.status == "ended" and row.fate:
        return _shipped(row)
    if row.why:
        loud = row.reason in ("lost", "error") or row.status == "hung"
        return cell(row.why, "ask" if row.status == "asking" else "bad" if loud else "dim", 300)
    return cell(_getting_on(row), "dim", 300)


def _shipped(row: LoopRow) -> Cell:
    """What is to be read of what it made, and whether that is in the operator's branch."""
    match row.fate, row.unread:
        case "merged", 0:
            return cell("all of it read", "dim")
        case "merged", unread:
            return cell(f"{some(unread, 'line')} nobody has read", "warn")
        case "waits", 0:
            return cell("read, to be merged", "dim")
        case "waits", unread:
            return cell(f"{some(unread, 'line')} unread, to be merged", "info")
        case _:
            return cell(row.why, "dim", 300)


def _getting_on(row: LoopRow) -> str:
    """Whether it gets better, of a run that simply works."""
    if row.status != "running" or row.iteration < 2:
        return ""
    found = [some(row.open_findings, "open finding")] if row.open_findings else []
    since = [f"{money(row.since_progress)} since it got better"] if row.since_progress else []
    return ", ".join(found + since)
