"""Which runs of a deck are looked at: of each loop the newest, and every other that has not ended.

Invariant: a folder that has not changed is not listed again, and a run known to be over and not the newest is never looked at again.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from loopdeck.store.layout import DeckHome, RunPaths

_SETTLED_NS = 1_000_000_000
"""A folder that changed less than this ago may change again without its time showing it."""


class Listing:
    """The runs of one deck's home, by loop. Those that are over are taken off the list by whoever finds that out."""

    def __init__(self, home: DeckHome) -> None:
        self._home = home
        self._loops: dict[str, list[RunPaths]] = {}
        self._past: set[RunPaths] = set()
        self._folders: dict[str, Path] = {}
        self._known: dict[Path, int] = {}
        self._bereft: list[RunPaths] = []

    def look(self) -> bool:
        """Look at what has changed; True if there may be others now. Raises StoreError."""
        changed = False
        if self._moved(self._home.runs):
            names = self._home.loops()
            changed = names != list(self._loops)
            self._loops = {name: self._loops.get(name, []) for name in names}
            self._folders = {name: self._home.runs / name for name in names}
        for name, kept in self._loops.items():
            if self._moved(self._folders[name]):
                runs = self._home.runs_of(name)
                wanted = [one for one in runs[:-1] if self._goes_on(one)] + runs[-1:]
                changed = changed or wanted != kept
                self._loops[name] = wanted
        if self._moved(self._home.worktrees) or changed:
            before, self._bereft = self._bereft, self._home.bereft()
            changed = changed or before != self._bereft
        return changed

    def loops(self) -> frozenset[str]:
        """Loops with at least one run."""
        return frozenset(name for name, runs in self._loops.items() if runs)

    def bereft(self) -> list[RunPaths]:
        """Runs whose folder somebody has deleted, and whose worktree is there."""
        return self._bereft

    def folders(self) -> Iterator[Path]:
        """Where new runs come to be."""
        yield self._home.runs
        yield from self._folders.values()

    def wanted(self) -> Iterator[tuple[RunPaths, bool]]:
        """Each run to be looked at, and whether it is the newest of its loop."""
        for runs in self._loops.values():
            for one in runs:
                yield one, one is runs[-1]

    def past(self, paths: RunPaths) -> None:
        """That one has ended: it is of interest no longer unless it is the newest."""
        self._past.add(paths)
        runs = self._loops.get(paths.loop, [])
        if paths in runs[:-1]:
            runs.remove(paths)

    def ended_since(self, moment: float) -> list[RunPaths]:
        """The older runs that are over, but not yet at `moment` (seconds since the epoch): as their cards tell. Raises StoreError."""
        others = (one for name in self._loops for one in self._home.runs_of(name)[:-1] if one not in self._loops[name])
        return [one for one in others if _changed(one.card) >= moment * 1e9]

    def _goes_on(self, paths: RunPaths) -> bool:
        # Only a run that has ended has a card.
        if paths not in self._past and paths.card.exists():
            self._past.add(paths)
        return paths not in self._past

    def _moved(self, folder: Path) -> bool:
        changed = _changed(folder)
        if changed == self._known.get(folder, -1):
            return False
        settled = time.time_ns() - changed > _SETTLED_NS
        self._known[folder] = changed if settled else -1
        return True


def _changed(path: Path) -> int:
    """When it changed last, in nanoseconds since the epoch; 0 if it isn't there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
