"""Locks of the deck: a mutex for things done one at a time, and numbered places for runs that may be at work at once.

All are flocks on files that are never deleted, so a lock falls with the process that held it, however it died. Invariant: whoever
holds a lock holds it on the very file that stands at the path now.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loopdeck.errors import StoreError
from loopdeck.store.files import failure, is_at, make_dir, open_private

_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
_INSTANT_S = 0.003


def try_lock(path: Path, *, patience: float = 0.0) -> int | None:
    """A descriptor with the exclusive flock of `path` (made if missing), or None if somebody has had it for `patience` seconds.

    Raises StoreError.
    """
    end = time.monotonic() + patience
    tries = 0
    try:
        while True:
            descriptor = open_private(path, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
            except OSError:
                os.close(descriptor)
                raise
            else:
                if is_at(descriptor, path):
                    return descriptor
                os.close(descriptor)
            if time.monotonic() >= end:
                return None
            time.sleep(_STEPS[min(tries, len(_STEPS) - 1)])
            tries += 1
    except OSError as error:
        raise failure("lock the file", path, error) from error


def is_locked(path: Path) -> bool:
    """True if somebody holds the exclusive flock of `path`. Takes a shared one for an instant, so takers must be patient.

    Raises StoreError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise failure("look at the lock", path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise failure("look at the lock", path, error) from error
    finally:
        os.close(descriptor)
    return False


@dataclass(frozen=True, slots=True)
class Mutex:
    """Something done by one process at a time, under the lock file `path`."""

    path: Path

    @contextmanager
    def held(self, timeout_s: float = 30.0) -> Iterator[None]:
        """Do the block alone. Blocks; raises StoreError if it isn't our turn within `timeout_s` seconds."""
        make_dir(self.path.parent)
        descriptor = try_lock(self.path, patience=timeout_s)
        if descriptor is None:
            remedy = "Another loopdeck process is at it; see whether one hangs (loopdeck status)."
            raise StoreError(f"still locked after {timeout_s:g} s", where=str(self.path), remedy=remedy)
        try:
            yield
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place taken among the runs that may be at work at once; falls free when the process ends."""

    number: int
    _descriptor: int

    def release(self) -> None:
        """Give the place back. Not to be used again."""
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class SlotPool:
    """The deck's places, one lock file each in `dir`."""

    dir: Path

    def try_take(self, limit: int) -> Slot | None:
        """A place, or None if `limit` are taken, those given out under a higher limit counted too. Raises StoreError."""
        make_dir(self.dir)
        with Mutex(self.dir / "taking").held():
            above = sum(is_locked(path) for path in self._places() if int(path.name) >= limit)
            free = self._taken_hold_of(limit, above + 1)
            if len(free) <= above:
                # Somebody who only looks has each of them for an instant.
                time.sleep(_INSTANT_S)
                free |= self._taken_hold_of(limit, above + 1 - len(free))
            slot = Slot(*free.popitem()) if len(free) > above else None
            for descriptor in free.values():
                os.close(descriptor)
            return slot

    def _taken_hold_of(self, limit: int, most: int) -> dict[int, int]:
        """Places that nobody has, and their descriptors."""
        free: dict[int, int] = {}
        for number in range(limit):
            if len(free) == most:
                break
            if (descriptor := try_lock(self.dir / f"{number:04}")) is not None:
                free[number] = descriptor
        return free

    def taken(self) -> int:
        """How many places are taken. Raises StoreError."""
        return sum(is_locked(path) for path in self._places())

    def _places(self) -> list[Path]:
        return [path for path in self.dir.iterdir() if path.name.isdecimal()] if self.dir.is_dir() else []
