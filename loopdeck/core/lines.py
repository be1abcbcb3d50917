"""Where each key and value of a TOML document stands, so that a problem can name its line.

`tomllib` gives the values and forgets their places. `locate` walks the same text again and gives the line of every
table header, key and list item by its path: `("check", 0, "run")` is the `run` of the first `[[check]]`. The
invariant: it never fails and always ends; of text that `tomllib` accepts it knows every path.
"""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import suppress

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*+")
_SPACE = re.compile(r"[ \t]*+")
_KEY = re.compile(r"[A-Za-z0-9_-]++|\"(?:[^\"\\\n]|\\.)*+\"|'[^'\n]*+'")
_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}'
    r"|'''(?:[^']++|'{1,2}(?!'))*+'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*+")
_MAX_DEPTH = 40


def locate(text: str) -> dict[Path, int]:
    """The line, counted from 1, of every path of `text`; of what isn't TOML, of those up to there."""
    scan = _Scan(text)
    with suppress(_Lost):
        scan.document()
    return scan.lines


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of `path`, or of the nearest thing around it; 1 for the document."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1


class _Lost(Exception):
    """The text isn't what a TOML document may hold here, or is nested deeper than any document of ours."""


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self._breaks = [found.start() for found in re.finditer("\n", text)]
        self._counts: dict[Path, int] = {}

    def document(self) -> None:
        """Every statement: a header opens a table, all else is `key = value` in the table opened last."""
        prefix: Path = ()
        while self._skip(_BLANK) < len(self.text):
            prefix = self._header() if self.text[self.at] == "[" else self._pair(prefix)

    def _header(self) -> Path:
        line = self._line()
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        *outer, last = self._key()
        self._take("]]" if many else "]")
        path = self._newest((*self._through(outer), last), again=many)
        self.lines.setdefault(path, line)
        return path

    def _through(self, parts: list[str]) -> Path:
        path: Path = ()
        for part in parts:
            path = (*path, part)
            self.lines.setdefault(path, self._line())
            path = self._newest(path, again=False)
        return path

    def _newest(self, path: Path, *, again: bool) -> Path:
        if again:
            self._counts[path] = self._counts.get(path, -1) + 1
            self.lines.setdefault(path, self._line())
        return (*path, self._counts[path]) if path in self._counts else path

    def _pair(self, prefix: Path, depth: int = 0) -> Path:
        line = self._line()
        path = prefix
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self._take("=")
        self._value(path, depth)
        return prefix

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            found = _KEY.match(self.text, self.at)
            if found is None:
                raise _Lost
            self.at = found.end()
            parts.append(_plain(found[0]))
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _value(self, path: Path, depth: int) -> None:
        self._skip(_SPACE)
        match self.text[self.at : self.at + 1]:
            case "[" | "{" if depth >= _MAX_DEPTH:
                raise _Lost
            case "[":
                self._array(path, depth + 1)
            case "{":
                self._inline(path, depth + 1)
            case '"' | "'":
                self._string()
            case _:
                self._skip(_SCALAR)

    def _string(self) -> None:
        found = _STRING.match(self.text, self.at)
        if found is None:
            raise _Lost
        self.at = found.end()

    def _array(self, path: Path, depth: int) -> None:
        index = 0
        self.at += 1
        while self._next() != "]":
            self.lines.setdefault((*path, index), self._line())
            self._value((*path, index), depth)
            index += 1
            self._comma("]")
        self.at += 1

    def _inline(self, path: Path, depth: int) -> None:
        self.at += 1
        while self._next() != "}":
            self._pair(path, depth)
            self._comma("}")
        self.at += 1

    def _comma(self, end: str) -> None:
        match self._next():
            case ",":
                self.at += 1
            case other if other != end:
                raise _Lost
            case _:
                pass

    def _next(self) -> str:
        """What comes after blanks and comments, not yet taken."""
        if self._skip(_BLANK) >= len(self.text):
            raise _Lost
        return self.text[self.at]

    def _take(self, token: str) -> None:
        self._skip(_SPACE)
        if not self.text.startswith(token, self.at):
            raise _Lost
        self.at += len(token)

    def _skip(self, what: re.Pattern[str]) -> int:
        found = what.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return self.at

    def _line(self) -> int:
        return bisect_left(self._breaks, self.at) + 1


def _plain(key: str) -> str:
    if key[0] == "'":
        return key[1:-1]
    if key[0] != '"':
        return key
    try:
        return str(tomllib.loads(f"key = {key}")["key"])
    except ValueError:
        return key[1:-1]
