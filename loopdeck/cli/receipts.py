"""The receipts of a run as JSON: what each iteration was charged, maker and checks apart, exact to the picodollar."""

from typing import Any

from loopdeck.agents import prices
from loopdeck.core.ledger import Total, receipts
from loopdeck.core.usage import dollars
from loopdeck.deck.decks import Deck
from loopdeck.deck.money import statement_of
from loopdeck.store.layout import RunPaths
from loopdeck.store.shelf import FileShelf


def entries(deck: Deck, paths: RunPaths) -> list[dict[str, Any]]:
    """One entry for each iteration that was charged anything; iteration 0 is before the first. Raises StoreError."""
    prices.keep_on(FileShelf(deck.home.prices))
    return [
        {"iteration": one.iteration, "maker": _total(one.maker), "check": _total(one.check), "total": _total(one.total)}
        for one in receipts(statement_of(paths, prices.cost))
    ]


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
