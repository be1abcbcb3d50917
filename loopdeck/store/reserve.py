"""Room set aside in a run's folder, so that on a full disk the run can still say why it stands still.

Invariant: the file holds nothing; it can be deleted at any time, and is given up by whoever writes the run, to be set aside anew once
there is room.
"""

import os
from contextlib import suppress
from pathlib import Path

from loopdeck.store.files import failure, open_private, write_all

SIZE = 256 * 1024
"""Bytes: some hundred events and a report."""
_PIECE = bytes(64 * 1024)


def set_aside(path: Path) -> None:
    """Have the disk keep room at `path`. Raises Exhausted if there is none, StoreError if the system refuses otherwise."""
    try:
        if path.exists() and path.stat().st_size == SIZE:
            return
        descriptor = open_private(path, os.O_WRONLY | os.O_TRUNC)
        try:
            # Written out rather than promised: some file systems keep no promise of room.
            for _ in range(SIZE // len(_PIECE)):
                write_all(descriptor, _PIECE)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
            raise
        finally:
            os.close(descriptor)
    except OSError as error:
        raise failure("keep room on the disk", path, error) from error


def give_up(path: Path) -> bool:
    """Let go of the room; True if there was some."""
    try:
        held = path.stat().st_size > 0
        # A name can be taken away only where there is room to write the folder down anew; what is in the file can go anywhere.
        os.truncate(path, 0)
    except OSError:
        return False
    with suppress(OSError):
        path.unlink()
    return held
