"""The ground a runner stands on: its lease, journal and trace, where others look for them.

What is written into a file that nobody can find any more is lost, and a lease that is not there keeps nobody out. So a runner whose
files are deleted, moved or replaced under it ends by itself, and what it has started ends with it; nothing is made anew in the place.
"""

import asyncio
import itertools
import os
import sys
from contextlib import suppress

from msgspec import structs

from loopdeck.errors import LoopdeckError, StoreError
from loopdeck.runner.record import Record
from loopdeck.store import rescue
from loopdeck.store.folded import load_run
from loopdeck.store.layout import RunPaths
from loopdeck.store.lease import Lease

BEAT_S = 2.0
_LOOKS_A_BEAT = 4
LET_GO_S = 0.5
"""How long a life has to let go of what it does before all of it is killed."""


def taken(paths: RunPaths) -> Lease | None:
    """The run's lease, or None if somebody has it. Its epoch is above all in the journal, even if the lease's file was lost.

    Raises StoreError, also if there is no such run: none is made.
    """
    if not paths.dir.is_dir():
        raise StoreError("the run's folder is gone", where=str(paths.dir), remedy="Nothing can be done for it; start the loop again.")
    lease = Lease.take(paths.lease)
    if lease is None or lease.epoch > 1 or not paths.journal.exists():
        return lease
    known = load_run(paths).run.epoch
    if known < lease.epoch:
        return lease
    lease.release()
    return Lease.take(paths.lease, at_least=known + 1)


async def watch(record: Record, lease: Lease) -> str:
    """Beat, and look; returns what is missing as soon as something is."""
    for looks in itertools.count():
        # What can't be looked at may be there.
        with suppress(OSError):
            if missing := _missing(record, lease):
                return missing
        # A disk that takes nothing just now may take it again; until then we look hung, which is not far from the truth.
        with suppress(StoreError):
            if looks % _LOOKS_A_BEAT == 0:
                lease.beat()
        await asyncio.sleep(BEAT_S / _LOOKS_A_BEAT)
    return ""


async def leave(life: "asyncio.Future[None]", missing: str, paths: RunPaths, lease: Lease) -> None:
    """End this process and all that the run has started; never returns. Where there is a folder, say why no other is to follow."""
    from loopdeck.sandbox.hunt import sweep

    life.cancel()
    await asyncio.wait((life,), timeout=LET_GO_S)
    ended = sweep(paths.run)
    what = f"{missing} gone or replaced while the run was at work; its runner has ended" + (
        f", and {len(ended)} processes" if ended else ""
    )
    if paths.dir.is_dir():
        with suppress(LoopdeckError):
            rescue.save(paths, structs.replace(rescue.load(paths), epoch=lease.epoch, gave_up=what), durable=False)
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()
    # At once: a git at work in a thread must not keep us here.
    os._exit(14)


def _missing(record: Record, lease: Lease) -> str:
    """What is not where it was, in words; empty if all is."""
    paths = record.paths
    if not paths.dir.is_dir():
        return "the run's folder is"
    names = [path.name for path, there in ((paths.lease, lease.in_place), *record.in_place) if not there]
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}" if names else ""
