"""Tables of a TOML document, read key by key, each mistake noted with its line and how to mend it.

A reader asks a `Table` for its keys with the type it wants. A wrong value is noted as a problem and read as the
default, so that one pass finds every mistake; nothing here ever raises. Keys that nobody asked for are unknown
ones, named by `unknown`.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from loopdeck.core.durations import seconds
from loopdeck.core.lines import Path, line_of, locate
from loopdeck.core.spec import Problem

Complaint = tuple[str, str]
"""What is wrong with a value, to be read after its key (`is not …`), and how to mend it."""

Shape = Callable[[str], Complaint | None]
"""Tells what is wrong with a text, or None."""

D = TypeVar("D")
T = TypeVar("T")

_LONG_NUMBER = re.compile(r"[0-9_]{600,}")


class Source(NamedTuple):
    """A document: its name for problems, and where its paths stand."""

    file: str
    lines: Mapping[Path, int]


class Item(NamedTuple):
    """A value and where it was written."""

    value: object
    source: Source
    path: Path


Items = Mapping[str, Item]
Home = tuple[Source, Path]


class Table:
    """One table; of a loop file perhaps laid over the deck's defaults, so that each key knows its own file.

    `label` is its dotted name (empty for the document), `home` its header's place, and `problems` the list that
    every table of a reading shares.
    """

    def __init__(self, label: str, items: Items, home: Home, problems: list[Problem]) -> None:
        self.label = label
        self.items = items
        self.problems = problems
        self.home = home
        self._asked: set[str] = set()

    def over(self, below: Items) -> "Table":
        """This table with the keys of `below` that it doesn't have itself."""
        return Table(self.label, {**below, **self.items}, self.home, self.problems)

    def __contains__(self, key: str) -> bool:
        return key in self.items

    def get(self, key: str) -> object:
        """The value as it was written; None if it isn't there."""
        self._asked.add(key)
        return self.items[key].value if key in self.items else None

    def note(self, key: str, what: str, remedy: str, *, warning: bool = False, index: int | None = None) -> None:
        """Note a problem of `key` (of its item `index`), or of the whole table if the key isn't there."""
        file, line = self.place(key, index)
        self.problems.append(Problem(file, line, what, remedy, warning))

    def place(self, key: str, index: int | None = None) -> tuple[str, int]:
        """The file and line of `key` (of its item `index`), or of the whole table if the key isn't there."""
        source, path = self.items[key][1:] if key in self.items else self.home
        path = path if index is None else (*path, index)
        return source.file, line_of(source.lines, path)

    def name(self, key: str) -> str:
        """The key with its table, for people."""
        return f"`{_joined(self.label, key)}`"

    def text(self, key: str, default: str = "", shape: Shape | None = None) -> str:
        """A text that isn't blank and has the `shape`."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            self._mistyped(key, "text", f'`{key} = "…"`')
            return default
        complaint = ("is empty", f"Write it, or leave `{key}` out.") if not value.strip() else None
        complaint = complaint or (shape(value) if shape else None)
        if complaint is None:
            return value
        self._complain(key, complaint)
        return default

    def texts(self, key: str, default: tuple[str, ...] = (), shape: Shape | None = None) -> tuple[str, ...]:
        """A list of such texts; one written twice counts once."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, list):
            self._mistyped(key, "a list of texts", f'`{key} = ["…"]`')
            return default
        good: dict[str, None] = {}
        for index, one in enumerate(value):
            if not isinstance(one, str):
                what = f"{self.name(key)} must be a list of texts; item {index + 1} is {kind_of(one)}"
                self.note(key, what, f'Write `{key} = ["…"]`.', index=index)
            elif not one.strip():
                self._complain(key, ("has an empty item", "Write it, or take it out."), index)
            elif shape and (complaint := shape(one)):
                self._complain(key, complaint, index)
            else:
                good[one] = None
        return tuple(good)

    def flag(self, key: str, default: D) -> bool | D:
        """`true` or `false`."""
        value = self.get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self._mistyped(key, "true or false", f"`{key} = true`")
        return default

    def whole(self, key: str, default: D, low: int, high: int) -> int | D:
        """A whole number in `low..high`."""
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self._mistyped(key, "a whole number", f"`{key} = {max(low, 1)}`")
            return default
        return value if self._bounded(key, value, low, high) else default

    def number(self, key: str, default: D, low: float, high: float) -> float | D:
        """A number in `low..high`."""
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._mistyped(key, "a number", f"`{key} = {max(low, 1.0):g}`")
            return default
        return float(value) if self._bounded(key, value, low, high) else default

    def seconds(self, key: str, default: D, low: float, high: float) -> float | D:
        """A duration in `low..high` seconds."""
        value = self.get(key)
        if value is None:
            return default
        amount = seconds(value) if isinstance(value, str) else None
        if amount is None:
            given = f"not {_shown(value)}" if isinstance(value, str) else f"not {kind_of(value)}"
            what = f'{self.name(key)} must be a duration such as "90s" or "1h30m", {given}'
            self.note(key, what, f'Write numbers with units (d, h, m, s), in quotes: `{key} = "90s"`.')
            return default
        return amount if self._bounded(key, amount, low, high, " seconds") else default

    def choice(self, key: str, options: Sequence[T], default: D) -> T | D:
        """One of `options`."""
        value = self.get(key)
        if value is None:
            return default
        for option in options:
            if isinstance(value, str) and option == value:
                return option
        words = [str(option) for option in options]
        what = f"{self.name(key)} must be one of {listed(words)}, not {_shown(value)}"
        self.note(key, what, nearest(value, words) or f'Write one of them: `{key} = "{words[0]}"`.')
        return default

    def table(self, key: str) -> "Table":
        """The table at `key`; an empty one if there is none."""
        value = self.get(key)
        home = self.items[key][1:] if key in self.items else self.home
        if isinstance(value, dict):
            return _table(_joined(self.label, key), value, home, self.problems)
        if value is not None:
            header = f"Write `[{key}]` on a line of its own, in single brackets, and its keys below it."
            self._mistyped(key, "a table", remedy=f"Write `{key} = {{…}}`." if self.label else header)
        return Table(_joined(self.label, key), {}, home, self.problems)

    def tables(self, key: str) -> list["Table"]:
        """The tables of the list `key`."""
        value = self.get(key)
        if value is None:
            return []
        _, source, path = self.items[key]
        dotted = _joined(self.label, key)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self._mistyped(key, "a list of tables", remedy=f"Write `[[{dotted}]]` above each, in double brackets.")
            return []
        return [_table(dotted, one, (source, (*path, index)), self.problems) for index, one in enumerate(value)]

    def unknown(self, remedies: Mapping[str, str]) -> None:
        """Note every key that was not asked for, with the nearest known one; `remedies` knows some better."""
        for key, (_, source, path) in self.items.items():
            if key in self._asked:
                continue
            where = f" in `[{self.label}]`" if self.label else ""
            known = sorted(self._asked)
            remedy = remedies.get(key) or nearest(key, known) or f"Known here: {listed(known)}."
            line = line_of(source.lines, path)
            self.problems.append(Problem(source.file, line, f"unknown key {_shown(key)}{where}", remedy))

    def _mistyped(self, key: str, wanted: str, example: str = "", remedy: str = "") -> None:
        what = f"{self.name(key)} must be {wanted}, not {kind_of(self.get(key))}"
        self.note(key, what, remedy or f"Write for example {example}.")

    def _complain(self, key: str, complaint: Complaint, index: int | None = None) -> None:
        what, remedy = complaint
        self.note(key, f"{self.name(key)} {what}", remedy, index=index)

    def _bounded(self, key: str, value: float, low: float, high: float, unit: str = "") -> bool:
        if low <= value <= high:
            return True
        what = f"{self.name(key)} must be from {low:,g} to {high:,.10g}{unit}, not {_shown(value)}"
        self.note(key, what, "Write a number in these bounds, or leave the key out if it is optional.")
        return False


def parse(text: str, file: str) -> Table:
    """The whole document as a table; of text that isn't TOML an empty one, with the problem noted."""
    source = Source(file, {})
    problems: list[Problem] = []
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        problems.append(_syntax(text, file, error))
        return Table("", {}, (source, ()), problems)
    source = Source(file, locate(text))
    return _table("", values, (source, ()), problems)


def _table(label: str, values: Mapping[str, object], home: Home, problems: list[Problem]) -> Table:
    source, path = home
    items = {name: Item(value, source, (*path, name)) for name, value in values.items()}
    return Table(label, items, home, problems)


def _joined(label: str, key: str) -> str:
    return f"{label}.{key}" if label else key


def _syntax(text: str, file: str, error: Exception) -> Problem:
    if isinstance(error, RecursionError):
        return Problem(file, 1, "its lists or tables are nested too deeply", "Nothing here nests more than three deep.")
    if not isinstance(error, tomllib.TOMLDecodeError):
        digits = _LONG_NUMBER.search(text)
        line = text.count("\n", 0, digits.start()) + 1 if digits else 1
        return Problem(file, line, "a number has too many digits", "Write a number of a sensible size.")
    said = str(error)
    place = re.search(r"\(at line (\d+), column (\d+)\)$", said)
    what = said.partition(" (at ")[0]
    what = f"not valid TOML: {what[:1].lower()}{what[1:]}"
    if place is None:
        last = text.rstrip("\n").count("\n") + 1
        return Problem(file, last, what, "The file ends in the middle of something: close it.")
    line = int(place[1])
    return Problem(file, line, what, f"Mend the line near column {place[2]}.{_syntax_hint(text, line)}")


def _syntax_hint(text: str, line: int) -> str:
    lines = text.split("\n")
    _, equals, value = lines[line - 1].partition("=") if line <= len(lines) else ("", "", "")
    value = value.strip()
    if equals and value and value[0].isalpha() and value not in {"true", "false"}:
        return " A text stands in quotes."
    return ""


def kind_of(value: object) -> str:
    """What a TOML value is, in words."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def nearest(word: object, known: Sequence[str], cutoff: float = 0.6) -> str:
    """`Did you mean …?` with the nearest of `known`, or nothing where none is as alike as `cutoff` of 1."""
    # Only needed when something is wrong, and slow to load.
    from difflib import get_close_matches

    close = get_close_matches(word.lower(), known, 1, cutoff) if isinstance(word, str) else []
    return f"Did you mean `{close[0]}`?" if close else ""


def listed(words: Sequence[str]) -> str:
    """Words for people, with commas."""
    return ", ".join(f"`{word}`" for word in words)


def _shown(value: object) -> str:
    match value:
        case str():
            return repr(value if len(value) <= 60 else value[:59] + "…")
        case bool():
            return kind_of(value)
        case float():
            return f"{value:g}"
        case int() if abs(value) < 10**15:
            return str(value)
        case int():
            return "a number of many digits"
        case _:
            return kind_of(value)
