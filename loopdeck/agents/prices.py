"""What a model's tokens cost: from the deck's own table, else from the price list `genai-prices` as it was installed.

The list is never refreshed over the network. An unknown model has no price, which is not the price 0.

Invariant: for the same usage `cost` never exceeds `rates(…).cost`: a reservation is made at the dearest that can apply (tiers of long
prompts, hours of the day, a price that begins within a day), a settlement at what does apply. Amounts are rounded up, to a
picodollar a token.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from loopdeck.agents import pricebook
from loopdeck.agents.pricebook import Shelf, Tiers
from loopdeck.core.spec import Price
from loopdeck.core.usage import Rates, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

_PICO_PER_TOKEN = 10**6
"""A dollar per million tokens, in picodollars per token."""
_HOUR = 2
"""What a token that a cache keeps for an hour costs to write, in prices of fresh input."""

_ORDINARY_INPUT = 100_000
"""Tokens; lists charge more only above twice as many."""

_OUTPUTS = ("output_mtok", "output_reasoning_mtok", "output_citation_mtok")
"""Prices of what a model writes; usage doesn't tell the kinds apart, so the dearest counts."""


@dataclass(slots=True)
class _Memory:
    """What this process has looked up, by model and hint (None: it depends on the clock), and where that is kept for others."""

    shelf: Shelf | None = None
    steady: dict[tuple[str, str], tuple[Tiers, ...] | None] = field(default_factory=dict)


_memory = _Memory()


def keep_on(shelf: Shelf) -> None:
    """From now on look on `shelf` before the list is loaded, and put there what is looked up or was before."""
    _memory.shelf = shelf
    for (model, hint), steady in _memory.steady.items():
        if steady is not None:
            pricebook.write(shelf, model, hint, steady)


def rates(
    model: str,
    provider_hint: str,
    overrides: Mapping[str, Price],
    *,
    most_input: int | None = None,
    hour: bool = False,
    now: datetime | None = None,
) -> Rates | None:
    """The dearest rates that a call of `model` can be charged at, or None if its price is not known.

    `provider_hint` is an agent's kind, a provider's name, or the address of its API. `most_input` is the most input tokens that the
    call can have; what is charged only above that is left out. `hour`: some of it may be written to a cache for an hour.
    """
    if price := overrides.get(model):
        return _own(price)
    at = now or datetime.now(UTC)
    tiers = [tier for tiers in _possible(model, provider_hint, at) for tier in tiers]
    found = [one for start, one in tiers if not start or most_input is None or most_input > start]
    if not found:
        return None
    return Rates(
        input=max(one.input for one in found),
        output=max(one.output for one in found),
        cache_read=max(one.cache_read for one in found),
        cache_write=max(max(one.cache_write, _HOUR * one.input if hour else 0) for one in found),
        source=found[0].source,
    )


def ordinary(model: str, provider_hint: str, overrides: Mapping[str, Price]) -> Rates | None:
    """The rates of calls whose input is not extraordinarily long, for estimates; None if the price is not known."""
    return rates(model, provider_hint, overrides, most_input=_ORDINARY_INPUT)


def cost(
    model: str, usage: Usage, provider_hint: str, overrides: Mapping[str, Price], *, hour_writes: int = 0, now: datetime | None = None
) -> int | None:
    """Picodollars for one call's `usage`, at the tier its input reached; None if the price is not known.

    `hour_writes` is the part of what was written to a cache that is to be kept for an hour. Source of its price: Anthropic's list.
    """
    if price := overrides.get(model):
        return _own(price).cost(usage)
    current = next(iter(_possible(model, provider_hint, now or datetime.now(UTC))), None)
    if current is None:
        return None
    size = usage.input + usage.cache_read + usage.cache_write
    at_tier = [one for start, one in current if size > start]
    reached = at_tier[-1] if at_tier else current[0][1]
    return reached.cost(usage) + hour_writes * max(0, _HOUR * reached.input - reached.cache_write)


def _own(price: Price) -> Rates:
    """Rates from deck.toml. A cache price that isn't given is that of input: no discount is known of."""

    def per_token(dollars: float) -> int:
        return math.ceil(Decimal(repr(dollars)) * _PICO_PER_TOKEN)

    fresh = per_token(price.input)
    return Rates(
        fresh, per_token(price.output), per_token(price.cache_read) or fresh, per_token(price.cache_write) or fresh, "deck.toml"
    )


def _possible(model: str, hint: str, at: datetime) -> tuple[Tiers, ...]:
    """The prices of `model` at `at`, then all others that may hold before a call begun now is settled. Empty if any is unknown."""
    if (model, hint) not in _memory.steady:
        _memory.steady[model, hint] = _whatever_the_time(model, hint)
    steady = _memory.steady[model, hint]
    if steady is not None:
        return steady
    from genai_prices.types import ModelPrice, TimeOfDateConstraint

    found = _found(model, hint)
    assert found is not None
    assert not isinstance(found.prices, ModelPrice)
    current = [found.get_prices(at), found.get_prices(at + timedelta(days=1))]
    current += [one.prices for one in found.prices if isinstance(one.constraint, TimeOfDateConstraint)]
    return _all_known(current)


def _whatever_the_time(model: str, hint: str) -> tuple[Tiers, ...] | None:
    """The prices of `model` where they depend on no clock; None if they do."""
    kept = pricebook.read(_memory.shelf, model, hint) if _memory.shelf else None
    if kept is not None:
        return kept
    prices: tuple[Tiers, ...] = ()
    if (found := _found(model, hint)) is not None:
        from genai_prices.types import ModelPrice

        if not isinstance(found.prices, ModelPrice):
            return None
        prices = _all_known([found.prices])
    if _memory.shelf:
        pricebook.write(_memory.shelf, model, hint, prices)
    return prices


def _all_known(prices: "Sequence[ModelPrice]") -> tuple[Tiers, ...]:
    tiers = tuple(_tiers(price) for price in prices)
    return () if () in tiers else tiers


@cache
def _found(model: str, hint: str) -> "ModelInfo | None":
    """The model in the price list: with the provider hinted at, with the one its name suggests, or with the one before its slash."""
    from genai_prices.data_snapshot import get_snapshot  # 0.2 s on its own, 0.03 s beside an SDK

    vendor, _, rest = model.partition("/")
    url, name = (hint, None) if "://" in hint else (None, hint or None)
    ways: list[tuple[str, str | None, str | None]] = [(model, name, url), (model, None, None)]
    if rest:
        ways.append((rest, vendor, None))
    for ref, provider, address in ways:
        try:
            return get_snapshot().find_provider_model(ref, None, provider, address)[1]
        except LookupError:
            continue
    return None


def names() -> tuple[str, ...]:
    """The models of the large vendors that the price list knows, for whoever has misspelt one."""
    from genai_prices.data_snapshot import get_snapshot

    vendors = [one for one in get_snapshot().providers if one.id in ("anthropic", "google", "openai")]
    return tuple(dict.fromkeys(model.id for one in vendors for model in one.models))


@cache
def _source() -> str:
    from genai_prices import __version__

    return f"genai-prices {__version__}"


def _tiers(price: "ModelPrice") -> Tiers:
    """The rates of a price list's entry; none if it charges anything but text tokens, or not all of them."""
    from genai_prices.types import TieredPrices

    fresh, written = price.input_mtok, [one for one in (getattr(price, name) for name in _OUTPUTS) if one is not None]
    if fresh is None or not written or price.requests_kcount is not None:
        return ()
    read = price.cache_read_mtok if price.cache_read_mtok is not None else fresh
    write = price.cache_write_5m_mtok if price.cache_write_5m_mtok is not None else price.cache_write_mtok
    kinds = (fresh, read, write if write is not None else fresh)
    starts = {tier.start for one in (*kinds, *written) if isinstance(one, TieredPrices) for tier in one.tiers}
    return tuple(
        (
            start,
            Rates(
                input=_at(kinds[0], start),
                output=max(_at(one, start) for one in written),
                cache_read=_at(kinds[1], start),
                cache_write=_at(kinds[2], start),
                source=_source(),
            ),
        )
        for start in (0, *sorted(starts))
    )


def _at(price: "Decimal | TieredPrices", start: int) -> int:
    """Picodollars a token in the tier that begins above `start`."""
    if isinstance(price, Decimal):
        return math.ceil(price * _PICO_PER_TOKEN)
    reached = [tier.price for tier in price.tiers if tier.start <= start]
    return math.ceil((reached[-1] if reached else price.base) * _PICO_PER_TOKEN)
