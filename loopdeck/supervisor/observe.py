"""What the supervisor sees: the runs of the deck, from their files and leases alone.

Cheap enough to do twice a second: a run that has ended is not looked at again, a journal is folded only when its runner is gone.
"""

import time
from collections.abc import Collection, Mapping
from pathlib import Path

from loopdeck.core.rescue import Tries
from loopdeck.errors import LoopdeckError, StoreError
from loopdeck.store import lease, rescue
from loopdeck.store.files import is_there
from loopdeck.store.folded import load_run
from loopdeck.store.frozen import thaw
from loopdeck.store.layout import DeckHome, RunPaths
from loopdeck.store.silence import Silence
from loopdeck.supervisor.plan import LeaseSeen, RunSeen

_WORDS = 2000
_SETTLED_NS = 1_000_000_000


class Observer:
    """Looks at the deck in `home`, again and again."""

    def __init__(self, home: DeckHome) -> None:
        self._home = home
        self._silence = Silence()
        self._over: set[RunPaths] = set()
        self._agents: dict[RunPaths, str] = {}
        self._listed: dict[str, tuple[int, list[RunPaths]]] = {}
        self._folded: dict[RunPaths, tuple[int, bool, str, int]] = {}

    def look(self, starting: Collection[RunPaths], adopted: Mapping[RunPaths, int]) -> dict[RunPaths, RunSeen]:
        """Every run that has not ended, oldest first.

        `starting` are those with a start of ours under way, `adopted` the epochs of the runners that are known.
        """
        seen = {}
        for paths in self._unended():
            try:
                one = self._look(paths, paths in starting, adopted.get(paths, 0))
            except StoreError as error:
                # One run that can't be read must not keep the others from being looked after.
                one = RunSeen(str(paths.dir), damage=str(error).replace("\n", " "), lease=self._lease_if_any(paths))
            if one.ended and not one.lease.held:
                self._over.add(paths)
            else:
                seen[paths] = one
        return seen

    def _unended(self) -> list[RunPaths]:
        """The runs that were not seen to have ended. A loop's folder is listed again only when it has changed."""
        listed = {}
        for loop in self._home.loops():
            before, runs = self._listed.get(loop, (-1, []))
            changed = _changed(self._home.runs / loop)
            if changed != before:
                runs = [paths for paths in self._home.runs_of(loop) if paths not in self._over]
                # What changed a moment ago may change once more within the same tick of its clock.
                changed = changed if time.time_ns() - changed > _SETTLED_NS else -1
            listed[loop] = (changed, runs)
        self._listed = listed
        left = (paths for _, runs in listed.values() for paths in runs if paths not in self._over)
        return sorted(left, key=lambda paths: (paths.run, paths.loop))

    def _look(self, paths: RunPaths, starting: bool, adopted: int) -> RunSeen:
        # The lease first: a runner that ends between the looks has written its end by then.
        held = self._lease(paths)
        begun, frozen = held.epoch > 0, is_there(paths.spec)
        ended, damage, steps, tries = is_there(paths.card) and not held.held, "", 0, Tries()
        if not held.held and not ended:
            tries = rescue.load(paths)
            if begun:
                ended, damage, steps = self._fold(paths)
        said = _last_words(paths) if tries.lives else ""
        return RunSeen(
            key=str(paths.dir), agent=self._agent(paths) if frozen else "", age_s=_age(paths.dir), ended=ended, frozen=frozen,
            starting=starting, adopted=adopted, steps=steps, damage=damage, said=said, lease=held, tries=tries,
        )  # fmt: skip

    def _fold(self, paths: RunPaths) -> tuple[bool, str, int]:
        """Of a run without a runner: has it ended, what is wrong with its journal, how many iterations it has begun."""
        size = _size(paths.journal)
        known = self._folded.get(paths)
        if known is None or known[0] != size:
            folded = load_run(paths)
            known = (size, folded.run.status == "ended", folded.damage, len(folded.run.iterations))
            self._folded[paths] = known
        return known[1:]

    def _agent(self, paths: RunPaths) -> str:
        if paths not in self._agents:
            try:
                self._agents[paths] = thaw(paths.dir).spec.maker.agent
            except LoopdeckError:
                return ""
        return self._agents[paths]

    def _lease(self, paths: RunPaths) -> LeaseSeen:
        view = lease.look(paths.lease)
        if view.holder is None:
            return LeaseSeen(view.held, beat_age_s=view.age_s)
        one, age = view.holder, self._silence.of(view.beat)
        return LeaseSeen(view.held, one.epoch, one.pid, one.ticks, one.nonce, one.boot_id, age, view.alive)

    def _lease_if_any(self, paths: RunPaths) -> LeaseSeen:
        """The lease; of one that can't be looked at it must be supposed that somebody has it."""
        try:
            return self._lease(paths)
        except StoreError:
            return LeaseSeen(True)


def _age(path: Path) -> float:
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return 0.0


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _last_words(paths: RunPaths) -> str:
    try:
        lines = paths.runner_log.read_bytes()[-_WORDS:].decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return " ".join(line.strip() for line in lines[-2:])
