"""Any lines of a log by number, without holding the log: an index of one figure for each 64 KiB, grown as the file grows.

Invariant: a line's number is its place in the file, from 0, and never changes; only what has a newline is a line. The one exception is
on request: the last lines of a log that is still being indexed can be had at once, under the numbers that their own `seq` lets expect.
"""

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Generic

from msgspec import Struct

from loopdeck.core.unknown import Unknown
from loopdeck.store.files import failure
from loopdeck.store.lines import TAIL, E, Entry, LogFormat, encode, lines_of, plain, seq_of

BLOCK = 1 << 16
_READ = 16 * BLOCK
_SOUGHT = 2 * BLOCK
"""Bytes searched at once: what the processor's cache holds is searched twice as fast."""
_FAR = 64 * BLOCK
"""Bytes from the end within which lines are had before the index has come there."""


class Row(Struct, Generic[E], frozen=True):
    """A line of a log: its number from 0, and its entry, or None if it can't be read; then `raw` has it."""

    number: int
    entry: Entry[E | Unknown] | None
    raw: bytes = b""


class Found(Struct, frozen=True):
    """What a stretch of a search came to: the numbers of the lines that have it, and how many bytes were looked at."""

    numbers: list[int]
    size: int


class Ahead(Struct, frozen=True):
    """The end of a log that is not indexed yet: `lines` lines end, by the last one's `seq`, at byte `end`."""

    lines: int = 0
    end: int = 0


class Window(Generic[E]):
    """A view on a log by line number. Keeps a descriptor open; `close` it. Not for several threads.

    `generation` counts how often another file stood at the path, or the file had been cut: then every line is another. Of `size` bytes
    the first `known` are indexed.
    """

    def __init__(self, form: LogFormat[E], path: Path) -> None:
        self._form = form
        self._path = path
        self.generation = 0
        self.size = 0
        self._ahead = Ahead()
        self._descriptor = -1
        self._identity = (0, 0)
        # Size and time of the file as it was looked at last, and as it was when all of it was indexed.
        self._stamp = (0, 0)
        self._complete = (-1, 0)
        # How many newlines there are before the end of each whole block; how many in all, and where the last one is.
        self._counts = array("Q")
        self._total = self.known = 0

    def grow(self, limit: int = 1 << 62) -> bool:
        """Take in what the file has gained, `limit` bytes of it at most; True if that was all. Raises StoreError."""
        try:
            return self._grow(limit)
        except OSError as error:
            raise failure("read the log", self._path, error) from error

    def count(self) -> int:
        """Lines known so far; `grow` first to know all."""
        return self._total

    def foresee(self) -> int:
        """How many lines there seem to be, before `grow` has come to the end: the last ones can then be had at once. Raises StoreError.

        It is what the last line says of itself, so it is too little where lines of an older life stand between. 0 if it can't be told.
        """
        try:
            end = self._look()
            self._ahead = next(self._foreseen(end), Ahead())
        except OSError as error:
            raise failure("read the log", self._path, error) from error
        return self._ahead.lines

    def rows(self, first: int, count: int) -> list[Row[E]]:
        """Up to `count` lines from number `first` on, of those known or foreseen so far. Raises StoreError."""
        known = min(count, self.count() - first)
        foreseen = min(count, self._ahead.lines - first)
        if first < 0 or max(known, foreseen) <= 0:
            return []
        try:
            lines = self._last_lines(first, foreseen) if foreseen > known else []
            lines = lines or (self._lines(first, known) if known > 0 else [])
        except OSError as error:
            raise failure("read the log", self._path, error) from error
        rows: list[Row[E]] = []
        for number, line in enumerate(lines, first):
            entry = self._form.entry(line)
            rows.append(Row(number, entry, b"" if entry else line))
        return rows

    def search(self, text: str, first: int = 0) -> Iterator[int]:
        """The numbers of the known lines from `first` on that hold `text` as it is, in order. Raises StoreError.

        It goes on to the next one only when asked; take as many hits as you need.
        """
        for found in self.seek(text, first):
            yield from found.numbers

    def seek(self, text: str, first: int = 0, *, end: int | None = None, any_case: bool = False) -> Iterator[Found]:
        """The same in steps of 128 KiB, each told whether it found anything or not. Raises StoreError.

        `end` is the first line not to look at; `any_case` takes a-z for A-Z. Ends early if another file comes to stand at the path.
        """
        if not text:
            return
        wanted = plain(encode(text))[1:-1]
        wanted = wanted.lower() if any_case else wanted
        end = self.count() if end is None else min(end, self.count())
        for at, data in self._pieces(first, end, _SOUGHT):
            where = data.lower() if any_case else data
            place = where.find(wanted)
            # To count lines takes as long as to search them: only where there is something.
            numbers = list(_hits(where, wanted, place, self._number_at(at), end)) if place >= 0 else []
            yield Found(numbers, len(data))

    def pieces(self, first: int) -> Iterator[bytes]:
        """The known lines from number `first` on, about 64 KiB of them at a time. Raises StoreError; ends early as `seek` does."""
        return (data for _, data in self._pieces(first, self.count(), BLOCK))

    def close(self) -> None:
        """Give the file back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _grow(self, limit: int) -> bool:
        size = self.size = self._look()
        if self._stamp == self._complete:
            return True
        if size < self.known:
            self._forget()
        del self._counts[size // BLOCK :]
        total = self._counts[-1] if self._counts else 0
        at = len(self._counts) * BLOCK
        end = min(size, at + limit)
        buffer = bytearray(min(_READ, BLOCK * max(1, -(-(end - at) // BLOCK))))
        while at < end:
            got = os.preadv(self._descriptor, [buffer], at)
            if not got:
                break
            for start in range(0, got, BLOCK):
                total += buffer.count(b"\n", start, min(start + BLOCK, got))
                self._counts.append(total)
            cut = buffer.rfind(b"\n", 0, got) + 1
            self.known = at + cut if cut else self.known
            at += got
        self._total = total
        if at < size:
            return False
        # What comes after the last newline may yet be cut by the writer and become something else.
        while self._counts and self._counts[-1] == total:
            self._counts.pop()
        self._ahead, self._complete = Ahead(), self._stamp
        return True

    def _look(self) -> int:
        """The file's size; starts anew if another file stands at the path."""
        if self._descriptor >= 0:
            with suppress(FileNotFoundError):
                there = self._path.stat()
                if self._identity == (there.st_dev, there.st_ino):
                    self._stamp = (there.st_size, there.st_mtime_ns)
                    return there.st_size
            self.close()
            self._forget()
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            self._stamp = (0, 0)
            return 0
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)
        self._stamp = (found.st_size, found.st_mtime_ns)
        return found.st_size

    def _forget(self) -> None:
        """Another file stands here, or lines have gone from it: all that was known of it was of something else."""
        self._counts, self._total, self.known, self._ahead = array("Q"), 0, 0, Ahead()
        self._complete = (-1, 0)
        self.generation += 1

    def _foreseen(self, end: int) -> Iterator[Ahead]:
        """What the last whole line before byte `end` says, if it can be read."""
        step = BLOCK
        while step <= _FAR:
            start = max(0, end - step)
            data = os.pread(self._descriptor, end - start, start) if end else b""
            cut = data.rfind(b"\n") + 1
            head = data.rfind(b"\n", 0, max(0, cut - 1)) + 1
            if head or not start:
                seq = seq_of(data[head:cut])
                # A number that so few bytes can't hold is no number to trust.
                if seq is not None and 0 <= seq < end // TAIL:
                    yield Ahead(seq + 1, start + cut)
                return
            step *= 4

    def _start_of(self, number: int) -> int:
        """Where line `number` begins: behind the `number`-th newline."""
        if number == 0:
            return 0
        block = bisect_left(self._counts, number)
        before = self._counts[block - 1] if block else 0
        data = os.pread(self._descriptor, BLOCK, block * BLOCK)
        at = -1
        for _ in range(number - before):
            at = data.find(b"\n", at + 1)
            if at < 0:
                # It was cut away since.
                return self.size
        return block * BLOCK + at + 1

    def _number_at(self, at: int) -> int:
        """The number of the line that begins at byte `at`."""
        block = min(at // BLOCK, len(self._counts))
        before = self._counts[block - 1] if block else 0
        return before + os.pread(self._descriptor, at - block * BLOCK, block * BLOCK).count(b"\n")

    def _lines(self, first: int, count: int) -> list[bytes]:
        at = self._start_of(first)
        lines: list[bytes] = []
        step = BLOCK
        while len(lines) < count:
            data = os.pread(self._descriptor, step, at)
            found = list(lines_of(data))
            if not found and len(data) < step:
                break
            lines += found
            at += sum(map(len, found))
            step = step if found else step * 4
        return lines[:count]

    def _last_lines(self, first: int, count: int) -> list[bytes]:
        """As many lines as lie, counted from the end, where `first` and so on are expected; none if that is far from it."""
        wanted = self._ahead.lines - first
        step = BLOCK
        while step <= _FAR:
            start = max(0, self._ahead.end - step)
            lines = list(lines_of(os.pread(self._descriptor, self._ahead.end - start, start)))
            if start:
                del lines[:1]
            if len(lines) >= wanted or not start:
                return lines[-wanted:][:count] if len(lines) >= wanted else []
            step *= 4
        return []

    def _pieces(self, first: int, end: int, step: int) -> Iterator[tuple[int, bytes]]:
        """Lines from number `first` to before `end`, about `step` bytes at a time and where they begin."""
        generation = self.generation
        try:
            at = self._start_of(first) if 0 <= first < end else self.known
            stop = self.known if end >= self.count() else self._start_of(end)
            while at < stop and generation == self.generation:
                data = self._whole(at, min(step, stop - at))
                if not data:
                    return
                yield at, data
                at += len(data)
        except OSError as error:
            raise failure("read the log", self._path, error) from error

    def _whole(self, at: int, step: int) -> bytes:
        """About `step` bytes of whole lines from `at` on, one of them at least; nothing if they were cut away."""
        while True:
            data = os.pread(self._descriptor, step, at)
            cut = data.rfind(b"\n") + 1
            if cut or len(data) < step:
                return data[:cut]
            step *= 4


def _hits(data: bytes, wanted: bytes, at: int, number: int, end: int) -> Iterator[int]:
    """The numbers below `end` of those lines of `data` that hold `wanted`, first at `at`; `number` is that of the first line."""
    counted = 0
    while at >= 0:
        number += data.count(b"\n", counted, at)
        if number >= end:
            return
        yield number
        counted = data.index(b"\n", at)
        at = data.find(wanted, counted)
