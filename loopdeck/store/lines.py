"""The line of a log: how an event becomes one, and how lines become events again. Bytes in, values out; no files.

    {"seq":7,"at":"2026-11-21T07:15:00.123Z","clock":12.345,"epoch":2,"prev":"<16 hex>","event":{"kind":"…",…},"crc":"<8 hex>"}

`crc` is the CRC-32 of the whole log from its first byte up to the comma before `"crc"`: so a single call over 64 KiB checks all the
lines in it, and a line that is lost, moved or changed shows. `prev` is the first 16 hex digits of the SHA-256 of everything since the
start of the last line that has a `prev` (16 zeros in the first line): in a journal, where each line has one, it is the hash of the line
before. `seq` counts from 0, `clock` is active seconds, `epoch` the life of the runner that wrote it; lines that an older epoch wrote
after a newer one had begun don't count. What a version doesn't know of a line it skips, and a kind it doesn't know it keeps.

Invariant: what is read is a true prefix of what was written; where it ends early, the damage is named.
"""

import re
import typing
from binascii import crc32
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from loopdeck.core.unknown import Unknown

E = TypeVar("E")

TAIL = len(b',"crc":"00000000"}\n')
LINK = 16
NO_LINK = "0" * LINK
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding damaged JSON may raise."""


class Entry(Struct, Generic[E], frozen=True, gc=False):
    """An event with its place in the log. `at` is UTC, RFC 3339; `clock` in active seconds."""

    seq: int
    at: str
    clock: float
    epoch: int
    event: E


class Mark(Struct, frozen=True):
    """A place between two lines: bytes and lines before it, the next line's `seq`, the epoch, and the CRC of all bytes before it."""

    offset: int = 0
    line: int = 0
    seq: int = 0
    epoch: int = 0
    crc: int = 0


START = Mark()


class Damage(Struct, frozen=True):
    """Where a log stops being what was written: line (from 1), byte, and what is wrong.

    `tail` says that from there on nothing looks like a line, as a power cut may leave it: the writer cuts that, and nothing else.
    """

    line: int
    offset: int
    what: str
    tail: bool = False


class Batch(Struct, Generic[E], frozen=True):
    """Entries read in one go, the mark behind them, and the damage that ended them."""

    entries: "list[Entry[E | Unknown]]"
    mark: Mark
    damage: Damage | None = None


class Envelope(Struct, gc=False):
    """A line as it is encoded, still without its `crc`; `event` is an event or its raw JSON."""

    seq: int
    at: str
    clock: float
    epoch: int
    event: Any


class LinkedEnvelope(Struct, gc=False):
    """The same, with the hash of what came before."""

    seq: int
    at: str
    clock: float
    epoch: int
    prev: str
    event: Any


class _Loose(Struct, gc=False):
    seq: int
    at: str
    clock: float
    epoch: int
    event: msgspec.Raw
    prev: str = ""


class _Kind(Struct, gc=False):
    kind: str


_encoder = msgspec.json.Encoder()
encode = _encoder.encode
encode_into = _encoder.encode_into
_loosely = msgspec.json.Decoder(_Loose).decode
_kind_of = msgspec.json.Decoder(_Kind).decode

# Control characters, direction marks, invisible and tag characters: what could make a terminal lie when a log is shown with `cat`.
_UNSAFE = re.compile("[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]")


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def plain(encoded: bytes) -> bytes:
    """JSON that says the same without characters that do something to a terminal."""
    if encoded.isascii():
        return encoded
    return _UNSAFE.sub(_escape, encoded.decode()).encode()


def link_of(data: bytes | bytearray) -> str:
    """The `prev` of the line after `data`."""
    return sha256(data).hexdigest()[:LINK]


def crc_text(line: bytes) -> bytes:
    """The 8 hex digits that `line` (with its newline) carries, or nothing if it doesn't end as a line does."""
    whole = line[-TAIL : 8 - TAIL] == b',"crc":"' and line[-3:] == b'"}\n'
    return line[-11:-3] if whole else b""


def crc_after(end: bytes) -> int | None:
    """The CRC of all bytes up to and with `end`, the end of a line; None if it is none."""
    try:
        return crc32(end[-TAIL:], int(crc_text(end), 16))
    except ValueError:
        return None


def lines_of(data: bytes) -> Iterator[bytes]:
    """The lines of `data`, each with its newline; what comes after the last one is left out."""
    at = 0
    while (end := data.find(b"\n", at) + 1) > 0:
        yield data[at:end]
        at = end


def could_be_line(line: bytes) -> bool:
    """True if `line` by itself looks whole, whatever came before it."""
    if not crc_text(line):
        return False
    try:
        _loosely(line)
    except UNREADABLE:
        return False
    return True


def epoch_and_link(line: bytes) -> tuple[int, str]:
    """The epoch of a whole line and its `prev`, which is empty if it has none."""
    found = _loosely(line)
    return found.epoch, found.prev


def seq_of(line: bytes) -> int | None:
    """The `seq` that a line says it has, or None if it can't be read."""
    try:
        return _loosely(line).seq
    except UNREADABLE:
        return None


class LogFormat(Generic[E]):
    """A kind of log: the closed union of its events. `linked` says that every line carries a `prev`."""

    def __init__(self, union: object, *, linked: bool = True) -> None:
        members = typing.get_args(union) or (union,)
        entry: Any = Entry
        self.linked = linked
        self._kinds = frozenset(member.__struct_config__.tag for member in members)
        self._decoder: msgspec.json.Decoder[Entry[E]] = msgspec.json.Decoder(entry[union])

    def take(self, data: bytes, mark: Mark) -> Batch[E]:
        """The entries of `data`, which are whole lines that come right after `mark`."""
        if not data:
            return Batch([], mark)
        return self._at_once(data, mark) or self._one_by_one(data, mark)

    def entry(self, line: bytes) -> Entry[E | Unknown] | None:
        """The entry of one line, its place in the log unchecked; None if it can't be read."""
        try:
            found = self._decoder.decode(line)
            return typing.cast("Entry[E | Unknown]", found)
        except UNREADABLE:
            pass
        try:
            loose = _loosely(line)
            kind = _kind_of(loose.event).kind
        except UNREADABLE:
            return None
        if kind in self._kinds:
            return None
        return Entry(loose.seq, loose.at, loose.clock, loose.epoch, Unknown(kind, bytes(loose.event)))

    def _at_once(self, data: bytes, mark: Mark) -> Batch[E] | None:
        """All entries of `data` if nothing about them needs a closer look."""
        crc = crc32(memoryview(data)[:-TAIL], mark.crc)
        if crc_text(data) != b"%08x" % crc:
            return None
        try:
            entries = self._decoder.decode_lines(data)
        except UNREADABLE:
            return None
        first, last = entries[0], entries[-1]
        in_order = first.seq == mark.seq and last.seq - first.seq == len(entries) - 1
        if not (in_order and mark.epoch <= first.epoch == last.epoch):
            return None
        after = Mark(mark.offset + len(data), mark.line + len(entries), last.seq + 1, last.epoch, crc32(data[-TAIL:], crc))
        return Batch(typing.cast("list[Entry[E | Unknown]]", entries), after)

    def _one_by_one(self, data: bytes, mark: Mark) -> Batch[E]:
        entries: list[Entry[E | Unknown]] = []
        for line in lines_of(data):
            if crc_text(line) != b"%08x" % crc32(memoryview(line)[:-TAIL], mark.crc):
                if _older(line, mark):
                    mark = msgspec.structs.replace(mark, offset=mark.offset + len(line), line=mark.line + 1)
                    continue
                return self._damaged(entries, mark, "its checksum doesn't fit")
            entry = self.entry(line)
            if entry is None:
                return self._damaged(entries, mark, "this version can't read it")
            if entry.seq != mark.seq or entry.epoch < mark.epoch:
                return self._damaged(entries, mark, f"it is number {entry.seq} where {mark.seq} was due")
            entries.append(entry)
            mark = Mark(mark.offset + len(line), mark.line + 1, entry.seq + 1, entry.epoch, crc32(line, mark.crc))
        return Batch(entries, mark)

    @staticmethod
    def _damaged(entries: list[Entry[E | Unknown]], mark: Mark, what: str) -> Batch[E]:
        return Batch(entries, mark, Damage(mark.line + 1, mark.offset, what))


def _older(line: bytes, mark: Mark) -> bool:
    """True if `line` is one that an earlier life of the runner wrote after a newer one had begun."""
    try:
        return bool(crc_text(line)) and _loosely(line).epoch < mark.epoch
    except UNREADABLE:
        return False
