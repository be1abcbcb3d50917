"""The project board of one loop or of a whole deck: the items of their states, by column. Files are read; for a worker."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from loopdeck.core.columns import Cell, TableRow, cell
from loopdeck.core.items import PLACES, Item, Place, items
from loopdeck.deck import stating
from loopdeck.deck.answer import Fact
from loopdeck.deck.decks import Deck
from loopdeck.deck.why import Section
from loopdeck.errors import LoopdeckError

TITLES: dict[Place, str] = {"open": "open", "doing": "in progress", "done": "done"}
_GLYPHS: dict[Place, tuple[str, str]] = {"open": ("○", "plain"), "doing": ("◐", "info"), "done": ("●", "good")}


class Card(Struct, frozen=True):
    """An item of the state of `loop`, in the deck of that number."""

    deck: int
    loop: str
    item: Item

    @property
    def key(self) -> str:
        """Its name on the board."""
        return f"{self.deck}/{self.loop}/{self.item.line}"


class Project(Struct, frozen=True):
    """All cards, by loop and in the order of each state; and what could not be read, in words."""

    cards: tuple[Card, ...] = ()
    trouble: tuple[str, ...] = ()

    def at(self, place: Place) -> tuple[Card, ...]:
        """Those of one column."""
        return tuple(one for one in self.cards if one.item.place == place)

    def card(self, key: str) -> Card | None:
        """The card of that key."""
        return next((one for one in self.cards if one.key == key), None)


def project(decks: Sequence[Deck], of: tuple[int, str] | None = None) -> Project:
    """The board of a loop, named by its deck's number and its own name; of all loops of all decks, if none is named."""
    cards: list[Card] = []
    trouble: list[str] = []
    for number, loop in [of] if of else _all(decks):
        try:
            text = stating.opened(decks[number], loop).now.text
        except LoopdeckError as error:
            trouble.append(f"{loop}: {error.what}")
            continue
        cards += [Card(number, loop, one) for one in items(text)]
    return Project(tuple(cards), tuple(trouble))


def _all(decks: Sequence[Deck]) -> Iterable[tuple[int, str]]:
    for number, deck in enumerate(decks):
        for loop in sorted({*deck.loops(), *deck.home.loops()}):
            yield number, loop


def rows(found: Project, place: Place, *, named: bool) -> tuple[TableRow, ...]:
    """A column's rows; with `named` each says of which loop it is."""
    glyph, style = _GLYPHS[place]
    made = []
    for one in found.at(place):
        name: tuple[Cell, ...] = (cell(f"{one.loop} ", "accent"),) if named else ()
        text = cell("  " * one.item.depth + one.item.text, "dim" if place == "done" else "plain", 400)
        made.append(TableRow(one.key, (cell(glyph, style), (*name, text))))
    return tuple(made)


def facts(one: Card) -> tuple[Section, ...]:
    """A card whole."""
    where = f"{one.loop}, {one.item.heading or 'no heading'}, line {one.item.line} of its STATE.md"
    return (Section(where, (Fact(TITLES[one.item.place], one.item.text), *(Fact("", more) for more in one.item.more))),)


def lines(found: Project) -> list[str]:
    """The board of a loop for a terminal without a room."""
    said: list[str] = []
    for place in PLACES:
        cards = found.at(place)
        said += [*([""] if said else []), f"{TITLES[place]} ({len(cards)})"]
        said += [f"  {_GLYPHS[place][0]} {'  ' * one.item.depth}{one.item.text}" for one in cards]
    return said
