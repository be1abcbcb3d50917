"""The items of a STATE.md as a project board has them: open, in progress, done. Pure.

A checkbox says where its item stands: `[ ]` open, `[~]`, `[/]` or `[>]` in progress, `[x]` done. What has none, or an empty one, stands
where its heading says. Lists below other headings (what was learned, notes) are no items unless they have checkboxes. The checks' block
is not the loop's plan and is left out. Invariant: any text at all can be read, and each item names the line it is in.
"""

import re
from typing import Literal

from msgspec import Struct

from loopdeck.core.memory import without_block

Place = Literal["open", "doing", "done"]
PLACES: tuple[Place, ...] = ("open", "doing", "done")

_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*")
_ITEM = re.compile(r"(\s*)(?:[-*+]|\d{1,9}[.)])\s+(?:\[(.)\](?:\s+|$))?(.*)")
_FENCE = re.compile(r"\s*(```|~~~)")
_BOXES: dict[str, Place] = {"x": "done", "X": "done", "~": "doing", "/": "doing", ">": "doing"}
_DONE = re.compile(r"\b(done|finished|complete|completed|closed|shipped)\b", re.IGNORECASE)
_DOING = re.compile(r"\b(in progress|doing|current|currently|now|started|under way|wip)\b", re.IGNORECASE)
_OPEN = re.compile(r"\b(open|to ?do|next|backlog|plan|planned|remaining|blocked|later|left)\b", re.IGNORECASE)


class Item(Struct, frozen=True):
    """One item: its words, where it stands, the heading above it, its line (from 1), and how deep it is below another."""

    text: str
    place: Place
    heading: str
    line: int
    depth: int = 0
    more: tuple[str, ...] = ()


def items(text: str) -> tuple[Item, ...]:
    """All items, in the order of the text. What is indented below one, and is none itself, is `more` of it."""
    found: list[Item] = []
    more: list[str] = []
    heading, place, fenced = "", None, False

    def over() -> None:
        if found and more:
            found[-1] = Item(found[-1].text, found[-1].place, found[-1].heading, found[-1].line, found[-1].depth, tuple(more))
        more.clear()

    below = False
    for number, line in enumerate(without_block(text).splitlines(), 1):
        if _FENCE.match(line):
            fenced = not fenced
        if fenced:
            continue
        if head := _HEADING.fullmatch(line):
            over()
            heading, place, below = head[2], _place_of(head[2]), False
            continue
        item = _ITEM.fullmatch(line)
        if item is not None and (item[2] or (place and not (below and item[1]))):
            over()
            stands = _BOXES.get(item[2] or "", "open" if place == "done" and item[2] else place or "open")
            found.append(Item(item[3].strip(), stands, heading, number, len(item[1].expandtabs(4)) // 2))
            below = True
        elif below and line.strip() and line[:1] in " \t":
            more.append(line.strip())
        elif line.strip():
            below = False
    over()
    return tuple(one for one in found if one.text)


def _place_of(heading: str) -> Place | None:
    """What a heading says of the items below it; None if it says nothing."""
    for place, words in (("doing", _DOING), ("done", _DONE), ("open", _OPEN)):
        if words.search(heading):
            return place  # type: ignore[return-value]  # each is one
    return None
