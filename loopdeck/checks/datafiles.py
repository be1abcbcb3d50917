"""Data of JSON, TOML and Markdown files, with the line of everything in them.

Pure. The invariants: any text is taken, what can't be read is `Unreadable` with its line; numbers, dates and nesting of any size don't
break the reader.
"""

import datetime
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePosixPath
from typing import Final

from msgspec import Struct

from loopdeck.checks import frontmatter
from loopdeck.checks.frontmatter import Unreadable

Path = tuple[str | int, ...]
"""Where a value stands: keys and positions from the root of the document."""

READABLE: Final = frozenset({".json", ".toml", ".md", ".markdown", ".mdx", ".yaml", ".yml"})


class Data(Struct, frozen=True):
    """A document's value, and a function from paths in it to their lines in the file (of the nearest known part above)."""

    value: object
    lines_of: Callable[[Collection[Path]], Mapping[Path, int]]


def load(name: str, text: str) -> Data:
    """The data of the file `name`, by its suffix. Raises Unreadable."""
    match PurePosixPath(name).suffix.lower():
        case ".json":
            return load_json(text)
        case ".toml":
            value = frontmatter.read_toml(text)
            return Data(_plain(value), lambda wanted: _nearest(wanted, _toml_lines(text, 1)))
        case ".yaml" | ".yml":
            value, places = frontmatter.read_flat_yaml(text)
            return Data(value, lambda wanted: _nearest(wanted, places))
        case _:
            return _load_front_matter(text)


def load_json(text: str) -> Data:
    """A JSON document; NaN, infinities and keys that are there twice are refused. Raises Unreadable."""
    text = text.removeprefix("\ufeff")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Unreadable(f"it is not valid JSON: {error.msg}", error.lineno) from error
    except RecursionError as error:
        raise Unreadable("it is nested too deep to be read") from error
    except ValueError as error:
        raise Unreadable(f"it is not JSON that can be read: {str(error)[:200]}") from error
    return Data(value, lambda wanted: _json_lines(text, wanted))


def _load_front_matter(text: str) -> Data:
    block = frontmatter.split(text)
    if block is None:
        raise Unreadable("it has no front matter (a block between --- or +++ lines at its very top)", 1)
    value, places = frontmatter.read(block)
    known = places or _toml_lines(block.text, block.first_line)
    return Data(_plain(value), lambda wanted: _nearest(wanted, known, block.first_line - 1))


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add is None
        raise ValueError(f"the key {twice!r} is there twice in one object")
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number that JSON knows")


def _plain(value: object) -> object:
    """TOML's dates and times as the text that JSON Schema's formats know."""
    match value:
        case dict():
            return {key: _plain(part) for key, part in value.items()}
        case list():
            return [_plain(part) for part in value]
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
    return value


def _nearest(wanted: Collection[Path], known: Mapping[Path, int], otherwise: int = 1) -> dict[Path, int]:
    return {
        path: next((known[path[:depth]] for depth in range(len(path), 0, -1) if path[:depth] in known), otherwise) for path in wanted
    }


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def _json_lines(text: str, wanted: Collection[Path]) -> dict[Path, int]:
    """One pass over the tokens of a valid document; the place of a value is that of its key, or of itself in a list."""
    ends = [found.start() for found in re.finditer("\n", text)]
    left = {path[:depth] for path in wanted for depth in range(len(path) + 1)}
    known: dict[Path, int] = {}
    here: list[str | int] = []
    depths: list[bool] = []
    """For each open bracket: is it an object?"""
    fresh = True
    for token in _TOKEN.finditer(text):
        what = token[0]
        if what == ":":
            fresh = False
        elif what == ",":
            if not depths[-1]:
                here[-1] = int(here[-1]) + 1
            fresh = True
        elif what in "}]":
            depths.pop()
            here.pop()
            fresh = False
        else:
            if depths and depths[-1] and fresh:
                here[-1] = str(json.loads(what, strict=False))
            if fresh or not depths:
                _note(known, left, here, 1 + bisect_right(ends, token.start()))
            if what in "{[":
                depths.append(what == "{")
                here.append("" if what == "{" else 0)
                fresh = True
        if len(known) == len(left):
            break
    return _nearest(wanted, known)


def _note(known: dict[Path, int], left: set[Path], here: list[str | int], line: int) -> None:
    # Only what is wanted is written down: a large list would need more room than the document itself.
    if len(here) <= _DEEPEST and (path := tuple(here)) in left:
        known.setdefault(path, line)


_DEEPEST: Final = 200
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_ASSIGNED = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_KEY_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def _toml_lines(text: str, first_line: int) -> dict[Path, int]:
    """The lines of keys and tables, as far as lines by themselves tell."""
    known: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for line, raw in enumerate(text.split("\n"), first_line):
        if len(raw) > 2000:
            continue
        if header := _HEADER.match(raw):
            table = _inside(counts, _keys(header[2]))
            if header[1] == "[[":
                bare = tuple(_keys(header[2]))
                counts[bare] = counts.get(bare, -1) + 1
                table = _inside(counts, _keys(header[2]))
            known.setdefault(table, line)
        elif assigned := _ASSIGNED.match(raw):
            known.setdefault((*table, *_keys(assigned[1])), line)
    return known


def _keys(text: str) -> list[str]:
    return [part[0].strip("\"'") for part in _KEY_PART.finditer(text)]


def _inside(counts: Mapping[Path, int], keys: list[str]) -> Path:
    """`keys` with the position of the newest element behind each name of an array of tables."""
    path: list[str | int] = []
    for depth, key in enumerate(keys, 1):
        path.append(key)
        if (at := counts.get(tuple(keys[:depth]))) is not None:
            path.append(at)
    return tuple(path)
