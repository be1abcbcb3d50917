"""The deck's budget for a day: no call of any run goes out that does not fit into what all of them together may take.

Where it does not fit because of what is reserved elsewhere, most of which comes back, the call waits. Where it is spent, the run stands
still until a person lets it go on: with a higher cap, or on another day, by the clock on the wall here. A call without a known price
is not counted, as nothing is known of it.
"""

import asyncio
from datetime import datetime
from pathlib import Path

from loopdeck.core.run import CHILD
from loopdeck.core.usage import dollars
from loopdeck.errors import DayBudgetSpent, LoopdeckError
from loopdeck.runner.record import Record
from loopdeck.store import specs
from loopdeck.store.daybook import Daybook, Taken

_LOOK_S = 0.25


class Day:
    """One run's side of the deck's day. `root` is the operator's checkout: its deck.toml is read as it is now."""

    def __init__(self, record: Record, root: Path) -> None:
        self._record = record
        self._root = root
        self._book = Daybook(record.paths.home)
        self._cap: int | None = None
        self._read: tuple[int, int] | None = None
        self._base: tuple[str, int] = ("", 0)

    async def room(self, cost: int | None) -> None:
        """Return once a call of at most `cost` fits beside what the other runs have reserved. Raises DayBudgetSpent."""
        while cost and self.cap() is not None and not self._fits(cost):
            await asyncio.sleep(_LOOK_S)

    def take(self, cost: int | None) -> None:
        """Take `cost`, before it is reserved in the journal. Raises DayBudgetSpent if it does not fit, StoreError."""
        if not cost or self.cap() is None:
            return
        with self._book.mutex.held():
            if not self._fits(cost):
                raise self._no_room(cost)
            self._write(more=cost)

    def settled(self) -> None:
        """Write down what the run has taken by now. Raises StoreError."""
        if self._cap is not None:
            self._write()

    def cap(self) -> int | None:
        """The deck's cap in picodollars, as deck.toml has it now; if that can't be read, as it was."""
        try:
            stat = (self._root / ".loopdeck" / "deck.toml").stat()
        except OSError:
            return self._cap
        if (seen := (stat.st_mtime_ns, stat.st_size)) != self._read:
            try:
                self._cap = specs.load_deck(self._root).deck.max_cost_per_day
                self._read = seen
            except LoopdeckError:
                return self._cap
        return self._cap

    def _fits(self, cost: int) -> bool:
        """Whether `cost` fits beside everything; raises if it would not even if nothing were reserved."""
        cap = self.cap()
        if cap is None:
            return True
        day, own = self._own()
        others = self._book.others(day, self._record.run.id)
        if others.spent + own.spent + cost > cap:
            raise self._no_room(cost)
        return others.all + own.all + cost <= cap

    def _own(self) -> tuple[str, Taken]:
        run, day = self._record.run, _day(self._record.now())
        if self._base[0] != day:
            known = self._book.own(day, run.id)
            began_today = _day(run.queued_at) == day
            self._base = (day, known.base if known is not None else 0 if began_today else run.spend.cost - run.children_cost)
        base = self._base[1]
        # What its children take they write down themselves.
        spent = run.spend.cost - run.children_cost
        reserved = sum(one.cost or 0 for one in run.reserved.values() if one.role != CHILD)
        return day, Taken(max(0, spent - base), reserved, base)

    def _write(self, more: int = 0) -> None:
        day, own = self._own()
        self._book.write(day, self._record.run.id, Taken(own.spent, own.reserved + more, own.base))

    def _no_room(self, cost: int) -> DayBudgetSpent:
        spent = self._book.others(self._own()[0], self._record.run.id).spent + self._own()[1].spent
        figures = f"{_money(spent)} is spent, and the call may take {_money(cost)}"
        return DayBudgetSpent(
            f"the deck's budget for today, {_money(self._cap or 0)}, has no room for the next model call: {figures}",
            where=".loopdeck/deck.toml",
            remedy="Raise `max_cost_usd_per_day` and resume the run, or resume it tomorrow.",
        )


def _money(cost: int) -> str:
    """Picodollars in dollars; small sums to a hundredth of a cent, as a small cap would look used up otherwise."""
    amount = dollars(cost)
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


def _day(at: str) -> str:
    """The civil day, here, of a time in UTC."""
    return datetime.fromisoformat(at).astimezone().date().isoformat()
