"""The fold so far, kept beside the journal so that a reader need not begin at its start.

A first line of JSON says which journal bytes it stands for; the rest is the payload as it was given. Invariant: what is loaded fits the
journal as it is now; anything else counts as not there. It can be deleted at any time.
"""

from binascii import crc32
from pathlib import Path

import msgspec
from msgspec import Struct

from loopdeck.store.files import read_bytes, write_atomic
from loopdeck.store.layout import RunPaths
from loopdeck.store.lines import Mark
from loopdeck.store.reading import fits

_VERSION = 1


class _Head(Struct, frozen=True):
    version: int
    mark: Mark
    size: int
    crc: int


class Checkpoint(Struct, frozen=True):
    """`payload` is what the fold had made of the journal up to `mark`."""

    mark: Mark
    payload: bytes


def save(paths: RunPaths, mark: Mark, payload: bytes) -> None:
    """Keep `payload` as what the run's journal folds to up to `mark` (a writer's or a tail's). Raises StoreError."""
    head = _Head(_VERSION, mark, len(payload), _crc(mark, payload))
    write_atomic(paths.checkpoint, msgspec.json.encode(head) + b"\n" + payload)


def load(paths: RunPaths) -> Checkpoint | None:
    """The run's checkpoint; None if there is none, or it is damaged or doesn't belong to this journal. Raises StoreError."""
    return load_from(paths.checkpoint, paths.journal)


def load_from(path: Path, journal: Path) -> Checkpoint | None:
    """As `load`, with the files named."""
    data = read_bytes(path)
    if data is None:
        return None
    first, _, payload = data.partition(b"\n")
    try:
        head = msgspec.json.decode(first, type=_Head)
    except msgspec.MsgspecError:
        return None
    whole = head.version == _VERSION and head.size == len(payload) and head.crc == _crc(head.mark, payload)
    return Checkpoint(head.mark, payload) if whole and fits(journal, head.mark) else None


def _crc(mark: Mark, payload: bytes) -> int:
    return crc32(payload, crc32(msgspec.json.encode(mark)))
