"""Where the things are that a program complains about: output in, places out.

Pure. The invariants: any text is taken without an error, the work is linear in its length, and every place keeps the words that led to
it. A place is only a claim of the program's: whoever uses it looks whether there is such a file.

Each format has a reader, a function from (lines, index) to the places it found and the index to go on from, or None if what stands
there isn't its own. The first reader that takes a line has it.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from loopdeck.checks.places import Frame, Place, Reading, code_of, frame
from loopdeck.checks.pytest_output import read_pytest
from loopdeck.checks.stacks import read_javascript, read_rust_panic, read_syntax_error, read_tap, read_traceback, read_unittest

MOST_PLACES: Final = 1000

_Reader = Callable[[Sequence[str], int], Reading | None]

_ARROW = re.compile(r"\s*-->\s+([^:\n]{1,400}):(\d{1,7}):\d{1,7}\s*$")
_TSC = re.compile(r"([^\s(][^(\n]{0,400})\((\d{1,7})(?:,\d{1,7})?\):\s*(\S.*)$")
_PLAIN = re.compile(r"\s*(?:vet: )?([^\s:\"'<>|][^:\"'<>|]{0,400}):(\d{1,7})(?::(\d{1,7}))?(?:-\d{1,7})?(?::| -)\s*(?!\d+$)(\S.*)$")
_ESLINT_ROW = re.compile(r"\s+(\d{1,7}):\d{1,7}\s+(error|warning)\s+(\S.*)$")
_REFORMAT = re.compile(r"(?:[Ww]ould reformat:?|\[warn\]|\[error\])\s+(\S[^:]{0,400}\.\w{1,12})\s*$")
_GO_FAIL = re.compile(r"\s*--- FAIL: (\S+)")
_GO_ROW = re.compile(r"\s+([^\s:]{1,300}\.go):(\d{1,7}):\s*(.*)$")
_GO_PACKAGE = re.compile(r"FAIL\t(\S+)")
_LEVEL = re.compile(r"(?:fatal error|error|warning|note|info|help|hint|remark)\b", re.IGNORECASE)
_MINOR = re.compile(r"(?:warning|note|info|help|hint|remark)\b", re.IGNORECASE)
_NOTE = re.compile(r"note\b", re.IGNORECASE)
_CONTEXT = 12


def parse(text: str) -> list[Place]:
    """The places that plain `text` speaks of, errors before warnings, each once; at most `MOST_PLACES`."""
    lines = text.split("\n")
    places: list[Place] = []
    at = go_from = 0
    while at < len(lines) and len(places) < MOST_PLACES:
        package = _GO_PACKAGE.match(lines[at])
        if package is not None:
            places[go_from:] = [_in_package(place, package[1]) for place in places[go_from:]]
            go_from = len(places)
        reading = _read(lines, at)
        if reading is None:
            at += 1
            continue
        places.extend(reading.places)
        at = max(reading.next, at + 1)
    return _in_order(places[:MOST_PLACES])


def _read(lines: Sequence[str], at: int) -> Reading | None:
    if not lines[at].strip():
        return None
    for reader in _READERS:
        reading = reader(lines, at)
        if reading is not None:
            return reading
    return None


def _in_order(places: Sequence[Place]) -> list[Place]:
    errors = [place for place in places if not place.minor]
    # A note explains the error beside it; alone it is still better than nothing.
    kept = [*errors, *(place for place in places if place.minor and not (errors and _NOTE.match(place.message)))]
    return list(dict.fromkeys(kept))


def _read_arrow(lines: Sequence[str], at: int) -> Reading | None:
    """Ruff's full format and rustc's: a message, and an arrow to its place in the line below."""
    found = _ARROW.match(lines[at + 1]) if at + 1 < len(lines) else None
    if found is None or _ARROW.match(lines[at]):
        return None
    end = at + 2
    while end < min(len(lines), at + 2 + _CONTEXT) and lines[end].strip():
        end += 1
    message = lines[at].strip()
    place = Place(
        message,
        (frame(found[1], found[2]),),
        criterion=code_of(message),
        evidence="\n".join(lines[at:end]),
        minor=bool(_MINOR.match(message)),
    )
    return Reading((place,), end)


def _read_tsc(lines: Sequence[str], at: int) -> Reading | None:
    """The TypeScript compiler's form, `path(line,column): error TS1: …`, and others like it."""
    found = _TSC.match(lines[at])
    if found is None:
        return None
    return Reading((_one(found[1], found[2], found[3], lines[at]),), at + 1)


def _read_plain(lines: Sequence[str], at: int) -> Reading | None:
    """`path:line: message` and `path:line:column: message`, as most compilers and linters write it."""
    found = _PLAIN.match(lines[at])
    if found is None or found[1].lower() in {"http", "https", "file"}:
        return None
    end = at + 1
    # Indented lines below belong to the message: the code, a caret, the rest of the sentence.
    while end < min(len(lines), at + 1 + 4) and lines[end].startswith("    ") and _PLAIN.match(lines[end]) is None:
        end += 1
    return Reading((_one(found[1], found[2], found[4], "\n".join(lines[at:end])),), end)


def _one(path: str, line: str, message: str, evidence: str) -> Place:
    level = _LEVEL.match(message)
    code = code_of(message)
    return Place(
        message.strip(),
        (frame(path, line),),
        criterion=code,
        evidence=evidence,
        minor=level is not None and bool(_MINOR.match(message)),
    )


def _read_eslint(lines: Sequence[str], at: int) -> Reading | None:
    """ESLint's default form: a path in a line of its own, and below it a row for each problem."""
    path = lines[at].rstrip()
    if path.startswith((" ", "\t")) or at + 1 >= len(lines) or not _ESLINT_ROW.match(lines[at + 1]):
        return None
    places: list[Place] = []
    end = at + 1
    while end < len(lines) and (row := _ESLINT_ROW.match(lines[end])):
        words = re.split(r"\s{2,}", row[3].strip())
        rule = words[-1] if len(words) > 1 else ""
        message = " ".join(words[:-1] if rule else words)
        places.append(
            Place(
                f"{message} ({rule})" if rule else message,
                (frame(path, row[1]),),
                criterion=rule,
                evidence=lines[end].strip(),
                minor=row[2] == "warning",
            )
        )
        end += 1
    return Reading(tuple(places), end)


def _read_reformat(lines: Sequence[str], at: int) -> Reading | None:
    """Formatters that only name the file."""
    found = _REFORMAT.match(lines[at])
    if found is None:
        return None
    return Reading((Place("the file is not formatted", (frame(found[1], "0"),), criterion="format", evidence=lines[at]),), at + 1)


def _read_go_test(lines: Sequence[str], at: int) -> Reading | None:
    """A failed Go test: its name, and below it, indented, the lines it logged."""
    found = _GO_FAIL.match(lines[at])
    if found is None:
        return None
    end = at + 1
    rows: list[str] = []
    frames: list[Frame] = []
    message = ""
    while end < len(lines) and lines[end].startswith(("    ", "\t")) and not _GO_FAIL.match(lines[end]):
        row = _GO_ROW.match(lines[end])
        if row is not None:
            frames.append(frame(row[1], row[2]))
            message = message or row[3].strip()
        if len(rows) < _CONTEXT:
            rows.append(lines[end])
        end += 1
    if not rows:
        return Reading((), end)
    name = found[1]
    message = message or rows[0].strip()
    # The first line a test logs is the nearest to what went wrong.
    place = Place(f"{name}: {message}", tuple(reversed(frames)), criterion=name, evidence="\n".join([lines[at], *rows]), sure=True)
    return Reading((place,), end)


def _in_package(place: Place, package: str) -> Place:
    """Go names a test's file without its folder; the package, told at the end, has it in its last parts."""
    if not any(path.endswith(".go") and "/" not in path for path, _ in place.frames):
        return place
    parts = package.split("/")[-8:]
    folders = ["/".join(parts[start:]) for start in range(len(parts), -1, -1)]
    frames = tuple((f"{folder}/{path}" if folder else path, line) for path, line in place.frames for folder in sorted(folders, key=len))
    return Place(place.message, frames, place.criterion, place.evidence, place.sure, place.minor)


_READERS: tuple[_Reader, ...] = (
    read_pytest,
    read_unittest,
    read_traceback,
    read_syntax_error,
    read_rust_panic,
    read_tap,
    read_javascript,
    _read_go_test,
    _read_arrow,
    _read_eslint,
    _read_reformat,
    _read_tsc,
    _read_plain,
)
