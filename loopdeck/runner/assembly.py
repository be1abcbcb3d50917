"""How the rooms of a runner are put together, and let go again."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from loopdeck.agents import prices
from loopdeck.core import events as ev
from loopdeck.core import memory
from loopdeck.git.pool import Pool
from loopdeck.git.repository import find
from loopdeck.runner.inbox import Hand
from loopdeck.runner.life import Life
from loopdeck.runner.places import Places
from loopdeck.runner.record import Record
from loopdeck.runner.site import Site
from loopdeck.runner.workplace import Workplace
from loopdeck.sandbox.choice import Ground, door_for
from loopdeck.sandbox.environment import environment
from loopdeck.store.frozen import Frozen
from loopdeck.store.inbox import Inbox
from loopdeck.store.layout import DeckHome, RunPaths
from loopdeck.store.locks import Mutex
from loopdeck.store.shelf import FileShelf
from loopdeck.store.state import LoopState


@asynccontextmanager
async def assembled(record: Record, frozen: Frozen, paths: RunPaths) -> AsyncIterator[Life]:
    """A life for the run, and everything it needs."""
    home = DeckHome(paths.dir.parent.parent.parent)
    prices.keep_on(FileShelf(home.prices))
    repo = find(Path(frozen.root))
    env = environment(os.environ, frozen.spec.sandbox.env, str(Path(sys.executable).parent), frozen.loop)
    tree = home.worktree(frozen.loop, frozen.run)
    chosen = await door_for(frozen.spec, Ground(repo, home.path, tree, env), frozen.run)
    if chosen.notice and record.run.status not in ("idle", "ended") and chosen.notice not in record.run.notices:
        record.happened(ev.NoticeRaised(chosen.notice))
    door = chosen.door
    pool = Pool(home.worktrees / ".pool", Mutex(home.locks / "worktrees").held)
    workplace = Workplace(repo, frozen.spec, tree, pool, door, env)
    initial = frozen.files.get("state") or memory.initial(frozen.loop, frozen.spec.goal)
    state = LoopState(home.state_dir(frozen.loop), initial=initial)
    site = Site(frozen, record, workplace, state, door, env)
    places = Places(home.locks / "places", frozen.deck, frozen.spec.maker.agent)
    try:
        yield Life(site, Hand(record, Inbox(paths.inbox), state), places)
    finally:
        places.release()
        door.close()
        await site.close()
