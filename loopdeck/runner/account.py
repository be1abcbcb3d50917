"""The books of a run's model calls, ours and an outside agent's: set aside, traced, settled; each written down before the next.

Invariant: a reservation is durable before its request leaves, and whatever becomes of it, it is settled once: with what it cost, or by
its whole bound where that is not known.
"""

from dataclasses import dataclass

from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.budget import SOFT, NoRoom, Room, share_spent
from loopdeck.core.conversation import ModelFailed, ModelReply
from loopdeck.core.findings import Problem
from loopdeck.core.happening import CallAsked, Role
from loopdeck.core.usage import Usage
from loopdeck.runner.day import Day
from loopdeck.runner.record import Record


@dataclass(frozen=True, slots=True)
class Called:
    """A reserved call: its id, for which role, to which model."""

    id: str
    role: Role
    model: str


class Account:
    """Writes the calls of one run into its record."""

    def __init__(self, record: Record, day: Day) -> None:
        self._record = record
        self._day = day

    async def room(self, allowed: Room) -> None:
        """Return once the deck has room for it today. Raises DayBudgetSpent."""
        await self._day.room(allowed.cost)

    def no_room(self, role: Role, lacking: NoRoom) -> None:
        """Note that a call did not fit."""
        self._record.happened(ev.LimitReached(lacking.limit, role, lacking.left, lacking.needs))

    def reserve(self, role: Role, model: str, input_bound: int, allowed: Room) -> Called:
        """Set the worst case of a call aside, durably. Raises DayBudgetSpent, StoreError."""
        run = self._record.run
        self._day.take(allowed.cost)
        call = f"m{run.spend.model_calls + len(run.reserved) + 1}"
        self._record.happened(ev.ModelCallReserved(call, role, model, input_bound, allowed.output_cap, allowed.cost), durable=True)
        return Called(call, role, model)

    def answered(self, called: Called, reply: ModelReply, cost: int | None, seconds: float) -> ev.ModelCallSettled:
        """Trace a reply; gives the settlement that it comes to."""
        self._record.traced(
            tr.ModelReplied(
                self._record.run.iteration, called.role, called.id, reply.model or called.model, reply.blocks, reply.stop, reply.usage,
                seconds, cost, reply.certainty, reply.request_id, hour_writes=reply.hour_writes,
            )
        )  # fmt: skip
        asked = tuple(CallAsked(use.id, use.tool) for use in reply.calls)
        return ev.ModelCallSettled(
            called.id, reply.usage, cost, reply.certainty, stop=reply.stop, asked=asked, session=reply.session
        )  # fmt: skip

    def failed(self, called: Called, failure: ModelFailed, seconds: float) -> ev.ModelCallSettled:
        """Trace a failure; gives the settlement that it comes to if it cost nothing."""
        self._record.traced(
            tr.ModelFailed(
                self._record.run.iteration, called.role, called.id, called.model, failure.kind, failure.message, seconds,
                failure.retry_after,
            )
        )  # fmt: skip
        problem: Problem | None = "malformed_output" if failure.kind == "malformed" else None
        return ev.ModelCallSettled(
            called.id, cost=0, failure=failure.kind, message=failure.message, retry_after=failure.retry_after, problem=problem,
            session=failure.session,
        )  # fmt: skip

    def settle(self, settled: ev.ModelCallSettled) -> None:
        """Write down what a call cost.

        Not made durable by itself: what follows from the reply is, and lost in a power cut the call counts as its bound.
        """
        self._settled(settled, durable=False)

    def settle_bound(self, settled: ev.ModelCallSettled, usage: Usage | None = None, cost: int | None = None) -> None:
        """Take as spent all that was reserved; or less, where a tighter bound is known."""
        reserved = self._record.run.reserved[settled.call]
        if usage is None:
            usage, cost = Usage(input=reserved.input_bound, output=reserved.output_cap), reserved.cost
        whole = structs.replace(settled, usage=usage, cost=cost, certainty="estimated")
        self._settled(whole, durable=True)

    def _settled(self, settled: ev.ModelCallSettled, *, durable: bool) -> None:
        before = share_spent(self._record.run)
        self._record.happened(settled, durable=durable)
        self._day.settled()
        if before < SOFT <= (now := share_spent(self._record.run)):
            self._record.happened(ev.NoticeRaised(f"{now:.0%} of the budget of this run is spent"))
