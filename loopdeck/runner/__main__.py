"""`python -m loopdeck.runner RUN_DIR`: take the run's lease, and live until it has ended.

Heavy things (agents, checks, SDKs) are imported when the first step needs them: a run that waits for its place is small.
"""

import asyncio
import contextlib
import os
import sys
import traceback
from pathlib import Path

from msgspec import structs

from loopdeck.agents import keys
from loopdeck.core import events as ev
from loopdeck.core.happening import Settings
from loopdeck.core.redact import Redactor
from loopdeck.errors import LoopdeckError, StoreError
from loopdeck.runner import ground
from loopdeck.runner.held import held
from loopdeck.runner.record import Record
from loopdeck.store import rescue
from loopdeck.store.frozen import Frozen, thaw
from loopdeck.store.layout import RunPaths
from loopdeck.store.lease import Lease


def main(argv: list[str]) -> int:
    """Returns 0 once the run has ended, 3 if somebody else has it, 14 if it can't be run at all."""
    paths = RunPaths(Path(argv[1]))
    try:
        lease = ground.taken(paths)
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 14
    if lease is None:
        return 3
    record: Record | None = None
    try:
        frozen = thaw(paths.dir)
        redact = Redactor(held(os.environ, frozen))
        keys.listen(redact.learn)
        record = Record(paths, lease.epoch, redact)
        _begin(record, frozen, lease)
        asyncio.run(_live(record, frozen, lease, paths))
    except LoopdeckError as error:
        sys.stderr.write(f"{error}\n" if record is None else record.redact.text(f"{error}\n"))
        if record is not None and record.dead:
            _give_up(paths, lease, error)
        return 14
    finally:
        lease.release()
    return 0


def _give_up(paths: RunPaths, lease: Lease, error: LoopdeckError) -> None:
    """The disk did not keep what was written, nobody knows how much of it: no other life is to build on that before a person looks."""
    what = " ".join(str(error).split())
    with contextlib.suppress(StoreError):
        rescue.save(paths, structs.replace(rescue.load(paths), epoch=lease.epoch, gave_up=what), durable=False)


def _begin(record: Record, frozen: Frozen, lease: Lease) -> None:
    """Say that the run exists, if nobody did, and that this process has it now."""
    if record.run.status == "ended":
        return
    if record.run.status == "idle":
        record.happened(_queued(frozen))
    if record.run.life:
        # What a life before this one had started must not go on beside us, nor outlive the run.
        from loopdeck.sandbox.hunt import sweep

        sweep(frozen.run)
    holder = lease.holder
    record.happened(ev.RunnerStarted(os.getpid(), record.run.life + 1, holder.boot_id, holder.nonce), durable=True)


def _queued(frozen: Frozen) -> ev.RunQueued:
    hashes = (frozen.spec_hash, frozen.exit_hash, frozen.harness)
    queued = ev.RunQueued(frozen.loop, frozen.run, settings_of(frozen), *hashes, frozen.by, frozen.input)
    origin = frozen.origin
    if origin is None:
        return queued
    return structs.replace(queued, origin=origin.run, origin_iteration=origin.iteration, findings=origin.findings)


def settings_of(frozen: Frozen) -> Settings:
    """What a person may change later, as it is at the start."""
    end = frozen.spec.exit
    return Settings(
        end.max_iterations, end.max_cost, end.max_tokens, end.max_wall_s, end.max_tool_calls, end.no_progress, end.severity_floor,
        end.final_pass, frozen.spec.maker.model,
    )  # fmt: skip


async def _live(record: Record, frozen: Frozen, lease: Lease, paths: RunPaths) -> None:
    watching = asyncio.ensure_future(ground.watch(record, lease))
    life = asyncio.ensure_future(_lived(record, frozen, paths))
    try:
        await asyncio.wait((watching, life), return_when=asyncio.FIRST_COMPLETED)
        if watching.done() and not life.done():
            await ground.leave(life, watching.result(), paths, lease)
        life.result()
    finally:
        for task in (life, watching):
            task.cancel()
        await asyncio.wait((life, watching))
        record.close()


async def _lived(record: Record, frozen: Frozen, paths: RunPaths) -> None:
    from loopdeck.runner.assembly import assembled

    try:
        async with assembled(record, frozen, paths) as life:
            await life.live()
    except StoreError:
        # What can't be written down can't be told here either.
        raise
    except Exception:
        # The outermost line of the process: our own bug must not leave a run that looks alive for ever.
        sys.stderr.write(record.redact.text(traceback.format_exc()))
        if record.run.status not in ("ended", "idle"):
            what = traceback.format_exc(limit=0).strip().splitlines()[-1]
            record.happened(ev.RunEnded("error", why=f"loopdeck itself failed: {what}; see runner.log in {paths.dir}"), durable=True)


if __name__ == "__main__":
    code = main(sys.argv)
    sys.stderr.flush()
    # All that is to be kept is on disk by now. To take thousands of modules apart before leaving costs a quarter of a second of CPU.
    os._exit(code)
