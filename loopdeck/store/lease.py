"""Who runs a run: a flock that falls with its holder, with a note of who that is and a heartbeat.

Invariant: at most one process holds the lease of a run, and each holder's epoch is greater than that of every holder before, also after
a power cut. The file is never deleted. A holder that lives but hangs shows by the age of its heartbeat.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from loopdeck.errors import StoreError
from loopdeck.incarnation import boot_id, start_ticks
from loopdeck.store.files import data_sync, failure, is_at, make_dir, read_bytes, sync_dir, write_all
from loopdeck.store.locks import is_locked, try_lock

HUNG_AFTER_S = 15.0
"""Seconds without a heartbeat (it beats every 2) after which a living holder is called hung."""
_PATIENCE_S = 0.25
"""Lookers hold the lock for microseconds at a time; a taker outwaits many of them."""
_SIZE = 256
"""The note always has this size, so that no reader ever sees a part of one and the end of another."""


class Holder(Struct, frozen=True):
    """A process that holds or held a lease. `ticks` is its start in clock ticks since boot, 0 where there is no /proc."""

    pid: int
    epoch: int
    nonce: str
    boot_id: str = ""
    ticks: int = 0


@dataclass(frozen=True, slots=True)
class LeaseView:
    """A lease as others see it. `age_s` is the age of the heartbeat in seconds, `beat` when it was (seconds since the epoch).

    `alive` says if the very process of the note is there; None where that can't be known.
    """

    held: bool
    holder: Holder | None
    age_s: float
    alive: bool | None
    beat: float = 0.0


class Lease:
    """A lease that this process holds."""

    def __init__(self, path: Path, descriptor: int, holder: Holder) -> None:
        self.path = path
        self.holder = holder
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path, at_least: int = 1) -> "Lease | None":
        """The lease of `path` for this process, or None if somebody holds it. Its epoch is one more than the last, durably.

        `at_least` is the lowest epoch there may be, for a lease file that was lost. Raises StoreError.
        """
        make_dir(path.parent)
        descriptor = try_lock(path, patience=_PATIENCE_S)
        if descriptor is None:
            return None
        try:
            before = _parsed(os.pread(descriptor, _SIZE, 0))
            epoch = max(at_least, before.epoch + 1 if before else 1)
            holder = Holder(os.getpid(), epoch, os.urandom(8).hex(), boot_id(), start_ticks(os.getpid()))
            note = msgspec.json.encode(holder).ljust(_SIZE - 1) + b"\n"
            os.lseek(descriptor, 0, os.SEEK_SET)
            write_all(descriptor, note)
            os.ftruncate(descriptor, _SIZE)
            data_sync(descriptor)
            if before is None:
                sync_dir(path.parent)
        except OSError as error:
            os.close(descriptor)
            raise failure("write the lease", path, error) from error
        return cls(path, descriptor, holder)

    @property
    def epoch(self) -> int:
        """Which life of the runner this is, from 1."""
        return self.holder.epoch

    @property
    def in_place(self) -> bool:
        """True if it keeps others out: nobody has deleted, moved or replaced its file."""
        return self._descriptor >= 0 and is_at(self._descriptor, self.path)

    def beat(self) -> None:
        """Say that we are alive. Raises StoreError."""
        if self._descriptor < 0:
            raise StoreError("the lease has been given back", where=str(self.path))
        try:
            os.utime(self._descriptor)
        except OSError as error:
            raise failure("touch the lease", self.path, error) from error

    def release(self) -> None:
        """Give the lease back; the note stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def look(path: Path) -> LeaseView:
    """The lease of `path` as it is now, without disturbing anybody. Raises StoreError."""
    held = is_locked(path)
    holder = _parsed(read_bytes(path) or b"")
    running = None if holder is None else is_running(holder)
    if not held and running:
        # Taken between the two looks: a holder that is just beginning must not be told to be gone.
        held = is_locked(path)
    now = time.time()
    try:
        beat = path.stat().st_mtime
    except OSError:
        beat = 0.0
    return LeaseView(held, holder, max(0.0, now - beat) if beat else 0.0, running, beat)


def is_running(holder: Holder) -> bool | None:
    """True if that very process is there, and not another with its number; None where the machine doesn't tell (macOS)."""
    if not holder.ticks or not holder.boot_id:
        return None
    return holder.boot_id == boot_id() and holder.ticks == start_ticks(holder.pid)


def _parsed(note: bytes) -> Holder | None:
    try:
        return msgspec.json.decode(note, type=Holder)
    except msgspec.MsgspecError:
        return None
