"""Whether somebody looks after the runs of a deck: its supervisor, seen by the lease that it holds.

Light to import, since every status tells it.
"""

import fcntl
import json
import os
import time
from contextlib import suppress
from typing import NamedTuple

from loopdeck.store.layout import DeckHome, RunPaths

SILENT_S = 15.0
"""Seconds without a heartbeat after which nobody counts on a supervisor any more."""


class Tending(NamedTuple):
    """A deck's supervisor: `alive` while it holds its lease, `awake` while it also says so; `pid` is that of the last there was."""

    pid: int | None = None
    alive: bool = False
    awake: bool = False


def supervisor(home: DeckHome) -> Tending:
    """The supervisor of the deck in `home` as it is now; nobody is disturbed, and nothing is raised."""
    try:
        descriptor = os.open(home.supervisor, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return Tending()
    try:
        note, beat = os.read(descriptor, 4096), os.fstat(descriptor).st_mtime
        alive = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            alive = True
    except OSError:
        return Tending()
    finally:
        os.close(descriptor)
    pid = None
    with suppress(ValueError, TypeError, KeyError):
        pid = int(json.loads(note)["pid"])
    return Tending(pid, alive, alive and time.time() - beat < SILENT_S)


def is_tended(paths: RunPaths) -> bool:
    """True if a supervisor will start a runner on the run, which nobody has: there is one, and it has not given the run up."""
    if not supervisor(paths.home).awake:
        return False
    from loopdeck.store import lease, rescue

    tries = rescue.load(paths)
    holder = lease.look(paths.lease).holder
    return not tries.gave_up or tries.epoch < (holder.epoch if holder is not None else 0)
