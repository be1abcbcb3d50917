"""The one door between the supervisor and runners, wherever they are: start, adopt, list, put, kill.

This module: runners that are processes of this machine. Who may run a run is settled by its lease alone, so an executor remembers
nothing: any number of them, in any processes, tell and do the same.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from loopdeck.errors import StoreError
from loopdeck.sandbox import family, hunt
from loopdeck.store import inbox, lease
from loopdeck.store.layout import DeckHome, RunPaths
from loopdeck.store.lease import Holder, LeaseView
from loopdeck.supervisor import births
from loopdeck.supervisor.spawn import Started
from loopdeck.supervisor.start import start

PATIENCE_S = 10.0
"""How long the kernel may take to let go of what was killed."""
_LOOK_S = 0.002


class Ended(Struct, frozen=True):
    """What came of a kill: which processes were ended, and which are still there."""

    ended: tuple[int, ...]
    left: tuple[int, ...]


class Executor(Protocol):
    """Where runners are. Every method may raise StoreError."""

    def start(self, paths: RunPaths) -> Started:
        """A runner on the run, in a session of its own. It may find that another has the run already, and leave."""
        ...

    def adopt(self, paths: RunPaths) -> LeaseView:
        """Who has the run, if anybody. Nobody is disturbed."""
        ...

    def list(self) -> list[RunPaths]:
        """The runs that somebody has, oldest first."""
        ...

    def put(self, paths: RunPaths, name: str, payload: bytes) -> bool:
        """Put a command into the run's inbox; False if there is one of that name."""
        ...

    def kill(self, paths: RunPaths) -> Ended:
        """End the run's runner and all that it has started, and see that they are gone. The run itself can be resumed."""
        ...


class ThisMachine:
    """Runners that are processes here. `starter` is how they are made."""

    def __init__(self, home: DeckHome, starter: Callable[[RunPaths], Started] = start) -> None:
        self._home = home
        self._starter = starter

    def start(self, paths: RunPaths) -> Started:
        """See the port."""
        return self._starter(paths)

    def adopt(self, paths: RunPaths) -> LeaseView:
        """See the port."""
        return lease.look(paths.lease)

    def list(self) -> list[RunPaths]:
        """See the port."""
        return [paths for paths in self._home.all_runs() if lease.look(paths.lease).held]

    def put(self, paths: RunPaths, name: str, payload: bytes) -> bool:
        """See the port."""
        return inbox.put(paths.inbox, name, payload)

    def kill(self, paths: RunPaths) -> Ended:
        """See the port."""
        seen = lease.look(paths.lease)
        struck = seen.holder if seen.held else None
        if struck is not None:
            _strike(struck)
        ended = set(hunt.sweep(paths.run, patience_s=PATIENCE_S))
        left = {one.pid for one in family.members(family.Mark(paths.run)).values() if not one.dead}
        if struck is not None:
            (left if lease.is_running(struck) else ended).add(struck.pid)
        return Ended(tuple(sorted(ended)), tuple(sorted(left)))


def _strike(holder: Holder) -> None:
    """Kill the holder of a lease, and see it gone; never a process that only has its number."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(holder.pid) if hasattr(os, "pidfd_open") else -1
        try:
            # Looked at after it was opened: from here on the handle means this very process.
            if lease.is_running(holder) is False:
                return
            if handle < 0:
                os.kill(holder.pid, signal.SIGKILL)
            else:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            if handle >= 0:
                os.close(handle)
    until = time.monotonic() + PATIENCE_S
    while lease.is_running(holder) and time.monotonic() < until:
        time.sleep(_LOOK_S)


def forked(paths: RunPaths) -> Started:
    """A runner from the warm process, and from nowhere else. Raises StoreError if it can't be had there."""
    born = births.ask(paths)
    if born is None:
        raise StoreError("the deck's warm process gives no runner", where=str(paths.home.births))
    return born
