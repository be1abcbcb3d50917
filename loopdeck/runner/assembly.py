"""How the rooms of a runner are put together, and let go again."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from loopdeck.agents import prices
from loopdeck.core import events as ev
from loopdeck.core import memory
from loopdeck.core import trace as tr
from loopdeck.core.caching import lost_between
from loopdeck.core.spec import LoopSpec
from loopdeck.git.pool import Pool
from loopdeck.git.repository import find
from loopdeck.runner.inbox import Hand
from loopdeck.runner.life import Life
from loopdeck.runner.places import Places
from loopdeck.runner.prefix import broken
from loopdeck.runner.record import Record
from loopdeck.runner.site import Site
from loopdeck.runner.workplace import Workplace
from loopdeck.sandbox.choice import Chosen, Ground, door_for
from loopdeck.sandbox.environment import environment
from loopdeck.sandbox.port import OnReached, Reached
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
    chosen = await door_for(frozen.spec, Ground(repo, home.path, tree, env), frozen.run, _teller(record))
    _tell_of(record, chosen)
    _refuse_alone(record, chosen, frozen.spec)
    for notice in (chosen.notice, lost_between(frozen.spec), "" if record.run.life > 1 else broken(home, frozen)):
        if notice and record.run.status not in ("idle", "ended") and notice not in record.run.notices:
            record.happened(ev.NoticeRaised(notice))
    door = chosen.door
    pool = Pool(home.worktrees / ".pool", Mutex(home.locks / "worktrees").held)
    workplace = Workplace(repo, frozen.spec, tree, pool, door, env)
    initial = frozen.files.get("state") or memory.initial(frozen.loop, frozen.spec.goal)
    state = LoopState(home.state_dir(frozen.loop), initial=initial, redact=record.redact.text)
    site = Site(frozen, record, workplace, state, door, env)
    places = Places(home.locks / "places", frozen.deck, frozen.spec.maker.agent, waits=not frozen.lineage)
    try:
        yield Life(site, Hand(record, Inbox(paths.inbox), state), places)
    finally:
        places.release()
        door.close()
        await site.close()


def _refuse_alone(record: Record, chosen: Chosen, spec: LoopSpec) -> None:
    """End a run that would be unattended and unheld, before anything of it is at work."""
    if spec.level == "unattended" and not chosen.door.confines and record.run.status not in ("idle", "ended"):
        record.happened(ev.RunEnded("error", why=f"an unattended run needs a sandbox that holds: {chosen.notice}"), durable=True)


def _tell_of(record: Record, chosen: Chosen) -> None:
    """Journal the door, if it is another than that of the life before."""
    if record.run.status in ("idle", "ended"):
        return
    event = ev.DoorChosen(chosen.door.name, chosen.walls, chosen.hosts, chosen.lacks)
    run = record.run
    if (event.door, event.walls, event.hosts, event.lacks) != (run.door, run.walls, run.hosts, run.lacks):
        record.happened(event)


def _teller(record: Record) -> OnReached:
    """Puts each connection of a command into the trace."""

    def tell(one: Reached) -> None:
        record.traced(
            tr.HostReached(
                record.run.iteration, one.host, one.port, one.verdict, one.role, one.why, one.sent, one.received, round(one.seconds, 3)
            )
        )

    return tell
