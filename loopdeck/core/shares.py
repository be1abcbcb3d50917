"""Figures that say how well money and time are used: shares and sums over iterations, each from what the run's fold holds."""

from collections.abc import Sequence

from loopdeck.core.run import Iteration, Spend
from loopdeck.core.usage import Usage, dollars


def hit_share(usage: Usage) -> float | None:
    """The part of all input that came from the provider's cache, in 0..1; None if nothing was sent."""
    sent = usage.input + usage.cache_read + usage.cache_write
    return usage.cache_read / sent if sent else None


def checker_share(one: Iteration) -> float | None:
    """The checks' part of the iteration's cost, in 0..1 (of its tokens where a price is unknown); None if nothing was spent."""
    if one.spend.unpriced or not one.spend.cost:
        tokens = one.spend.usage.tokens
        return one.check_spend.usage.tokens / tokens if tokens else None
    return one.check_spend.cost / one.spend.cost


def cost_of(spend: Spend) -> float | None:
    """Dollars, None if some of it has no known price."""
    return None if spend.unpriced else dollars(spend.cost)


def last_progress(rounds: Sequence[Iteration]) -> int:
    """The index of the iteration whose score last beat all before it; -1 if none has yet."""
    best, at = 0.0, -1
    for index, one in enumerate(rounds):
        if one.score is not None and one.score > best:
            best, at = one.score, index
    return at


def since_progress(rounds: Sequence[Iteration]) -> tuple[int, int]:
    """What was spent after the last progress: picodollars with a known price, and iterations, the running one too."""
    after = rounds[last_progress(rounds) + 1 :]
    return sum(one.spend.cost for one in after), len(after)
