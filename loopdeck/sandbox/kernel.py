"""What the kernel says of processes, and what it waits for: the bubble's questions to it."""

import asyncio
from pathlib import Path

from loopdeck.errors import WorkspaceError
from loopdeck.sandbox import family

_STUBBORN_S = 10.0


def waits(pid: int) -> bool:
    """True if the process has started its child and sleeps until that ends; also if it is gone, or the system does not tell."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_bytes()
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    return bool(children.strip()) and stat[stat.rindex(b")") + 2 :][:1] == b"S"


def below(pid: int) -> list[family.Process]:
    """All that descend from a process."""
    fresh = list(family.children(pid) or ())
    found: list[family.Process] = []
    while fresh:
        found += [one for child in fresh if (one := family.process(child)) and not one.dead]
        fresh = [child for parent in fresh for child in family.children(parent) or ()]
    return found


async def dead(loop: asyncio.AbstractEventLoop, handle: int, pid: int) -> None:
    """Wait until the process is dead, and with it, where it is a namespace's first, every other one in there."""
    if not await readable(loop, handle, _STUBBORN_S):
        raise WorkspaceError(f"processes of a command could not be ended: those of {pid}", remedy="The kernel holds them.")


async def readable(loop: asyncio.AbstractEventLoop, handle: int, seconds: float) -> bool:
    """Wait until there is something to read, but no longer than that; True if there is."""
    done: asyncio.Future[None] = loop.create_future()
    loop.add_reader(handle, lambda: None if done.done() else done.set_result(None))
    try:
        await asyncio.wait((done,), timeout=seconds)
    finally:
        loop.remove_reader(handle)
    return done.done()
