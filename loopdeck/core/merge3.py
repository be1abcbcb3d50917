"""Three-way merge of a text that two sides changed, line by line.

Invariant: no edit is lost. Either the result has every line that a side put in and none that a side took out, or it is a `Conflict`
that holds both sides of every place in dispute.
"""

from difflib import SequenceMatcher

from msgspec import Struct

_MANY = 400
"""Lines; above it, lines that come very often are not used to find the places where texts agree, which would take minutes."""


class Clash(Struct, frozen=True):
    """A place that both sides changed, each in its own way; `line` counts from 1 in the base."""

    line: int
    base: str
    mine: str
    theirs: str


class Conflict(Struct, frozen=True):
    """Why two texts could not be merged."""

    clashes: tuple[Clash, ...]


def merge3(base: str, mine: str, theirs: str) -> str | Conflict:
    """`base` with the changes of `mine` and of `theirs`; a conflict where both changed the same place, or places that touch."""
    if mine == theirs or theirs == base:
        return mine
    if mine == base:
        return theirs
    old, own, other = _lines(base), _lines(mine), _lines(theirs)
    parts: list[str] = []
    clashes: list[Clash] = []
    done = (0, 0, 0)
    for start, own_start, other_start, size in _agreed(old, own, other):
        was, ours, new = old[done[0] : start], own[done[1] : own_start], other[done[2] : other_start]
        match ours, new:
            case _ if ours == new or new == was:
                parts += ours
            case _ if ours == was:
                parts += new
            case _:
                clashes.append(Clash(done[0] + 1, "".join(was), "".join(ours), "".join(new)))
        parts += old[start : start + size]
        done = (start + size, own_start + size, other_start + size)
    return Conflict(tuple(clashes)) if clashes else "".join(parts)


def _lines(text: str) -> list[str]:
    """The lines of `text`, each with its newline, the last one perhaps without."""
    parts = text.split("\n")
    lines = [part + "\n" for part in parts[:-1]]
    return lines + parts[-1:] if parts[-1] else lines


def _agreed(old: list[str], own: list[str], other: list[str]) -> list[tuple[int, int, int, int]]:
    """The stretches of `old` that both sides left as they were: where in old, own and other, and how many lines; then the ends."""
    ours, theirs = _matches(old, own), _matches(old, other)
    stretches: list[tuple[int, int, int, int]] = []
    here = there = 0
    while here < len(ours) and there < len(theirs):
        start, own_start, size = ours[here]
        other_at, other_start, other_size = theirs[there]
        first, end = max(start, other_at), min(start + size, other_at + other_size)
        if first < end:
            stretches.append((first, own_start + first - start, other_start + first - other_at, end - first))
        if start + size < other_at + other_size:
            here += 1
        else:
            there += 1
    return [*stretches, (len(old), len(own), len(other), 0)]


def _matches(old: list[str], new: list[str]) -> list[tuple[int, int, int]]:
    matcher = SequenceMatcher(None, old, new, autojunk=max(len(old), len(new)) > _MANY)
    return [(block.a, block.b, block.size) for block in matcher.get_matching_blocks() if block.size]
