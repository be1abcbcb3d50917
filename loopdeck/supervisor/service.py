"""The supervisor at work: look, plan, act, and again, until it is told to go or there is nothing left to look after.

Invariant: whoever works holds the deck's supervisor lease. It owns no runner: killed at any moment it leaves them all at their work,
and the next one finds them by their leases.
"""

import os
import select
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from loopdeck.errors import StoreError
from loopdeck.incarnation import boot_id
from loopdeck.store import lease, rescue
from loopdeck.store.layout import DeckHome, RunPaths
from loopdeck.store.lease import Lease
from loopdeck.store.machine import default_limit, free_memory
from loopdeck.supervisor import code
from loopdeck.supervisor.executor import Executor, ThisMachine
from loopdeck.supervisor.observe import Observer
from loopdeck.supervisor.plan import Action, Adopt, Bounds, DeckSeen, MarkLost, Resume, RunSeen, Start, Wait, is_open, plan
from loopdeck.supervisor.settings import Settings
from loopdeck.supervisor.spawn import Started
from loopdeck.supervisor.warmth import Warmth

LOOK_S = 0.5
SOON_S = 0.1
"""How often it looks while something is being started."""
TAKES_S = 60.0
"""How long a runner may take until it has its run; on a machine that is at its limits an interpreter needs many seconds."""
WARM_AFTER_S = 2.0
"""How long it leaves the machine to the first runners before it warms up a process for the next."""
MIND_S = 2.0
"""How often it looks whether it still is who it was: same code, same lease."""
AT_ONCE = 4
AT_ONCE_WARM = 64
"""How many runners may be starting: new interpreters take a core for a second each, forks a few milliseconds."""

Tell = Callable[[str], None]
Reason = Literal["drained", "idle", "replaced", "stale"]


class _Starting(Struct):
    """A start under way: the runner, the lease's epoch before it, and until when it may take (monotonic)."""

    runner: Started
    epoch: int
    until: float


class Supervisor:
    """Looks after the runs of the deck in `home` that belongs to the checkout at `root`, as the holder of `held`."""

    def __init__(self, home: DeckHome, root: Path, held: Lease, tell: Tell) -> None:
        self._home = home
        self._root = root
        self._lease = held
        self._tell = tell
        self._executor: Executor = ThisMachine(home)
        self._observer = Observer(home)
        self._warmth = Warmth(home, os.environ)
        self._settings = Settings(root)
        self._code = code.loaded()
        self._starting: dict[RunPaths, _Starting] = {}
        self._adopted: dict[RunPaths, int] = {}
        self._waiting: dict[RunPaths, str] = {}
        self._began = self._busy = self._minded = time.monotonic()
        self.draining = False

    def serve(self, wake: int, *, for_ever: bool, warm_after_s: float = WARM_AFTER_S) -> Reason:
        """Until there is a reason to stop. Whatever can be read from `wake` makes it look at once. Raises StoreError."""
        try:
            while True:
                self._lease.beat()
                runs = self._look()
                if self.draining and not self._starting:
                    return "drained"
                now = time.monotonic()
                if reason := self._reason(runs, now, for_ever):
                    return reason
                if now - self._began >= warm_after_s and not self.draining:
                    self._keep_warm(now)
                if select.select((wake,), (), (), SOON_S if self._starting else LOOK_S)[0]:
                    os.read(wake, 4096)
        finally:
            self._warmth.end()

    def _keep_warm(self, now: float) -> None:
        if not self._warmth.is_there:
            self._warmth.keep(now, self._settings.agents())

    def _reason(self, runs: Mapping[RunPaths, RunSeen], now: float, for_ever: bool) -> Reason | None:
        """Why it is time to go, if it is."""
        if any(is_open(one) for one in runs.values()):
            self._busy = now
        if now - self._minded > MIND_S:
            self._minded = now
            held = lease.look(self._home.supervisor)
            if held.holder is None or held.holder.nonce != self._lease.holder.nonce or not self._root.is_dir():
                return "replaced"
            if code.is_another(self._code) and not self._starting:
                return "stale"
        return "idle" if not for_ever and now - self._busy > self._settings.now().supervisor_idle_s else None

    def _look(self) -> dict[RunPaths, RunSeen]:
        """Look once, plan, act; gives what was seen."""
        seen = self._observer.look(self._starting.keys(), self._adopted)
        paths_of = {one.key: paths for paths, one in seen.items()}
        planned = plan(DeckSeen(tuple(seen.values()), self._bounds(), free_memory(), boot_id(), self.draining), time.time())
        self._settle(seen)
        waiting = {paths_of[action.key]: action.why for action in planned if isinstance(action, Wait)}
        for paths, why in waiting.items():
            if self._waiting.get(paths) != why:
                self._say(paths, f"left alone: {why}")
        self._waiting = waiting
        for action in planned:
            self._act(paths_of[action.key], action)
        return seen

    def _bounds(self) -> Bounds:
        said = self._settings.now()
        return Bounds(
            max_runs=said.max_runs or default_limit(),
            per_agent=said.max_runs_per_agent,
            at_once=AT_ONCE_WARM if self._warmth.is_there else AT_ONCE,
            memory_floor=said.min_free_memory,
            hung_s=lease.HUNG_AFTER_S,
        )

    def _settle(self, seen: Mapping[RunPaths, RunSeen]) -> None:
        """Let go of starts that have come to something, or to nothing."""
        for paths, one in tuple(self._starting.items()):
            run = seen.get(paths)
            taken = run is None or run.lease.epoch > one.epoch
            gone = one.runner.gone()
            if not taken and gone:
                self._say(paths, f"its runner {one.runner.pid} ended before it had the run")
            if taken or gone or time.monotonic() > one.until:
                del self._starting[paths]
        for paths in self._adopted.keys() - seen.keys():
            del self._adopted[paths]
            self._say(paths, "has ended" if paths.dir.is_dir() else "its folder is gone")

    def _act(self, paths: RunPaths, action: Action) -> None:
        try:
            match action:
                case Adopt(epoch=epoch, pid=pid):
                    self._adopted[paths] = epoch
                    self._say(paths, f"is run by process {pid}, life {epoch}")
                case Start():
                    rescue.save(paths, action.tries)
                    self._start(paths, 0, "started: nobody had begun it")
                case Resume(why=why):
                    rescue.save(paths, action.tries)
                    self._start(paths, action.tries.epoch, f"resumed, try {action.tries.lives}: {why}")
                case MarkLost(evidence=evidence):
                    rescue.save(paths, action.tries)
                    self._say(paths, f"lost: {evidence}")
        except StoreError as error:
            # What can't be done for one run must not keep the others from being looked after; it is tried again at the next look.
            self._say(paths, str(error).replace("\n", " "))

    def _start(self, paths: RunPaths, epoch: int, why: str) -> None:
        runner = self._executor.start(paths)
        self._starting[paths] = _Starting(runner, epoch, time.monotonic() + TAKES_S)
        self._say(paths, f"{why}; process {runner.pid}")

    def _say(self, paths: RunPaths, text: str) -> None:
        self._tell(f"{paths.loop} {paths.run} {text}")
