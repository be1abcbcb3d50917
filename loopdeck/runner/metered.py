"""One metered model call, the maker's or a check's: reserve, call, settle, each written down before the next.

The reservation is durable before the request leaves. Whatever becomes of the call, cancelled included, it is settled with what it cost,
and by its whole bound where that is not known.
"""

import asyncio
import time
from dataclasses import dataclass

from msgspec import structs

from loopdeck.agents import prices
from loopdeck.agents.port import ModelAgent
from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.budget import NoRoom, Room, room
from loopdeck.core.conversation import PATIENT, RETRYABLE, BudgetSpent, Keep, ModelFailed, ModelReply, ModelRequest, Part
from loopdeck.core.decide import MAX_FAILURES, back_off
from loopdeck.core.happening import Role
from loopdeck.core.spec import Price
from loopdeck.core.usage import FREE, Rates, Usage
from loopdeck.runner.account import Account
from loopdeck.runner.day import Day
from loopdeck.runner.record import Record


@dataclass(frozen=True, slots=True)
class Line:
    """Who is called: the agent, by its kind, for which role, with the prices of the deck.

    `template` is the version of its prompt, `route` says why this model, if it is not the one that the role always has.
    """

    kind: str
    agent: ModelAgent
    role: Role
    prices: dict[str, Price]
    template: str
    route: str = ""

    def rates(self, model: str, most_input: int, keep: Keep = "5m") -> Rates | None:
        """The dearest prices of `model` for a call with at most `most_input` tokens of input.

        A scripted agent without a model is free, an unknown model has none.
        """
        model = self.agent.priced_as or model
        if self.kind == "scripted" and not model:
            return FREE
        return prices.rates(model, self.kind, self.prices, most_input=most_input, hour=keep == "1h")

    def cost(self, model: str, usage: Usage, hour_writes: int = 0) -> int | None:
        """Picodollars for `usage`, or None."""
        model = self.agent.priced_as or model
        if self.kind == "scripted" and not model:
            return 0
        return prices.cost(model, usage, self.kind, self.prices, hour_writes=hour_writes)


class Meter:
    """Makes metered calls and writes them into the record."""

    def __init__(self, record: Record, day: Day) -> None:
        self._record = record
        self._account = Account(record, day)

    async def call(self, line: Line, request: ModelRequest, parts: tuple[Part, ...]) -> ModelReply:
        """One call, once. Raises BudgetSpent or DayBudgetSpent (nothing was sent), or ModelFailed (settled)."""
        record = self._record
        bound, allowed = await self._room(line, request)
        await self._account.room(allowed)
        request = structs.replace(request, max_output=allowed.output_cap)
        called = self._account.reserve(line.role, request.model, bound, allowed)
        notes = tuple(tr.PartNote(one.name, len(one.text.encode()), record.keep(one.text), one.source, one.stable) for one in parts)
        record.traced(
            tr.PromptSent(
                record.run.iteration, line.role, called.id, request.model, notes, len(request.messages),
                tuple(tool.name for tool in request.tools), request.max_output, "fresh", line.template, line.route,
            )
        )  # fmt: skip
        begun = time.monotonic()
        try:
            reply = await line.agent.call(request, lambda text: None)
        except ModelFailed as failure:
            settled = self._account.failed(called, failure, time.monotonic() - begun)
            if failure.maybe_charged:
                self._account.settle_bound(settled)
            else:
                self._account.settle(settled)
            raise
        except asyncio.CancelledError:
            self._account.settle_bound(ev.ModelCallSettled(called.id, failure="cut", message="stopped while it ran"))
            raise
        cost = line.cost(request.model, reply.usage, reply.hour_writes)
        settled = self._account.answered(called, reply, cost, time.monotonic() - begun)
        if reply.certainty == "estimated":
            # The provider named no usage: what was reserved is what it may have been.
            self._account.settle_bound(settled)
        else:
            self._account.settle(settled)
        return reply

    async def patiently(self, line: Line, request: ModelRequest, parts: tuple[Part, ...]) -> ModelReply:
        """The call, made again after visible waits as long as that may help. For checks; the maker's waits are steps of their own."""
        failures = attempt = 0
        while True:
            try:
                return await self.call(line, request, parts)
            except ModelFailed as failure:
                attempt += 1
                failures += failure.kind not in PATIENT
                if failure.kind not in RETRYABLE or failures >= MAX_FAILURES:
                    raise
                wait = back_off(attempt, failure.retry_after)
                self._record.happened(ev.WaitStarted(failure.kind, wait, self._record.later(wait), attempt))
                await asyncio.sleep(wait)
                self._record.happened(ev.WaitEnded())

    async def _room(self, line: Line, request: ModelRequest) -> tuple[int, Room]:
        """Input bound and room for the call; asks the provider for a tighter count only where the sure bound does not fit."""
        run = self._record.run
        bound = line.agent.input_bound(request)
        rates = line.rates(request.model, bound, request.keep)
        allowed = room(run, rates, bound, request.max_output)
        if isinstance(allowed, NoRoom) and isinstance(room(run, rates, 0, request.max_output), Room):
            counted = await line.agent.count_input(request)
            if counted is not None and counted < bound:
                bound = counted
                allowed = room(run, rates, bound, request.max_output)
        if isinstance(allowed, NoRoom):
            self._account.no_room(line.role, allowed)
            raise BudgetSpent(allowed.limit)
        return bound, allowed
