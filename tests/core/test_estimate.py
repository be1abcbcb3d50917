"""The pre-flight estimate: it grows with what makes a run dear, keeps its order, and never says 0 for what is not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.estimate import Caller, Estimate, Sample, Span, estimate, told
from loopdeck.core.spec import Exit
from loopdeck.core.usage import FREE, Rates, Usage
from tests.core.make import DOLLAR

RATES = Rates(3_000_000, 15_000_000, 300_000, 3_750_000, "list")
MAKER = Caller("maker", "maker", "m", 8000, 50, 8192, RATES)
JUDGE = Caller("check", "look", "m", 4000, 1, 8192, RATES)

samples = st.lists(st.builds(Sample, st.integers(1, 40), st.builds(Usage, *[st.integers(0, 10**6)] * 4)), max_size=6).map(tuple)
callers = st.builds(
    Caller, st.sampled_from(["maker", "check"]), st.just("who"), st.just("m"), st.integers(0, 10**6), st.integers(1, 200),
    st.integers(1, 10_000), st.sampled_from([RATES, FREE, None]), samples,
)  # fmt: skip


def ordered(span: Span | None) -> bool:
    return span is None or 0 <= span.low <= span.likely <= span.high


counts = st.lists(st.integers(0, 200), max_size=5)


@given(st.lists(callers, max_size=4), st.integers(1, 100), counts, st.none() | st.integers(1, 10**13))
def test_every_range_is_one_and_the_parts_add_up(asked, most, done_after, cap):
    made = estimate(asked, Exit(most, cap, None if cap else 10**6), done_after)
    tokens = [made.tokens, *(one.tokens for one in made.parts)]
    assert all(ordered(one) for one in [made.iterations, made.calls, *tokens])
    assert made.iterations.high == most
    assert made.calls.high == sum(one.calls.high for one in made.parts)
    assert (made.cost is None) == any(one.cost is None for one in made.parts)
    lines = told(made)
    assert lines[0].startswith("estimate")
    assert all(line.isprintable() for line in lines)


@pytest.mark.req("S2-076")
def test_calls_are_iterations_times_roles_and_input_grows_with_each():
    made = estimate([MAKER, JUDGE], Exit(20, 10 * DOLLAR))
    assert made.calls.likely == 10 * (10 + 1) >= 40
    maker = made.parts[0]
    assert maker.first == 2000
    assert maker.last == 2000 + 9 * 1500
    text = "\n".join(told(made))
    assert text.startswith("estimate")
    assert "iterations x (maker" in text
    assert "look" in text
    assert "2,000 tokens in the first, 15,500 in the last" in text
    twice = estimate([MAKER, JUDGE], Exit(40, 10 * DOLLAR))
    assert twice.calls.high == 2 * made.calls.high
    bigger = estimate([Caller("maker", "maker", "m", 80_000, 50, 8192, RATES), JUDGE], Exit(20, 10 * DOLLAR))
    assert bigger.tokens.low > made.tokens.low


@pytest.mark.req("S2-008")
@pytest.mark.parametrize(
    ("cap", "fit", "words"),
    [
        (1000, "fits", "leaves room"),
        (2, "may stop it", "long one"),
        (0.1, "will stop it", "before it is done"),
        (0.001, "too small", "below"),
    ],
)
def test_the_estimate_is_compared_with_the_cap(cap, fit, words):
    made = estimate([MAKER], Exit(4, round(cap * DOLLAR)))
    assert (made.fit, made.limit) == (fit, "max_cost_usd")
    assert words in told(made)[-1]


def test_without_a_price_the_tokens_are_compared_and_the_cost_is_unknown():
    made = estimate([Caller("maker", "maker", "mine", 8000)], Exit(4, 2 * DOLLAR, 10**9))
    assert (made.cost, made.limit, made.fit) == (None, "max_tokens", "fits")
    assert "cost unknown: no price list knows the model" in told(made)[0]
    assert "the agent chooses its model itself" in told(estimate([Caller("maker", "maker", "", 8000)], Exit(4, 2 * DOLLAR)))[0]
    assert estimate([Caller("maker", "maker", "mine", 8000)], Exit(4, 2 * DOLLAR)).fit is None


def test_history_is_taken_over_guesses():
    past = (Sample(2, Usage(1000, 100)), Sample(4, Usage(3000, 300)), Sample(9, Usage(9000, 900)))
    made = estimate([Caller("maker", "maker", "m", 10**6, 50, 8192, RATES, past, "history")], Exit(5, DOLLAR), [1, 2, 2, 9])
    assert made.iterations == Span(1, 2, 5)
    assert made.calls == Span(2, 2 * 4, 5 * 9)
    assert made.cost == Span(RATES.cost(past[0].usage), 2 * RATES.cost(past[1].usage), 5 * RATES.cost(past[2].usage))
    assert "this loop's earlier runs" in told(made)[0]


def test_what_is_free_costs_nothing_and_says_so():
    made = estimate([Caller("maker", "maker", "", 8000, rates=FREE)], Exit(4, DOLLAR))
    assert made.cost == Span(0, 0, 0)
    assert "about $0.00" in told(made)[0]
    assert told(Estimate(Span(1, 1, 1), (), "", 0, None)) == ("estimate: no model is asked",)
