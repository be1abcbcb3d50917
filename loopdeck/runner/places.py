"""A place among the runs that may be at work at once; more wait as `queued`."""

import asyncio
from pathlib import Path

from loopdeck.store.locks import Slot, SlotPool
from loopdeck.store.machine import default_limit

LOOK_S = 0.2


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

    def claim(self) -> None:
        """Take one if there is one. A run that is resumed goes on without, but where it can it counts."""
        if self._slot is None:
            self._slot = self._pool.try_take(self._limit)

    def release(self) -> None:
        """Give it back."""
        if self._slot is not None:
            self._slot.release()
            self._slot = None
