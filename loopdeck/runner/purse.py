"""The money of a run in the hands of its gateway: what an outside agent asks for is reserved, settled and traced as our own calls are.

Invariant: a call goes only while the run is running, within every budget that the run has, and with a price where money is limited.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from loopdeck.agents import prices
from loopdeck.agents.gateway.purse import Grant, Refusal, Wanted
from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.budget import NoRoom, Room, room
from loopdeck.core.conversation import ModelFailed, ModelReply, Text
from loopdeck.core.happening import Role
from loopdeck.core.spec import Price
from loopdeck.core.usage import Rates, Usage, dollars
from loopdeck.runner.account import Account, Called
from loopdeck.runner.day import Day
from loopdeck.runner.record import Record

POLL_S = 0.05
"""How often a held request looks whether the run goes on."""
_HOUR = b'"1h"'
"""What a request says that has something kept for an hour."""
_STANDING = ("paused", "asking", "waiting", "queued")


@dataclass(frozen=True, slots=True)
class _Open:
    called: Called
    rates: Rates | None


class RunPurse:
    """Implements `agents.gateway.purse.Purse` over the record of one run.

    `role` is `agent` for an outside maker, `check` for an outside check. `own` are the deck's prices. `most_output` is the cap, in
    tokens, of a reply to a request that names none: the loop file's `max_output_tokens`.
    """

    def __init__(self, record: Record, role: Role, own: Mapping[str, Price], most_output: int, day: Day) -> None:
        self._record = record
        self._role: Role = role
        self._own = own
        self._most_output = most_output
        self._account = Account(record, day)
        self._open: dict[str, _Open] = {}
        self._told: set[str] = set()
        self._replied: set[int] = set()

    def has_traced(self, text: str) -> bool:
        """True if a reply that went by said exactly this, and stands in the trace."""
        return hash(text.strip()) in self._replied

    async def may_go(self, wanted: Wanted | None = None) -> None:
        """Return once the run goes on, or is stopping: then `reserve` refuses.

        A call's worst case is many times what it comes to. Where `wanted` does not fit beside calls under way, it waits for them.
        """
        run = self._record.run
        while run.status in _STANDING or (run.status == "running" and (run.pause_wanted or self._has_to_wait(wanted))):
            if run.status == "running" and run.pause_wanted:
                # A request is held: this is where the run stands still.
                self._record.happened(ev.RunPaused("pause", run.pause_wanted), durable=True)
            await asyncio.sleep(POLL_S)
        if wanted is not None and isinstance(allowed := self._room(wanted, wanted.input_bound), Room):
            await self._account.room(allowed)

    def _has_to_wait(self, wanted: Wanted | None) -> bool:
        run = self._record.run
        if wanted is None or not run.reserved or run.no_room:
            return False
        allowed = self._room(wanted, wanted.input_bound)
        return isinstance(allowed, NoRoom) or allowed.output_cap < self._output(wanted)

    def _output(self, wanted: Wanted) -> int:
        return (wanted.output or self._most_output) * wanted.choices

    def _rates(self, wanted: Wanted) -> Rates | None:
        hour = _HOUR in wanted.body
        return prices.rates(wanted.model, wanted.vendor, self._own, most_input=wanted.input_bound, hour=hour)

    def _room(self, wanted: Wanted, input_bound: int) -> Room | NoRoom:
        return room(self._record.run, self._rates(wanted), input_bound, self._output(wanted))

    def is_tight(self, wanted: Wanted) -> bool:
        """True if `wanted` has to be cut or refused, and less so if its input were smaller."""
        allowed, best = self._room(wanted, wanted.input_bound), self._room(wanted, 0)
        return isinstance(best, Room) and (isinstance(allowed, NoRoom) or allowed.output_cap < best.output_cap)

    def reserve(self, wanted: Wanted) -> Grant | Refusal:
        """Set the worst case of `wanted` aside, or say why not. Raises StoreError."""
        run = self._record.run
        if run.status != "running":
            return Refusal("loopdeck: the run is ending, so no further model call is made.")
        if run.no_room:
            return Refusal(_spent(run.no_room))
        limited = run.settings.max_cost is not None or run.settings.max_tokens is not None
        if wanted.unbounded and limited:
            return self._refuse_unbounded(wanted)
        rates = self._rates(wanted)
        allowed = self._room(wanted, wanted.input_bound)
        if not isinstance(allowed, NoRoom) and allowed.output_cap < wanted.choices:
            allowed = NoRoom("tokens" if run.settings.max_tokens is not None else "cost_usd", 0)
        if isinstance(allowed, NoRoom):
            self._account.no_room(self._role, allowed)
            unpriced = rates is None and allowed.limit == "cost_usd"
            return Refusal(_unpriced(wanted.model) if unpriced else _too_dear(allowed))
        called = self._account.reserve(self._role, wanted.model, wanted.input_bound, allowed)
        self._open[called.id] = _Open(called, rates)
        note = tr.PartNote("request", len(wanted.body), self._record.keep(wanted.body))
        self._record.traced(
            tr.PromptSent(
                run.iteration, self._role, called.id, wanted.model, (note,), wanted.messages, wanted.tools, allowed.output_cap
            )
        )  # fmt: skip
        return Grant(called.id, wanted, allowed.output_cap)

    def settle(self, grant: Grant, reply: ModelReply, seconds: float) -> None:
        """The call was answered. Raises StoreError."""
        one = self._open.pop(grant.call)
        self._replied |= {hash(block.text.strip()) for block in reply.blocks if isinstance(block, Text)}
        if reply.certainty == "estimated":
            cost = self._bound_cost(grant, one, reply.usage)
            self._account.settle_bound(self._account.answered(one.called, reply, cost, seconds), reply.usage, cost)
            return
        cost = prices.cost(grant.wanted.model, reply.usage, grant.wanted.vendor, self._own, hour_writes=reply.hour_writes)
        self._account.settle(self._account.answered(one.called, reply, cost, seconds))

    def fail(self, grant: Grant, failure: ModelFailed, seconds: float) -> None:
        """The call came to nothing, and costs nothing. Raises StoreError."""
        one = self._open.pop(grant.call)
        self._account.settle(self._account.failed(one.called, failure, seconds))

    def charge_bound(self, grant: Grant, failure: ModelFailed, told: Usage, seconds: float) -> None:
        """The call came to nothing, but may be billed. Raises StoreError."""
        one = self._open.pop(grant.call)
        usage = grant.most(told)
        settled = self._account.failed(one.called, failure, seconds)
        self._account.settle_bound(settled, usage, self._bound_cost(grant, one, usage))

    def _bound_cost(self, grant: Grant, one: _Open, usage: Usage) -> int | None:
        """The most that `usage` can cost; where the kinds of its input are not known, what was reserved."""
        reserved = self._record.run.reserved[one.called.id].cost
        if one.rates is None or reserved is None or usage == grant.most(Usage()):
            return reserved
        return one.rates.cost(usage)

    def _refuse_unbounded(self, wanted: Wanted) -> Refusal:
        why = f"loopdeck: this run has a budget, and the cost of {wanted.unbounded} can't be bounded before it is sent."
        if why not in self._told:
            self._told.add(why)
            self._record.happened(ev.NoticeRaised(f"a request of the agent was refused: it makes use of {wanted.unbounded}"))
        return Refusal(why)


def _spent(limit: str) -> str:
    return f"loopdeck: this run's budget ({limit}) is used up, so no further model call is made."


def _too_dear(lacking: NoRoom) -> str:
    left = f"${dollars(lacking.left):.4f}" if lacking.limit == "cost_usd" else f"{lacking.left} tokens"
    return f"loopdeck: this call does not fit into what is left of the run's budget ({lacking.limit}: {left}), so it is not made."


def _unpriced(model: str) -> str:
    return f'loopdeck: no price is known for {model}, and this run has a budget in dollars: set [prices."{model}"] in deck.toml.'
