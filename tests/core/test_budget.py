"""The arithmetic of budgets: what a call may take, to the token and the picodollar."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core.budget import LEAST_OUTPUT, NoRoom, Room, room, spent_out, taken_cost, taken_tokens
from loopdeck.core.happening import Settings
from loopdeck.core.run import Reservation, Run, Spend
from loopdeck.core.usage import FREE, Rates, Usage
from tests.core.make import NONE, Story, loop

RATES = Rates(3, 15, 1, 4)
prices = st.integers(0, 10**4)
all_rates = st.builds(Rates, prices, prices, prices, prices)


def running(max_cost: int | None = None, max_tokens: int | None = None, spent: Usage = NONE, cost: int = 0) -> Run:
    run = Run(status="running", settings=Settings(4, max_cost, max_tokens))
    run.spend = Spend(spent, cost)
    return run


def test_the_output_cap_is_cut_to_what_is_left_of_the_cost():
    # 10,000 left; 1,000 input at the dearest price (4) leave 6,000 for output at 15.
    assert room(running(max_cost=10_000), RATES, 1_000, 8_192) == Room(400, 4_000 + 400 * 15)


def test_the_output_cap_is_cut_to_what_is_left_of_the_tokens():
    assert room(running(max_tokens=2_000), RATES, 1_000, 8_192) == Room(1_000, 4_000 + 15_000)
    assert room(running(max_tokens=2_000), None, 1_000, 8_192) == Room(1_000, None)


def test_what_fits_is_not_cut():
    assert room(running(max_cost=10**9, max_tokens=10**9), RATES, 1_000, 8_192) == Room(8_192, 4_000 + 8_192 * 15)


def test_without_limits_everything_fits():
    assert room(running(), None, 10**9, 10**9) == Room(10**9, None)
    assert room(running(), FREE, 10**9, 10**9) == Room(10**9, 0)


def test_what_leaves_too_little_to_answer_does_not_fit():
    just = 1_000 + LEAST_OUTPUT
    assert room(running(max_tokens=just), None, 1_000, 8_192) == Room(LEAST_OUTPUT, None)
    assert room(running(max_tokens=just - 1), None, 1_000, 8_192)[:2] == ("tokens", just - 1)
    money = 4_000 + LEAST_OUTPUT * 15
    assert room(running(max_cost=money), RATES, 1_000, 8_192) == Room(LEAST_OUTPUT, money)
    assert room(running(max_cost=money - 1), RATES, 1_000, 8_192)[:2] == ("cost_usd", money - 1)


def test_a_short_answer_fits_where_a_short_one_is_wanted():
    assert room(running(max_tokens=1_010), None, 1_000, 10) == Room(10, None)
    assert room(running(max_tokens=1_009), None, 1_000, 10)[:2] == ("tokens", 1_009)


def test_input_alone_may_be_too_dear_even_where_output_is_free():
    assert room(running(max_cost=3_999), Rates(3, 0, 1, 4), 1_000, 500)[:2] == ("cost_usd", 3_999)
    assert room(running(max_cost=4_000), Rates(3, 0, 1, 4), 1_000, 500) == Room(500, 4_000)


def test_a_model_without_a_price_is_bound_by_tokens_alone():
    assert room(running(max_cost=1, max_tokens=5_000), None, 1_000, 2_000) == Room(2_000, None)
    assert room(running(max_cost=10**12), None, 1_000, 2_000)[:2] == ("cost_usd", 10**12)


def test_what_is_left_is_never_less_than_nothing():
    assert room(running(max_tokens=100, spent=Usage(500)), None, 1, 300)[:2] == ("tokens", 0)
    assert room(running(max_cost=100, cost=500), RATES, 1, 300)[:2] == ("cost_usd", 0)


def test_reserved_is_as_good_as_spent():
    story = Story(loop(max_cost=10_000, max_tokens=5_000)).begun().iteration()
    story.reserve(bound=1_000, cap=2_000, cost=6_000)
    assert (taken_tokens(story.run), taken_cost(story.run)) == (3_000, 6_000)
    assert room(story.run, RATES, 500, 8_192)[:2] == ("cost_usd", 4_000)
    story.tell(ev.ModelCallSettled("m1", Usage(100, 50), 1_150))
    assert (taken_tokens(story.run), taken_cost(story.run)) == (150, 1_150)
    assert isinstance(room(story.run, RATES, 500, 8_192), Room)


def test_a_reservation_without_a_price_takes_tokens_only():
    run = running(max_cost=100)
    run.reserved["m1"] = Reservation("maker", "m", 10, 20, None, 1)
    assert (taken_tokens(run), taken_cost(run)) == (30, 0)


@given(
    all_rates | st.none(), st.integers(0, 10**5), st.integers(0, 20_000), st.none() | st.integers(0, 10**9),
    st.none() | st.integers(0, 10**6), st.integers(0, 10**5), st.integers(0, 10**8),
)  # fmt: skip
@settings(max_examples=600)
def test_what_is_granted_fits_and_what_is_denied_does_not(rates, bound, wanted, max_cost, max_tokens, used, cost):
    run = running(max_cost, max_tokens, Usage(used), cost)
    said = room(run, rates, bound, wanted)
    tokens_left = None if max_tokens is None else max_tokens - used
    cost_left = None if max_cost is None or rates is None else max_cost - cost
    if isinstance(said, Room):
        assert min(LEAST_OUTPUT, wanted) <= said.output_cap <= wanted
        assert tokens_left is None or bound + said.output_cap <= tokens_left
        assert (said.cost is None) == (rates is None)
        if rates is not None:
            assert said.cost == bound * rates.dearest_input + said.output_cap * rates.output
        if cost_left is not None:
            assert said.cost is not None
            assert said.cost <= cost_left
        return
    least = min(LEAST_OUTPUT, wanted)
    if said.limit == "tokens":
        assert tokens_left is not None
        assert bound + least > tokens_left
        assert said.left == max(0, tokens_left)
    elif rates is None:
        assert max_tokens is None
        assert max_cost is not None
        assert said.left == max(0, max_cost - cost)
    else:
        assert cost_left is not None
        assert bound * rates.dearest_input + least * rates.output > cost_left
        assert said.left == max(0, cost_left)


@given(all_rates, st.integers(0, 10**5), st.integers(0, 20_000), st.data())
@settings(max_examples=300)
def test_no_usage_within_the_bounds_costs_more_than_was_reserved(rates, bound, wanted, data):
    said = room(running(), rates, bound, wanted)
    assert isinstance(said, Room)
    assert said.cost is not None
    fresh = data.draw(st.integers(0, bound))
    read = data.draw(st.integers(0, bound - fresh))
    write = data.draw(st.integers(0, bound - fresh - read))
    usage = Usage(fresh, data.draw(st.integers(0, said.output_cap)), read, write)
    assert rates.cost(usage) <= said.cost
    assert usage.tokens <= bound + said.output_cap


@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 9_000), st.booleans()), max_size=30), all_rates, st.integers(0, 10**8))
@settings(max_examples=200)
def test_calls_side_by_side_never_pass_a_limit_together(calls, rates, max_cost):
    run = running(max_cost, 60_000)
    for number, (bound, wanted, settle) in enumerate(calls):
        said = room(run, rates, bound, wanted)
        if isinstance(said, NoRoom):
            continue
        assert said.cost is not None
        if settle:
            run.spend.usage += Usage(bound, said.output_cap)
            run.spend.cost += said.cost
        else:
            run.reserved[f"m{number}"] = Reservation("maker", "m", bound, said.output_cap, said.cost, 1)
    assert taken_cost(run) <= max_cost
    assert taken_tokens(run) <= 60_000


@pytest.mark.parametrize(
    ("limits", "clock", "spent", "cost", "named"),
    [
        ({}, 10.0**9, Usage(10**9), 10**15, ""),
        ({"max_wall_s": 60.0}, 59.9, Usage(), 0, ""),
        ({"max_wall_s": 60.0}, 60.0, Usage(), 0, "wall_s"),
        ({"max_tokens": 10}, 0, Usage(4, 3, 1, 1), 0, ""),
        ({"max_tokens": 10}, 0, Usage(4, 3, 2, 1), 0, "tokens"),
        ({"max_cost": 10}, 0, Usage(), 9, ""),
        ({"max_cost": 10}, 0, Usage(), 10, "cost_usd"),
        ({"max_cost": 0}, 0, Usage(), 0, ""),
        ({"max_cost": 1}, 0, Usage(), 1, "cost_usd"),
        ({"max_wall_s": 1.0, "max_tokens": 1, "max_cost": 1}, 1.0, Usage(1), 1, "wall_s"),
    ],
)
def test_a_limit_that_is_reached_is_named(limits, clock, spent, cost, named):
    run = running(spent=spent, cost=cost)
    run.settings = structs.replace(run.settings, **limits)
    run.clock = clock
    assert spent_out(run) == named


def test_what_would_have_fitted_is_told():
    just, money = 1_000 + LEAST_OUTPUT, 4_000 + LEAST_OUTPUT * 15
    found = [room(running(max_tokens=just - 1), None, 1_000, 8_192), room(running(max_cost=money - 1), RATES, 1_000, 8_192)]
    assert [one.needs for one in found if isinstance(one, NoRoom)] == [just, money]
    assert room(running(max_cost=10**12), None, 1_000, 2_000) == NoRoom("cost_usd", 10**12, 0)
