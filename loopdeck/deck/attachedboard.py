"""Agent sessions that somebody started elsewhere, as a table and as facts. Pure."""

from collections.abc import Sequence
from pathlib import PurePath

from loopdeck.core.columns import Cell, Column, TableRow, cell
from loopdeck.core.plural import some
from loopdeck.deck.answer import Fact
from loopdeck.deck.attached import SHORT, heard_at
from loopdeck.deck.board import age, count
from loopdeck.deck.snapshot import DeckFacts
from loopdeck.deck.why import Section
from loopdeck.store.sessions import Session

COLUMNS = (
    Column("agent", 8),
    Column("session", 9),
    Column("folder", 18, wide=30),
    Column("calls", 5, "right"),
    Column("refused", 7, "right"),
    Column("age", 4, "right"),
    Column("", 8),
    Column("last call", 0),
)
NONE = "No session has told of itself in the last day; `loopdeck hook --install claude` or `codex` has an agent's sessions do so."


def rows(decks: Sequence[DeckFacts], now: float) -> tuple[TableRow, ...]:
    """The table, the session that was heard of last on top; `now` is seconds since the epoch."""
    found = [(number, deck, one) for number, deck in enumerate(decks) for one in deck.sessions]
    found.sort(key=lambda each: each[2].last, reverse=True)
    return tuple(TableRow(f"{number}/{one.session}", _cells(deck, one, now)) for number, deck, one in found)


def _cells(deck: DeckFacts, one: Session, now: float) -> tuple[Cell, ...]:
    return (
        cell(one.agent, "strong"),
        cell(one.session[:SHORT], "dim"),
        cell(folder(deck, one)),
        cell(count(one.calls)),
        cell(count(one.refused) if one.refused else "", "warn"),
        cell(age(now - heard_at(one)), "dim"),
        cell("‖ braked" if one.braked else "", "warn"),
        cell(one.doing or "no call yet", "plain" if one.doing else "dim", 400),
    )


def chosen(decks: Sequence[DeckFacts], key: str) -> tuple[int, Session] | None:
    """The number of the deck, and its session, of that row."""
    deck, _, name = key.partition("/")
    found = [one for one in decks[int(deck)].sessions if one.session == name] if name and int(deck) < len(decks) else []
    return (int(deck), found[0]) if found else None


def facts(deck: DeckFacts, one: Session) -> tuple[Section, ...]:
    """All that is known of a session."""
    calls = f"{some(one.calls, 'call')}: {one.refused} refused, {one.asked} put before whoever sits there"
    lines = [Fact("last call", one.doing or "none yet"), Fact("calls", calls), Fact("folder", one.cwd), Fact("heard of", _span(one))]
    if one.braked:
        lines.insert(0, Fact("braked", f"{one.braked}: none of its calls is let through until it is released", "warn"))
    return (Section(f"{one.agent} {one.session}, on {deck.name}, not started here", tuple(lines)),)


def _span(one: Session) -> str:
    return f"since {one.since}, last {one.last}"


def folder(deck: DeckFacts, one: Session) -> str:
    """Where it works, short: from the checkout's folder on."""
    try:
        inside = PurePath(one.cwd).relative_to(deck.root).as_posix()
    except ValueError:
        return one.cwd
    return deck.name if inside == "." else f"{deck.name}/{inside}"
