"""A place among the runs that may be at work at once; more wait as `queued`."""

import asyncio
import os
from pathlib import Path

from loopdeck.store.locks import Slot, SlotPool

LOOK_S = 0.2
_MEMORY_PER_RUN = 400 * 1024 * 1024
_RUNS_PER_CORE = 4


class Places:
    """The deck's places, as one run sees them. `limit` 0: from cores and memory."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._pool = SlotPool(folder)
        self._limit = limit or default_limit()
        self._slot: Slot | None = None

    async def take(self) -> None:
        """Wait until there is one. A place taken before is kept."""
        while self._slot is None:
            self._slot = self._pool.try_take(self._limit)
            if self._slot is None:
                await asyncio.sleep(LOOK_S)

    def release(self) -> None:
        """Give it back."""
        if self._slot is not None:
            self._slot.release()
            self._slot = None


def default_limit() -> int:
    """How many runs this machine bears at once: four for each core, and each with room for an SDK in memory."""
    cores = os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        memory = cores * _RUNS_PER_CORE * _MEMORY_PER_RUN
    return max(1, min(cores * _RUNS_PER_CORE, memory // _MEMORY_PER_RUN))
