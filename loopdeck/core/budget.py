"""Budgets: reserve before spending, settle after. No sequence of calls spends past a limit.

A reservation is the worst case of a call: every input token it may come to at the dearest input price, plus its output cap. Input
and price are taken as upper bounds, so what is settled never exceeds what was reserved, and spent + reserved <= limit always holds.
"""

from typing import NamedTuple

from loopdeck.core.happening import Settings
from loopdeck.core.run import Run
from loopdeck.core.usage import Rates

SOFT = 0.8
"""The part of a budget from which on the operator is warned and cheaper models are taken, where there are any."""
LEAST_OUTPUT = 256
"""Fewer output tokens than this are not worth a call: a model could not even ask for a tool."""


class Room(NamedTuple):
    """What a call may take: `output_cap` tokens, reserving `cost` picodollars (None without a price)."""

    output_cap: int
    cost: int | None


class NoRoom(NamedTuple):
    """The call does not fit; `limit` is `cost_usd` or `tokens`, `left` what is left of it (picodollars or tokens).

    `needs` is the least that the call would have had to set aside; 0 if that can't be told.
    """

    limit: str
    left: int
    needs: int = 0


def taken_tokens(run: Run) -> int:
    """Tokens spent and reserved."""
    return run.spend.usage.tokens + sum(one.input_bound + one.output_cap for one in run.reserved.values())


def taken_cost(run: Run) -> int:
    """Picodollars spent and reserved."""
    return run.spend.cost + sum(one.cost or 0 for one in run.reserved.values())


def room(run: Run, rates: Rates | None, input_bound: int, wanted_output: int) -> Room | NoRoom:
    """How much of `wanted_output` fits into every budget beside `input_bound` tokens of input; the output cap is cut to what is left.

    Without `rates` only tokens can be limited; where nothing but the cost is, nothing fits.
    """
    limits = run.settings
    cap = wanted_output
    least = min(LEAST_OUTPUT, wanted_output)
    if limits.max_tokens is not None:
        left = limits.max_tokens - taken_tokens(run)
        cap = min(cap, left - input_bound)
        if cap < least:
            return NoRoom("tokens", max(left, 0), input_bound + least)
    if rates is None and limits.max_cost is not None and limits.max_tokens is None:
        return NoRoom("cost_usd", max(limits.max_cost - taken_cost(run), 0))
    if rates is None:
        return Room(cap, None)
    input_cost = input_bound * rates.dearest_input
    if limits.max_cost is not None:
        left = limits.max_cost - taken_cost(run)
        if rates.output > 0:
            cap = min(cap, (left - input_cost) // rates.output)
        if cap < least or input_cost > left:
            return NoRoom("cost_usd", max(left, 0), input_cost + least * rates.output)
    return Room(cap, input_cost + cap * rates.output)


def spent_out(run: Run) -> str:
    """The name of a limit that is already reached, or nothing."""
    limits: Settings = run.settings
    if limits.max_wall_s is not None and run.clock >= limits.max_wall_s:
        return "wall_s"
    if limits.max_tokens is not None and run.spend.usage.tokens >= limits.max_tokens:
        return "tokens"
    if limits.max_cost is not None and run.spend.cost >= limits.max_cost and run.spend.cost > 0:
        return "cost_usd"
    return ""


def share_spent(run: Run) -> float:
    """The spent part of the tightest budget in money or tokens, in 0..1; 0 where there is none."""
    limits = run.settings
    shares = [run.spend.usage.tokens / limits.max_tokens] if limits.max_tokens else []
    shares += [run.spend.cost / limits.max_cost] if limits.max_cost else []
    return min(1.0, max(shares, default=0.0))
