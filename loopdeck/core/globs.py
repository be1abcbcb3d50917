"""Path globs as loop files write them: `docs/**/*.md`, `src/**`, `tests`.

Paths are relative to the repository root, with `/`. The invariant: matching never takes more than
(length of the path) x (length of the pattern) steps, whatever either says, because a pattern may meet names
that a maker chose.

`*` and `?` stay inside one part of a path, `[a-z]` and `[!a-z]` stand for one character, `**` alone in a
part stands for any number of parts, none too: `tests/**` also matches `tests`, so that replacing the whole
folder by a link doesn't slip through. A pattern without any of these, or with a `/` at its end, names a file or
a folder with everything below it. Case counts, and a leading dot is a character like others.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, TypeVar

from msgspec import Struct

_MAGIC: Final = frozenset("*?[")


class _Class(Struct, frozen=True):
    """One character out of ranges (or, if `negated`, none of them); no ranges and negated: any character."""

    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def has(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) != self.negated


_Token = _Class | None
"""What one character must be; None is a star."""

_Item = TypeVar("_Item")
_Want = TypeVar("_Want")


def matches(path: str, pattern: str) -> bool:
    """True if `path` is one that `pattern` stands for. A path or pattern that climbs (`..`) never matches."""
    parts = _parts(path)
    wanted = _parts(pattern)
    if not parts or not wanted or ".." in parts or ".." in wanted:
        return False
    if pattern.endswith("/") or _MAGIC.isdisjoint(pattern):
        wanted = (*wanted, "**")
    return _wild(parts, wanted, _any_parts, _part_matches)


def any_match(path: str, patterns: Iterable[str]) -> bool:
    """True if at least one of `patterns` matches `path`."""
    return any(matches(path, pattern) for pattern in patterns)


def fixed_root(pattern: str) -> str:
    """The deepest path that all matches of `pattern` lie at or below: `docs` for `docs/**/*.md`."""
    fixed: list[str] = []
    for part in _parts(pattern):
        if not _MAGIC.isdisjoint(part):
            break
        fixed.append(part)
    return "/".join(fixed)


@lru_cache(maxsize=4096)
def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in {"", "."})


def _any_parts(part: str) -> bool:
    return part == "**"


def _part_matches(part: str, pattern: str) -> bool:
    if part == pattern:
        return True
    if _MAGIC.isdisjoint(pattern):
        return False
    return _wild(part, _tokens(pattern), _is_star, _character_matches)


def _is_star(token: _Token) -> bool:
    return token is None


def _character_matches(character: str, token: _Token) -> bool:
    return token is not None and token.has(character)


@lru_cache(maxsize=1024)
def _tokens(pattern: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        match character:
            case "*":
                if not tokens or tokens[-1] is not None:
                    tokens.append(None)
            case "?":
                tokens.append(_Class(negated=True))
            case "[" if (end := pattern.find("]", at + (2 if pattern[at : at + 1] in {"!", "^"} else 1))) > 0:
                tokens.append(_class(pattern[at:end]))
                at = end + 1
            case _:
                tokens.append(_Class(((character, character),)))
    return tuple(tokens)


def _class(body: str) -> _Class:
    negated = body[0] in "!^"
    body = body[1:] if negated else body
    ranges: list[tuple[str, str]] = []
    at = 0
    while at < len(body):
        is_range = at + 2 < len(body) and body[at + 1] == "-"
        ranges.append((body[at], body[at + 2] if is_range else body[at]))
        at += 3 if is_range else 1
    return _Class(tuple(ranges), negated)


def _wild(
    items: Sequence[_Item],
    pattern: Sequence[_Want],
    is_star: Callable[[_Want], bool],
    fits: Callable[[_Item, _Want], bool],
) -> bool:
    """Greedy, going back to the last star only: what an earlier star could take, the last one can take."""
    at = want = 0
    star = resume = -1
    while at < len(items):
        if want < len(pattern) and is_star(pattern[want]):
            star, resume = want, at
            want += 1
        elif want < len(pattern) and fits(items[at], pattern[want]):
            at += 1
            want += 1
        elif star >= 0:
            resume += 1
            at, want = resume, star + 1
        else:
            return False
    return all(is_star(rest) for rest in pattern[want:])
