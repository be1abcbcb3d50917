"""Prices, against the price list's own arithmetic."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices import data_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.agents import prices
from loopdeck.core.spec import Price
from loopdeck.core.usage import PICO_PER_DOLLAR, Rates, Usage

NOW = datetime(2026, 11, 21, 7, 15, tzinfo=UTC)


def findable(provider: str, model: str) -> bool:
    """True if the list finds its own entry again: a few are hidden by others."""
    try:
        data_snapshot.get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return False
    return True


LISTED = [(provider.id, model.id) for provider in data_snapshot.get_snapshot().providers for model in provider.models]
LISTED = [one for one in LISTED if findable(*one)]
PRICED = [(provider, model) for provider, model in LISTED if prices.rates(model, provider, {}, now=NOW) is not None]
COUNTS = st.one_of(st.integers(0, 5000), st.integers(0, 2_000_000), st.sampled_from([0, 127_999, 128_000, 128_001, 200_000, 200_001]))
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS)


def known_rates(*given, **more) -> Rates:
    found = prices.rates(*given, **more)
    assert found is not None
    return found


def known_cost(*given, **more) -> int:
    found = prices.cost(*given, **more)
    assert found is not None
    return found


def test_most_models_of_the_list_have_a_price():
    assert len(PRICED) > 1500


@given(st.sampled_from(PRICED), USAGES, st.integers(0, 86_399))
@settings(max_examples=300)
@pytest.mark.req("S2-089")
def test_a_settlement_never_exceeds_its_reservation_however_long_the_call_took(listed, usage, seconds):
    provider, model = listed
    reserved = known_rates(model, provider, {}, now=NOW)
    cost = known_cost(model, usage, provider, {}, now=NOW + timedelta(seconds=seconds))
    assert cost <= reserved.cost(usage)
    everything = usage.input + usage.cache_read + usage.cache_write
    assert cost <= everything * reserved.dearest_input + usage.output * reserved.output
    tighter = known_rates(model, provider, {}, now=NOW, most_input=everything)
    assert cost <= everything * tighter.dearest_input + usage.output * tighter.output
    assert (tighter.dearest_input, tighter.output) <= (reserved.dearest_input, reserved.output)


def test_what_is_charged_only_for_long_inputs_is_not_reserved_for_short_ones():
    short = known_rates("claude-sonnet-4-5", "anthropic", {}, now=NOW, most_input=200_000)
    long = known_rates("claude-sonnet-4-5", "anthropic", {}, now=NOW, most_input=200_001)
    assert (short.input, short.output) == (3_000_000, 15_000_000)
    assert (long.input, long.output) == (6_000_000, 22_500_000)


@given(st.sampled_from(PRICED), USAGES)
@settings(max_examples=300)
def test_costs_are_the_lists_own_to_a_picodollar_a_token(listed, usage):
    provider, model = listed
    theirs = data_snapshot.get_snapshot().calc(
        ListedUsage(
            input_tokens=usage.input + usage.cache_read + usage.cache_write,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            output_tokens=usage.output,
        ),
        model,
        provider,
        None,
        NOW,
    )
    ours = known_cost(model, usage, provider, {}, now=NOW)
    exact = theirs.total_price * PICO_PER_DOLLAR
    assert ours >= exact - 1
    if not any(
        value is not None for key, value in vars(theirs.model_price).items() if key in {"output_reasoning_mtok", "output_citation_mtok"}
    ):
        assert Decimal(ours) - exact <= usage.tokens


def test_long_prompts_are_settled_at_their_tier_and_reserved_at_the_dearest():
    assert prices.cost("claude-sonnet-4-5", Usage(input=200_000), "anthropic", {}, now=NOW) == 200_000 * 3_000_000
    assert prices.cost("claude-sonnet-4-5", Usage(input=200_001), "anthropic", {}, now=NOW) == 200_001 * 6_000_000
    rates = known_rates("claude-sonnet-4-5", "anthropic", {}, now=NOW)
    assert (rates.input, rates.cache_write, rates.cache_read, rates.output) == (6_000_000, 7_500_000, 600_000, 22_500_000)
    assert rates.source.startswith("genai-prices ")


@pytest.mark.parametrize("model", ["my-local-model", "", "sonar", "whisper-large-v3", "a/b/c", "text-embedding-3-small"])
def test_an_unknown_model_has_no_price_which_is_not_zero(model):
    assert prices.rates(model, "openai", {}) is None
    assert prices.cost(model, Usage(1, 1), "openai", {}) is None


def test_a_hint_is_an_agent_a_provider_or_an_address():
    for hint in ("anthropic", "openai", "scripted", "", "https://api.anthropic.com"):
        assert prices.rates("claude-sonnet-4-5", hint, {}) is not None
    assert prices.rates("anthropic/claude-sonnet-4-5", "openai", {}) is not None


def test_the_decks_own_price_wins_and_a_missing_cache_price_is_that_of_input():
    own = {"claude-sonnet-4-5": Price(1.1, 2.2), "local": Price(0, 0), "full": Price(1, 2, 0.1, 1.25)}
    rates = known_rates("claude-sonnet-4-5", "anthropic", own)
    assert (rates.input, rates.output, rates.cache_read, rates.cache_write, rates.source) == (
        1_100_000,
        2_200_000,
        1_100_000,
        1_100_000,
        "deck.toml",
    )
    assert prices.cost("claude-sonnet-4-5", Usage(1, 1, 1, 1), "anthropic", own) == 5_500_000
    assert prices.cost("local", Usage(10**6, 10**6), "openai", own) == 0
    assert prices.cost("full", Usage(1, 1, 1, 1), "openai", own) == 4_350_000
