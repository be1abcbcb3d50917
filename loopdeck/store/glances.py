"""What each line of a trace is about, in two bytes a line: its kind, its iteration, and whether it tells of something gone wrong.

So that a filter or the next problem can be found without reading the trace again. Grown in pieces, and only for who asks.
Invariant: the n-th code is that of line n of the window; a line that can't be read has the glance `DAMAGED`.
"""

from array import array

import msgspec
from msgspec import Struct

from loopdeck.store.lines import UNREADABLE, lines_of
from loopdeck.store.trace import TraceWindow


class Glance(Struct, frozen=True):
    """What a line is about: its event's kind as it is on disk, its iteration (0: none), and whether it tells of a problem."""

    kind: str
    iteration: int = 0
    trouble: bool = False


DAMAGED = Glance("", 0, True)


class _Event(Struct, gc=False):
    kind: str
    iteration: int = 0
    is_error: bool = False
    problem: str | None = None
    outcome: str = "passed"


class _Line(Struct, gc=False):
    event: _Event


_line = msgspec.json.Decoder(_Line).decode
_lines = msgspec.json.Decoder(_Line).decode_lines
_Key = tuple[str, int, bool, str | None, str]
_NO_KEY: _Key = ("", 0, False, None, "")


class Glances:
    """The glances of a window's lines, as far as they were taken. Not for several threads."""

    def __init__(self, window: TraceWindow) -> None:
        self._window = window
        self._generation = window.generation
        self._codes = array("H")
        self._known: dict[_Key, int] = {_NO_KEY: 0}
        self.table: list[Glance] = [DAMAGED]

    @property
    def codes(self) -> "array[int]":
        """For each line, in order, the place of its glance in `table`. Grows; not to be kept."""
        return self._codes

    def count(self) -> int:
        """Lines glanced at so far."""
        return len(self._codes)

    def of(self, number: int) -> Glance | None:
        """The glance of line `number`, or None if it has not been taken yet."""
        return self.table[self._codes[number]] if 0 <= number < len(self._codes) else None

    def grow(self, pieces: int = 1 << 62) -> bool:
        """Glance at up to so many more pieces of 64 KiB; True if all lines the window knows were glanced at. Raises StoreError."""
        if self._generation != self._window.generation:
            self._generation = self._window.generation
            self._codes = array("H")
        for data in self._window.pieces(len(self._codes)):
            self._take(data)
            pieces -= 1
            if pieces <= 0:
                break
        return len(self._codes) >= self._window.count()

    def _take(self, data: bytes) -> None:
        try:
            found = [_key(one) for one in _lines(data)]
        except UNREADABLE:
            found = []
        if len(found) != data.count(b"\n"):
            # One can't be read, or is no line of its own: each by itself.
            found = [_alone(line) for line in lines_of(data)]
        known = self._known
        try:
            self._codes.extend([known[key] for key in found])
        except KeyError:
            # The codes first: a new one may put a wider array in place of this one.
            codes = [self._code(key) for key in found]
            self._codes.extend(codes)

    def _code(self, key: _Key) -> int:
        code = self._known.get(key)
        if code is None:
            kind, iteration, is_error, problem, outcome = key
            code = self._known[key] = len(self.table)
            self.table.append(Glance(kind, iteration, is_error or bool(problem) or outcome != "passed" or kind == "model_failed"))
            if code == _MOST and self._codes.typecode == "H":
                self._codes = array("I", self._codes)
        return code


_MOST = 1 << 16


def _key(line: _Line) -> _Key:
    event = line.event
    return event.kind, event.iteration, event.is_error, event.problem, event.outcome


def _alone(line: bytes) -> _Key:
    try:
        return _key(_line(line))
    except UNREADABLE:
        return _NO_KEY
