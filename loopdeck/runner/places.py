"""A place among the runs that may be at work at once; more wait as `queued`."""

import asyncio
from pathlib import Path

from loopdeck.core.spec import Deck
from loopdeck.store.locks import Slot, SlotPool
from loopdeck.store.machine import default_limit, free_memory

LOOK_S = 0.2


class Places:
    """The deck's places, as one run sees them whose maker is an `agent`: among all runs, and if need be among those with that agent.

    `folder` is where the locks are. A run that another one waits for does not wait (not `waits`): the other has its place.
    """

    def __init__(self, folder: Path, deck: Deck, agent: str, *, waits: bool = True) -> None:
        self._waits = waits
        self._all = SlotPool(folder)
        self._pools = [(self._all, deck.max_runs or default_limit())]
        if most := deck.max_runs_per_agent.get(agent):
            self._pools.append((SlotPool(folder.with_name(f"{folder.name}-{agent}")), most))
        self._floor = deck.min_free_memory
        self._slots: list[Slot] = []

    async def take(self) -> None:
        """Wait until there is one, and memory for another. A place taken before is kept."""
        if not self._waits:
            self.claim()
            return
        while not self._slots:
            if not self._is_short():
                self.claim()
            if not self._slots:
                await asyncio.sleep(LOOK_S)

    def claim(self) -> None:
        """Take one if there is one. A run that is resumed goes on without, but where it can it counts."""
        if self._slots:
            return
        for pool, limit in self._pools:
            slot = pool.try_take(limit)
            if slot is None:
                self.release()
                return
            self._slots.append(slot)

    def release(self) -> None:
        """Give it back."""
        while self._slots:
            self._slots.pop().release()

    def _is_short(self) -> bool:
        """True if memory is short and will be less short when another run ends; where nobody is at work, waiting would be for ever."""
        return 0 < free_memory() < self._floor and self._all.taken() > 0
