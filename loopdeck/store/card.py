"""The last word on a run: what a status says of it once it has ended, kept beside the checkpoint.

To understand a journal takes half of a verb's time before the first event is read; a run that has ended is told by its card instead.
Light to import for that reason. Invariant: a card is given out only while the journal ends where it ended when the card was
written, and only to the version that wrote it. It can be deleted at any time.
"""

import json
import os

from loopdeck import __version__
from loopdeck.core.entry import Entry, idle
from loopdeck.store.files import read_bytes, write_atomic
from loopdeck.store.layout import RunPaths

_TAIL = 24


def save(paths: RunPaths, entry: bytes) -> None:
    """Keep `entry`, in JSON, as what the journal as it is now comes to. Raises StoreError."""
    head = json.dumps([__version__, *_end_of(paths)])
    write_atomic(paths.card, head.encode() + b"\n" + entry)


def load(paths: RunPaths) -> Entry | None:
    """The run's card; None if there is none, or it is damaged or of another version, or the journal is another now.

    Raises StoreError.
    """
    data = read_bytes(paths.card)
    if data is None:
        return None
    head, _, body = data.partition(b"\n")
    try:
        fits = json.loads(head) == [__version__, *_end_of(paths)]
        found = json.loads(body) if fits else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() == idle("").keys() else None


def _end_of(paths: RunPaths) -> tuple[int, str]:
    """The journal's size and last bytes, its last checksum among them; -1 if it can't be read."""
    try:
        descriptor = os.open(paths.journal, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return -1, ""
    try:
        size = os.fstat(descriptor).st_size
        return size, os.pread(descriptor, _TAIL, max(0, size - _TAIL)).decode("latin-1")
    except OSError:
        return -1, ""
    finally:
        os.close(descriptor)
