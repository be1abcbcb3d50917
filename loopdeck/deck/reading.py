"""A run read from its files: the journal folded from its checkpoint, the lease looked at."""

import time
from collections.abc import Callable
from pathlib import Path

from loopdeck.core.run import Run
from loopdeck.deck.view import RunView, Seen, view
from loopdeck.store import lease
from loopdeck.store.folded import load_run
from loopdeck.store.layout import RunPaths

LOOK_S = 0.03
"""How often a waiting verb looks again."""

Condition = Callable[[RunView], bool]


def look(paths: RunPaths, root: Path) -> RunView:
    """The run at `paths` as it is now; a damaged journal gives what can be read of it, with the damage named."""
    # The lease first: a runner that ends between the two looks has written its end by then.
    held = lease.look(paths.lease)
    folded = load_run(paths)
    run = folded.run
    if not run.id:
        run.loop, run.id = paths.loop, paths.run
    seen = Seen(held.held, held.age_s, _age(paths))
    return view(run, seen, str(paths.dir), damage=folded.damage, changed=_changed(run, root))


def _age(paths: RunPaths) -> float:
    try:
        return max(0.0, time.time() - paths.dir.stat().st_mtime)
    except OSError:
        return 0.0


def _changed(run: Run, root: Path) -> bool:
    if run.status == "ended" or not run.spec_hash:
        return False
    # What a loop file means takes longer to import than all the rest of looking.
    from loopdeck.store import specs

    spec = specs.load_loop(root, run.loop).spec
    return spec is None or specs.hash_of(spec) != run.spec_hash
