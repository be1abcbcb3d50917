"""The receipts of a run as JSON: what each iteration was charged, maker and checks apart, exact to the picodollar."""

from typing import Any

from loopdeck.agents import prices
from loopdeck.core.ledger import Total, receipts
from loopdeck.core.routing import routes
from loopdeck.core.usage import dollars
from loopdeck.deck.decks import Deck
from loopdeck.deck.frontier import against_frontier
from loopdeck.deck.money import statement_of
from loopdeck.store.frozen import thaw
from loopdeck.store.layout import RunPaths
from loopdeck.store.shelf import FileShelf


def entries(deck: Deck, paths: RunPaths) -> list[dict[str, Any]]:
    """One entry for each iteration that was charged anything; iteration 0 is before the first. Raises StoreError."""
    prices.keep_on(FileShelf(deck.home.prices))
    return [
        {"iteration": one.iteration, "maker": _total(one.maker), "check": _total(one.check), "total": _total(one.total)}
        for one in receipts(statement_of(paths, prices.cost))
    ]


def routing(deck: Deck, paths: RunPaths) -> dict[str, Any] | None:
    """What routing saved against one model for all of the maker's calls; None where there was only one. Raises StoreError."""
    spec = thaw(paths.dir).spec
    if len(routes(spec)) < 2:
        return None
    prices.keep_on(FileShelf(deck.home.prices))
    found = against_frontier(statement_of(paths, prices.cost), spec, prices.cost)
    if found is None:
        return None
    return {
        "frontier": found.model,
        "all_frontier_usd": dollars(found.all_frontier),
        "saved_usd": dollars(found.saved),
        "certainty": "estimated",
    }


def _total(one: Total) -> dict[str, Any]:
    usage = one.usage
    return {
        "calls": one.calls,
        "failed_calls": one.failed,
        "input": usage.input,
        "output": usage.output,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "cost_usd": None if one.whole_cost is None else dollars(one.whole_cost),
        "cost_picodollars": one.whole_cost,
        "certainty": one.certainty,
        "cache_saved_usd": None if one.whole_saved is None else dollars(one.whole_saved),
    }
