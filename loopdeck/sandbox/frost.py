"""Commands that stand still: every process of a run's stopped where it is, and let go on from there.

Invariant: while it lasts nothing of the commands runs, however fast it forks; the time it takes is not the commands' own. Whoever
freezes goes on living himself, so that a word to go on, or a kill, is heard. (A stopped process can be killed.)
"""

import asyncio
import signal
import time
from pathlib import Path

from loopdeck.sandbox import family
from loopdeck.sandbox.family import Mark, Process

_ROUNDS = 50
_LOOK_S = 0.05
_STOPPED = frozenset((b"T", b"t"))


class Frost:
    """Stops and releases all commands of `run`."""

    def __init__(self, run: str) -> None:
        self._mark = Mark(run)
        self._since: float | None = None
        self._stood = 0.0

    @property
    def lasts(self) -> bool:
        """True while the commands stand still."""
        return self._since is not None

    def freeze(self) -> int:
        """Stop them all; how many there are. In rounds, since one that is being stopped may just have forked."""
        if self._since is None:
            self._since = time.monotonic()
        for _ in range(_ROUNDS):
            found = [one for one in family.members(self._mark).values() if not one.dead]
            stirring = [one for one in found if not _stands(one)]
            if not stirring:
                break
            for one in stirring:
                family.send(one, signal.SIGSTOP)
        else:
            found = [one for one in family.members(self._mark).values() if not one.dead]
        if not found:
            self.thaw()
        return len(found)

    def thaw(self) -> None:
        """Let them go on."""
        if self._since is None:
            return
        for one in family.members(self._mark).values():
            family.send(one, signal.SIGCONT)
        self._stood += time.monotonic() - self._since
        self._since = None

    def stood(self) -> float:
        """Seconds that they have stood still so far, all times together."""
        return self._stood + (time.monotonic() - self._since if self._since is not None else 0.0)

    def due(self, timeout_s: float) -> float:
        """When a command that begins now is to be over, for `wait`."""
        return time.monotonic() - self.stood() + timeout_s

    async def wait(self, exited: "asyncio.Future[None]", due: float, look_s: float = 3600.0) -> bool:
        """Wait for `exited`, until it is `due` or time to look up (`look_s` seconds from now); True if there is time left."""
        left = due + self.stood() - time.monotonic()
        await asyncio.wait((exited,), timeout=max(0.0, min(left, look_s, _LOOK_S if self.lasts else look_s)))
        return self.lasts or due + self.stood() > time.monotonic()


def _stands(one: Process) -> bool:
    try:
        return Path(f"/proc/{one.pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in _STOPPED
    except (OSError, IndexError):
        return True


class Held:
    """What every door can be told of the commands it runs: to be brief, to have them stand still, to let them go on."""

    def __init__(self, marker: str, grace_s: float) -> None:
        self._marker = marker
        self._grace_s = grace_s
        self._frost = Frost(marker)
        self.ended = 0

    def hurry(self) -> None:
        """See the port."""
        self._grace_s = 0.0

    def freeze(self) -> int:
        """See the port."""
        return self._frost.freeze()

    def thaw(self) -> None:
        """See the port."""
        self._frost.thaw()

    def close(self) -> None:
        """See the port: there is nothing."""
