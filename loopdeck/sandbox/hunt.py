"""Killing a family that does not want to be: in rounds, until one finds nobody.

Some processes replace themselves faster than one can look around: each generation forks the next and is gone. But each is orphaned,
so its heir is a child of whoever takes orphans in, and it leaves a corpse there. So the heirs are struck among those children first,
newest first, each the moment it is seen; and a fresh corpse counts as somebody found, because where it came from there may be more.
"""

import os
import signal
import time

from loopdeck.sandbox import family
from loopdeck.sandbox.family import Mark, Process

_PATIENCE_S = 10.0
_QUICK_S = 0.02
_QUIET_ROUNDS = 2


class Hunt:
    """Kills all that carries `mark`, and all that descends from it or from `known`. The dead child `spared` is left for its waiter."""

    def __init__(self, mark: Mark, known: dict[int, Process], spared: int = 0) -> None:
        self._mark = mark
        self._known = dict(known)
        self._spared = spared
        self._seen: set[tuple[int, float]] = set()
        self._takers = {os.getpid()}
        self._quiet = 0
        self.ended: set[int] = set()

    def over(self) -> bool:
        """One round; True if the last ones have found nobody alive and nobody freshly dead."""
        until = time.monotonic() + _QUICK_S
        while time.monotonic() < until:
            struck = [self._strike_children(taker) for taker in tuple(self._takers)]
            if not any(struck):
                break
        found = family.members(self._mark, self._known.values())
        stirring = False
        for one in sorted(found.values(), key=lambda one: -one.pid):
            stirring |= self._strike(one)
            if one.parent not in found:
                self._takers.add(one.parent)
        self._quiet = 0 if stirring else self._quiet + 1
        return self._quiet >= _QUIET_ROUNDS

    @property
    def left(self) -> list[int]:
        """Who was alive when last looked at."""
        return sorted(self._known)

    def _strike_children(self, taker: int) -> bool:
        """Strike the marked ones among the children of `taker`; True if there was one not seen before."""
        stirring = False
        for pid in family.children(taker) or ():
            one = family.process(pid)
            if one is not None and (pid, one.start) not in self._seen and self._mark.on(pid):
                stirring |= self._strike(one)
        return stirring

    def _strike(self, one: Process) -> bool:
        if one.pid == self._spared and one.dead:
            return False
        if one.dead:
            self._known.pop(one.pid, None)
            family.reap(one.pid)
        else:
            self._known[one.pid] = one
            self.ended.add(one.pid)
            family.send(one, signal.SIGKILL)
        fresh = (one.pid, one.start) not in self._seen
        if one.dead:
            self._seen.add((one.pid, one.start))
        return fresh or not one.dead


def sweep(run: str, *, patience_s: float = _PATIENCE_S) -> list[int]:
    """Kill every process of every command of `run`; returns the numbers of those that were alive.

    For whoever ends a runner: what it had started must not outlive it. What the kernel has not let go after `patience_s` seconds is
    left, so look for `family.members(Mark(run))` that are not dead to know whether all went well. Blocks for some milliseconds.
    """
    hunt = Hunt(Mark(run), {})
    until = time.monotonic() + patience_s
    while not hunt.over() and time.monotonic() < until:
        time.sleep(0.001)
    return sorted(hunt.ended)
