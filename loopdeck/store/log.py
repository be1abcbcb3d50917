"""Writing a log: one writer, one `write` for each event or group, and a whole log after every failure.

Invariant: what has been handed out as written is in the file as a whole line, and there for good if it was asked to be durable.
Opening cuts what a crash left behind the last whole line; damage before that is never touched. After a failed write the log is as it
was before; after a failed sync nobody knows, so the writer takes nothing more.
"""

import os
from binascii import crc32
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, Self

import msgspec

from loopdeck.core.unknown import Unknown
from loopdeck.errors import Bug, Exhausted, StoreError
from loopdeck.store.files import data_sync, failure, is_at, open_private, sync_dir
from loopdeck.store.lines import (
    LINK,
    NO_LINK,
    START,
    E,
    Envelope,
    LinkedEnvelope,
    LogFormat,
    Mark,
    encode,
    encode_into,
    epoch_and_link,
    lines_of,
    link_of,
    plain,
)
from loopdeck.store.reading import CHUNK, batches

Redact = Callable[[bytes], bytes]
"""Takes credentials out of encoded JSON; gives the same object back if there were none."""

_write = os.write


class LogWriter(Generic[E]):
    """The only writer of a log. Not for several threads.

    `cut` is how many bytes opening took away: what a crash had left of a line.
    """

    __slots__ = (
        "_ahead",
        "_crc",
        "_dead",
        "_descriptor",
        "_end",
        "_epoch",
        "_form",
        "_line",
        "_linked_at",
        "_path",
        "_prev",
        "_redact",
        "_seq",
        "cut",
    )

    def __init__(self, form: LogFormat[E], path: Path, descriptor: int, epoch: int, redact: Redact) -> None:
        self.cut = 0
        self._form = form
        self._path = path
        self._descriptor = descriptor
        self._epoch = epoch
        self._redact = redact
        self._dead = ""
        self._seq = self._crc = self._ahead = self._end = 0
        # One buffer for all lines, since to make room for each takes as long as to encode it. To the redactor it is as good as bytes.
        self._line: Any = bytearray()
        # The link that the next line will carry (none if empty), and where the last line with one begins.
        self._prev = NO_LINK
        self._linked_at = 0

    @classmethod
    def opened(cls, form: LogFormat[E], path: Path, epoch: int, redact: Redact) -> Self:
        """Open `path` for appending, making it if it isn't there, after cutting a torn tail. `epoch` counts the runner's lives from 1.

        Raises StoreError if the log is damaged before its end (it is then left untouched), holds a later epoch, or can't be opened.
        """
        fresh = not path.exists()
        try:
            descriptor = open_private(path, os.O_RDWR | os.O_APPEND)
        except OSError as error:
            raise failure("open the log", path, error) from error
        writer = cls(form, path, descriptor, epoch, redact)
        try:
            if fresh:
                sync_dir(path.parent)
            writer._recover()
        except OSError as error:
            os.close(descriptor)
            raise failure("open the log", path, error) from error
        except StoreError:
            os.close(descriptor)
            raise
        return writer

    @property
    def seq(self) -> int:
        """The number of the next event."""
        return self._seq

    @property
    def dead(self) -> bool:
        """True if nothing more can be written: a sync has failed, so that nobody knows what is on the disk."""
        return bool(self._dead)

    @property
    def in_place(self) -> bool:
        """True if what is written here is what others read: nobody has deleted, moved or replaced the file."""
        return self._descriptor >= 0 and is_at(self._descriptor, self._path)

    @property
    def mark(self) -> Mark:
        """The place behind the last line, for a checkpoint."""
        size = os.fstat(self._descriptor).st_size
        return Mark(size, self._seq + self._ahead, self._seq, self._epoch, self._crc)

    def append(self, event: E, *, at: str, clock: float, durable: bool = False) -> int:
        """Write one event and give its `seq`. `at` is UTC, RFC 3339; `clock` in active seconds; `durable` waits for the disk.

        An event of a kind unknown to this version is written with `append_many`.
        Raises StoreError: then the event is not in the log, unless it was a sync that failed, after which nothing can be written.
        """
        # This is the hot path of every run: written out in one piece, since a call costs as much as the checksum.
        seq = self._seq
        prev = self._prev
        line = self._line
        try:
            if prev:
                encode_into(LinkedEnvelope(seq, at, clock, self._epoch, prev, event), line)
            else:
                encode_into(Envelope(seq, at, clock, self._epoch, event), line)
        except UnicodeEncodeError:
            line[:] = self._carefully(event, at, clock, seq, prev)
        if self._redact(line) is not line or not line.isascii():
            line[:] = self._carefully(event, at, clock, seq, prev)
        del line[-1]
        crc = crc32(line, self._crc)
        tail = b',"crc":"%08x"}\n' % crc
        line += tail
        try:
            written = _write(self._descriptor, line)
        except OSError as error:
            raise self._refused(error) from error
        if written != len(line):
            raise self._undone()
        self._seq = seq + 1
        self._end += written
        self._crc = crc32(tail, crc)
        if prev:
            self._linked(line)
        if durable:
            self.sync()
        return seq

    def append_many(self, events: Sequence[E | Unknown], *, at: str, clock: float, durable: bool = False) -> int:
        """Write `events` in one go, all or none, and give the `seq` of the first. Otherwise as `append`."""
        seq, crc, prev = self._seq, self._crc, self._prev
        lines: list[bytes] = []
        linked = b""
        for number, event in enumerate(events, seq):
            head = self._carefully(event, at, clock, number, prev)[:-1]
            crc = crc32(head, crc)
            line = b'%b,"crc":"%08x"}\n' % (head, crc)
            crc = crc32(line[len(head) :], crc)
            if prev:
                linked = line
                prev = link_of(line) if self._form.linked else ""
            lines.append(line)
        data = b"".join(lines)
        try:
            written = _write(self._descriptor, data)
        except OSError as error:
            raise self._refused(error) from error
        if written != len(data):
            raise self._undone()
        if linked:
            self._linked(linked)
        self._seq, self._crc, self._end = seq + len(lines), crc, self._end + written
        if durable:
            self.sync()
        return seq

    def seal(self) -> None:
        """Let the next line carry the hash of all since the last that did; for logs in which not every line does. Raises StoreError."""
        if self._prev:
            return
        try:
            self._prev = _hash_of(self._descriptor, self._linked_at, os.fstat(self._descriptor).st_size)
        except OSError as error:
            raise self._refused(error) from error

    def sync(self) -> None:
        """Return when everything written so far would survive a power cut. Raises StoreError, and then nothing more can be written."""
        if self._dead:
            raise self._refused(OSError())
        try:
            data_sync(self._descriptor)
        except OSError as error:
            raise self._die("wait for the disk", error) from error

    def fit(self, value: Any) -> bytes:  # noqa: ANN401 - whatever can be written as JSON
        """`value` in JSON as it may lie beside the log: as harmless as what was written into it."""
        return plain(self._redact(_encoded(value)))

    def close(self) -> None:
        """Give the file back. Nothing can be written after."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._dead = self._dead or "it has been closed"

    def _carefully(self, event: E | Unknown, at: str, clock: float, seq: int, prev: str) -> bytes:
        """An envelope whose event is redacted alone and holds nothing a terminal would obey."""
        given = event.raw if isinstance(event, Unknown) else _encoded(event)
        body = plain(self._redact(given))
        if body is not given:
            try:
                msgspec.json.decode(body)
            except msgspec.DecodeError:
                raise Bug("the redactor made something of an event that isn't JSON", where=str(self._path)) from None
        raw = msgspec.Raw(body)
        return encode(LinkedEnvelope(seq, at, clock, self._epoch, prev, raw) if prev else Envelope(seq, at, clock, self._epoch, raw))

    def _linked(self, line: bytes | bytearray) -> None:
        """`line`, just written, was the last that carries a link."""
        if self._form.linked:
            self._prev = link_of(line)
        else:
            self._prev = ""
            self._linked_at = os.fstat(self._descriptor).st_size - len(line)

    def _recover(self) -> None:
        """Find the end of the log, and cut what a crash left behind it."""
        mark = START
        for batch in batches(self._form, self._path):
            mark = batch.mark
            if (damage := batch.damage) is not None and not damage.tail:
                remedy = "The file is left as it is. What comes before can be read (loopdeck verify); the run can't go on."
                raise StoreError(f"the log is damaged: {damage.what}", where=f"{self._path}:{damage.line}", remedy=remedy)
        if mark.epoch > self._epoch:
            what = f"a later life of the runner ({mark.epoch}) has written here; this is life {self._epoch}"
            raise StoreError(what, where=str(self._path), remedy="Only the newest may write; end this one.")
        self.cut = os.fstat(self._descriptor).st_size - mark.offset
        if self.cut:
            os.ftruncate(self._descriptor, mark.offset)
        self._seq, self._crc, self._ahead, self._end = mark.seq, mark.crc, mark.line - mark.seq, mark.offset
        if mark.offset:
            self._linked_at, end = _last_link(self._descriptor, mark)
            self._prev = _hash_of(self._descriptor, self._linked_at, end if self._form.linked else mark.offset)

    def _refused(self, error: OSError) -> StoreError:
        if self._dead:
            return StoreError(f"nothing can be written: {self._dead}", where=str(self._path), remedy="Resume the run.")
        return failure("write to the log", self._path, error)

    def _undone(self) -> StoreError:
        """Take back a write of which only a part was taken, by whatever the system says of how much."""
        try:
            os.ftruncate(self._descriptor, self._end)
        except OSError as error:
            return self._die("take back half a line", error)
        remedy = "The disk is probably full; free some space, then resume the run."
        return Exhausted("the disk took only a part of a line, which was taken back", where=str(self._path), remedy=remedy)

    def _die(self, doing: str, error: OSError) -> StoreError:
        if self._dead:
            return self._refused(error)
        self._dead = f"an earlier attempt to {doing} failed"
        self.close()
        return failure(doing, self._path, error)


def _encoded(event: Any) -> bytes:  # noqa: ANN401 - whatever the log's union holds
    try:
        return encode(event)
    except UnicodeEncodeError:
        # Half a surrogate pair, as broken output has it, can't be written as UTF-8; the rest of the text can.
        import json

        return json.dumps(msgspec.to_builtins(event), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _hash_of(descriptor: int, start: int, end: int) -> str:
    hasher = sha256()
    while start < end and (data := os.pread(descriptor, min(CHUNK, end - start), start)):
        hasher.update(data)
        start += len(data)
    return hasher.hexdigest()[:LINK]


def _last_link(descriptor: int, mark: Mark) -> tuple[int, int]:
    """Start and end of the last line of the newest epoch's that carries a link; the first line does in any case."""
    step = CHUNK
    while True:
        start = max(0, mark.offset - step)
        data = _read(descriptor, start, mark.offset)
        at = data.find(b"\n") + 1 if start else 0
        found = None
        for line in lines_of(data[at:]):
            if b',"prev":"' in line and epoch_and_link(line) > (mark.epoch, ""):
                found = (start + at, start + at + len(line))
            at += len(line)
        if found is not None or not start:
            return found or (0, mark.offset)
        step *= 4


def _read(descriptor: int, start: int, end: int) -> bytes:
    parts: list[bytes] = []
    while start < end and (data := os.pread(descriptor, end - start, start)):
        parts.append(data)
        start += len(data)
    return b"".join(parts)
