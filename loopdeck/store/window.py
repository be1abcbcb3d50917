"""Any lines of a log by number, without holding the log: an index of one figure for each 64 KiB, grown as the file grows.

Invariant: a line's number is its place in the file, from 0, and never changes; only what has a newline is a line.
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
from loopdeck.store.lines import E, Entry, LogFormat, encode, lines_of, plain

BLOCK = 1 << 16
_READ = 16 * BLOCK


class Row(Struct, Generic[E], frozen=True):
    """A line of a log: its number from 0, and its entry, or None if it can't be read; then `raw` has it."""

    number: int
    entry: Entry[E | Unknown] | None
    raw: bytes = b""


class Window(Generic[E]):
    """A view on a log by line number. Keeps a descriptor open; `close` it. Not for several threads."""

    def __init__(self, form: LogFormat[E], path: Path) -> None:
        self._form = form
        self._path = path
        self._descriptor = -1
        self._identity = (0, 0)
        # How many newlines there are before the end of each whole block.
        self._counts = array("Q")
        self._total = 0

    def grow(self, limit: int = 1 << 62) -> bool:
        """Take in what the file has gained, `limit` bytes of it at most; True if that was all. Raises StoreError."""
        try:
            return self._grow(limit)
        except OSError as error:
            raise failure("read the log", self._path, error) from error

    def count(self) -> int:
        """Lines known so far; `grow` first to know all."""
        return self._total

    def rows(self, first: int, count: int) -> list[Row[E]]:
        """Up to `count` lines from number `first` on, of those known so far. Raises StoreError."""
        count = min(count, self.count() - first)
        if first < 0 or count <= 0:
            return []
        try:
            lines = self._lines(first, count)
        except OSError as error:
            raise failure("read the log", self._path, error) from error
        rows: list[Row[E]] = []
        for number, line in enumerate(lines, first):
            entry = self._form.entry(line)
            rows.append(Row(number, entry, b"" if entry else line))
        return rows

    def search(self, text: str, first: int = 0) -> Iterator[int]:
        """The numbers of the known lines from `first` on that hold `text` as it is, in order. Raises StoreError.

        It reads a megabyte between two steps at most only if it finds nothing there; take as many hits as you need.
        """
        if not text:
            return
        wanted = plain(encode(text))[1:-1]
        end = self.count()
        try:
            number, at = first, self._start_of(first) if first < end else 0
            while number < end:
                data = self._whole(at)
                if not data:
                    return
                yield from _hits(data, wanted, number, end)
                number += data.count(b"\n")
                at += len(data)
        except OSError as error:
            raise failure("search the log", self._path, error) from error

    def close(self) -> None:
        """Give the file back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _grow(self, limit: int) -> bool:
        size = self._look()
        del self._counts[size // BLOCK :]
        total = self._counts[-1] if self._counts else 0
        buffer = bytearray(_READ)
        at = len(self._counts) * BLOCK
        end = min(size, at + limit)
        while at < end:
            got = os.preadv(self._descriptor, [buffer], at)
            if not got:
                break
            for start in range(0, got, BLOCK):
                total += buffer.count(b"\n", start, min(start + BLOCK, got))
                self._counts.append(total)
            at += got
        self._total = total
        # What comes after the last newline may yet be cut by the writer and become something else.
        while self._counts and self._counts[-1] == total:
            self._counts.pop()
        return at >= size

    def _look(self) -> int:
        """The file's size; starts anew if another file stands at the path."""
        if self._descriptor >= 0:
            with suppress(FileNotFoundError):
                there = self._path.stat()
                if self._identity == (there.st_dev, there.st_ino):
                    return there.st_size
            self.close()
        self._counts, self._total = array("Q"), 0
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return 0
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)
        return found.st_size

    def _start_of(self, number: int) -> int:
        """Where line `number` begins: behind the `number`-th newline."""
        if number == 0:
            return 0
        block = bisect_left(self._counts, number)
        before = self._counts[block - 1] if block else 0
        data = os.pread(self._descriptor, BLOCK, block * BLOCK)
        at = -1
        for _ in range(number - before):
            at = data.index(b"\n", at + 1)
        return block * BLOCK + at + 1

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
            step = BLOCK if found else step * 4
        return lines[:count]

    def _whole(self, at: int) -> bytes:
        """About a megabyte of whole lines from `at` on, one of them at least; nothing at the end."""
        step = _READ
        while True:
            data = os.pread(self._descriptor, step, at)
            cut = data.rfind(b"\n") + 1
            if cut or len(data) < step:
                return data[:cut]
            step *= 4


def _hits(data: bytes, wanted: bytes, number: int, end: int) -> Iterator[int]:
    """The numbers of those lines of `data`, the first of which is `number`, that hold `wanted`; none from `end` on."""
    counted = 0
    at = data.find(wanted)
    while at >= 0:
        number += data.count(b"\n", counted, at)
        if number >= end:
            return
        yield number
        counted = data.index(b"\n", at)
        at = data.find(wanted, counted)
