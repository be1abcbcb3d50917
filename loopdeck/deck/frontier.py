"""What routing saved: a run's calls at the price of the dearest model that it was routed to, less what they were charged.

An estimate, and said to be one: another model would have used other numbers of tokens.
"""

from msgspec import Struct

from loopdeck.core.ledger import Statement, added
from loopdeck.core.routing import routes
from loopdeck.core.spec import LoopSpec
from loopdeck.core.usage import Usage
from loopdeck.deck.money import PriceOf

_SAMPLE = Usage(1_000_000, 1_000_000)


class Frontier(Struct, frozen=True):
    """Picodollars: `all_frontier` is what the maker's calls had come to had `model` made all of them, `saved` the difference."""

    model: str
    all_frontier: int
    saved: int


def against_frontier(of: Statement, spec: LoopSpec, price: PriceOf) -> Frontier | None:
    """The saving of one run; None where one model made all the maker's calls, or a price is not known."""
    lines = [line for line in of.lines if line.role != "check" and line.total.usage.tokens]
    if len({line.model for line in lines}) < 2:
        return None
    kinds = {route.model: route.agent for route in routes(spec)}

    def cost(usage: Usage, model: str) -> int | None:
        return price(model, usage, kinds.get(model, spec.maker.agent), spec.prices)

    named = {model: known for model in kinds if (known := cost(_SAMPLE, model)) is not None}
    if not named:
        return None
    frontier = max(named, key=lambda model: named[model])
    total = added(line.total for line in lines)
    costs = [cost(line.total.usage, frontier) for line in lines]
    if total.whole_cost is None or any(one is None for one in costs):
        return None
    whole = sum(one for one in costs if one is not None)
    return Frontier(frontier, whole, whole - total.whole_cost)
