"""A run read from its files: the journal folded from its checkpoint, the lease looked at."""

import errno
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import structs

from loopdeck.core.run import Run
from loopdeck.deck.decks import LOOK_S
from loopdeck.deck.tending import is_tended
from loopdeck.deck.view import RunView, Seen, view
from loopdeck.store import lease, rescue
from loopdeck.store.folded import load_run
from loopdeck.store.layout import RunPaths

_WORDS = 4000
"""Bytes of the runner's log that are looked at for its last words."""

Condition = Callable[[RunView], bool]


def look(paths: RunPaths) -> RunView:
    """The run at `paths` as it is now; a damaged journal gives what can be read of it, with the damage named."""
    # The lease first: a runner that ends between the two looks has written its end by then.
    seen = _seen(paths)
    folded = load_run(paths)
    run = named(folded.run, paths)
    return with_last_words(view(run, in_hands(seen, run, paths), str(paths.dir), damage=folded.damage), paths)


_REST = 30
"""How much longer it rests than it looks, at least: waiting for forty runs must not take the time that they need."""


class Watch:
    """Looks at runs again and again, for a verb that waits. A journal is folded when it has grown; a run that is over is left alone."""

    def __init__(self, runs: Sequence[RunPaths]) -> None:
        self._runs = tuple(runs)
        self._took = 0.0
        self._seen: dict[RunPaths, RunView] = {}
        self._sizes: dict[RunPaths, int] = {}

    def look(self) -> list[RunView]:
        """All of them as they are now."""
        began = time.thread_time()
        views = [self._look(paths) for paths in self._runs]
        self._took = time.thread_time() - began
        return views

    def rest(self) -> None:
        """Wait until it is time to look again."""
        time.sleep(max(LOOK_S, _REST * self._took))

    def _look(self, paths: RunPaths) -> RunView:
        before = self._seen.get(paths)
        if before is not None and over(before):
            return before
        seen = _seen(paths)
        size = _size(paths)
        if before is None or size != self._sizes[paths]:
            folded = load_run(paths)
            run, damage = named(folded.run, paths), folded.damage
        else:
            run, damage = before.run, before.damage
        now = with_last_words(view(run, in_hands(seen, run, paths), str(paths.dir), damage=damage), paths)
        self._seen[paths], self._sizes[paths] = now, size
        return now


def over(one: RunView) -> bool:
    """True if nothing will come of the run any more by itself."""
    return one.status == "ended" and not one.live


def _seen(paths: RunPaths) -> Seen:
    held = lease.look(paths.lease)
    return Seen(held.held, held.age_s, _age(paths), held.holder is not None)


def in_hands(seen: Seen, run: Run, paths: RunPaths) -> Seen:
    """`seen`, and if the run has no runner though it should go on, whether a supervisor will give it one."""
    if seen.held or run.status == "ended":
        return seen
    return structs.replace(seen, tended=is_tended(paths))


def named(run: Run, paths: RunPaths) -> Run:
    """`run`, called by its place as long as its journal has not said what it is called."""
    if not run.id:
        run.loop, run.id = paths.loop, paths.run
    return run


def with_last_words(one: RunView, paths: RunPaths) -> RunView:
    """`one`, and if its runner is gone without an end, what that said last: a full disk can't be told in a journal.

    Or, if a supervisor has given it up, why.
    """
    if one.reason != "lost" or one.run.status == "ended":
        return one
    tries = rescue.load(paths)
    if tries.gave_up and tries.epoch >= one.run.epoch:
        return structs.replace(one, said=tries.gave_up)
    try:
        lines = paths.runner_log.read_bytes()[-_WORDS:].decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return one
    return structs.replace(one, said=" ".join(line.strip() for line in lines[-2:]) or _refused(paths))


def _refused(paths: RunPaths) -> str:
    """Why the runner may not even have had last words: nothing can be written where it wrote. Nothing is written to find out."""
    try:
        os.close(os.open(paths.journal, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
    except OSError as error:
        return "" if error.errno == errno.ENOENT else f"its journal can't be written: {error.strerror}"
    return ""


def _size(paths: RunPaths) -> int:
    try:
        return paths.journal.stat().st_size
    except OSError:
        return 0


def _age(paths: RunPaths) -> float:
    try:
        return max(0.0, time.time() - paths.dir.stat().st_mtime)
    except OSError:
        return 0.0


def edited(run: Run, root: Path) -> bool:
    """True if the loop file is not what `run`, which goes on, was started with."""
    if run.status == "ended" or not run.spec_hash:
        return False
    # What a loop file means takes longer to import than all the rest of looking.
    from loopdeck.store import specs

    spec = specs.load_loop(root, run.loop).spec
    return spec is None or specs.hash_of(spec) != run.spec_hash
