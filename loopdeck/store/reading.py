"""Reading a log from its file: all of it, batch by batch, its end, or as it grows.

Invariant: a reader never locks, cuts or waits. Bytes after the last newline are not there yet; what is handed out is whole lines in
their order, each once, up to the first damage.
"""

import os
import stat
from collections.abc import Iterator
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import Generic

import msgspec
from msgspec import Struct

from loopdeck.core.unknown import Unknown
from loopdeck.store.files import failure
from loopdeck.store.lines import (
    LINK,
    NO_LINK,
    START,
    TAIL,
    Batch,
    Damage,
    E,
    Entry,
    LogFormat,
    Mark,
    could_be_line,
    crc_after,
    epoch_and_link,
    lines_of,
)

CHUNK = 1 << 16
"""Bytes read at a time: decoding larger pieces costs more, for the many objects that then live at once."""


class LogRead(Struct, Generic[E], frozen=True):
    """All of a log: its entries, the mark behind them, and the damage that ended them."""

    entries: list[Entry[E | Unknown]]
    mark: Mark
    damage: Damage | None


def read(form: LogFormat[E], path: Path, mark: Mark = START) -> LogRead[E]:
    """All entries of `path` behind `mark`; none if there is no such file. Raises StoreError if the system refuses."""
    entries: list[Entry[E | Unknown]] = []
    damage: Damage | None = None
    for batch in batches(form, path, mark):
        entries += batch.entries
        mark, damage = batch.mark, batch.damage
    return LogRead(entries, mark, damage)


def batches(form: LogFormat[E], path: Path, mark: Mark = START) -> Iterator[Batch[E]]:
    """The entries of `path` behind `mark`, about 64 KiB at a time; the last batch may be one with `damage`. Raises StoreError."""
    file = _open(path)
    if file is None:
        return
    with file:
        file.seek(mark.offset)
        for data in _whole_lines(file, path):
            batch = form.take(data, mark)
            mark = batch.mark
            if batch.damage is not None:
                yield msgspec.structs.replace(batch, damage=_judged(batch.damage, file, path))
                return
            yield batch


def last(form: LogFormat[E], path: Path, count: int) -> list[Entry[E | Unknown]]:
    """The last `count` entries that can be read, oldest first, without looking at what is before them. Raises StoreError."""
    file = _open(path)
    if file is None:
        return []
    with file:
        at = file.seek(0, os.SEEK_END)
        data = b""
        while at > 0 and data.count(b"\n") <= count:
            step = min(at, CHUNK + len(data))
            at -= step
            file.seek(at)
            data = file.read(step) + data
    lines = list(lines_of(data))
    kept = lines if at == 0 else lines[1:]
    return [entry for line in kept[-count:] if (entry := form.entry(line)) is not None]


class Verification(Struct, frozen=True):
    """How a log stands: whole lines, hash of all of them, damage if any, and bytes at the end that belong to no line."""

    lines: int
    head: str
    damage: Damage | None
    torn: int


def verify(form: LogFormat[E], path: Path) -> Verification:
    """Check everything there is to check: each line's checksum and place, and the chain of hashes. Raises StoreError."""
    mark = START
    chain = _Chain(form.linked)
    file = _open(path)
    if file is None:
        return Verification(0, NO_LINK, None, 0)
    with file:
        for data in _whole_lines(file, path):
            batch = form.take(data, mark)
            sound = data[: batch.mark.offset - mark.offset]
            for number, line in enumerate(lines_of(sound), mark.line + 1):
                if broken := chain.broken_at(line):
                    return Verification(number - 1, chain.head, Damage(number, chain.size, broken), 0)
            mark = batch.mark
            if batch.damage is not None:
                return Verification(mark.line, chain.head, _judged(batch.damage, file, path), 0)
        size = os.fstat(file.fileno()).st_size
    return Verification(mark.line, chain.head, None, size - mark.offset)


class _Chain:
    """The chain of hashes, line by line."""

    def __init__(self, linked: bool) -> None:
        self.size = 0
        self._epoch = 0
        self._linked = linked
        self._since = sha256()

    @property
    def head(self) -> str:
        """The link that a next line would carry."""
        return self._since.hexdigest()[:LINK] if self.size else NO_LINK

    def broken_at(self, line: bytes) -> str:
        """What is wrong at `line`, or nothing; then it belongs to the chain."""
        epoch, link = epoch_and_link(line)
        if epoch < self._epoch:
            # Written by a life that had ended: it doesn't count.
            self.size += len(line)
            return ""
        self._epoch = epoch
        if link and link != self.head:
            return "what comes before it was changed"
        if not link and (self._linked or not self.size):
            return "it has no link to what comes before"
        if link:
            self._since = sha256()
        self._since.update(line)
        self.size += len(line)
        return ""


def fits(path: Path, mark: Mark) -> bool:
    """True if the bytes of `path` up to `mark` are, by their last checksum, those that it was made of. Raises StoreError."""
    if mark.offset < TAIL:
        return mark == START
    file = _open(path)
    if file is None:
        return False
    with file:
        return crc_after(os.pread(file.fileno(), TAIL, mark.offset - TAIL)) == mark.crc


def _judged(damage: Damage, file: FileIO, path: Path) -> Damage:
    """`damage` with `tail` set if nothing from there on looks like a line."""
    file.seek(damage.offset)
    for data in _whole_lines(file, path):
        if any(could_be_line(line) for line in lines_of(data)):
            return damage
    return msgspec.structs.replace(damage, tail=True)


def _whole_lines(file: FileIO, path: Path) -> Iterator[bytes]:
    """What `file` holds from where it stands, in pieces of whole lines."""
    parts: list[bytes] = []
    while True:
        try:
            data = file.read(CHUNK)
        except OSError as error:
            raise failure("read the log", path, error) from error
        if not data:
            return
        cut = data.rfind(b"\n") + 1
        if not cut:
            parts.append(data)
            continue
        yield b"".join((*parts, data[:cut])) if parts else data[:cut]
        parts = [data[cut:]] if cut < len(data) else []


def _open(path: Path) -> FileIO | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure("read the log", path, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise failure("read the log", path, OSError(0, "not a plain file"))
    return FileIO(descriptor)
