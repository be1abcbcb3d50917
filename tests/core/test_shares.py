"""Shares and sums over iterations."""

import pytest
from msgspec import structs

from loopdeck.core.run import Iteration, Spend
from loopdeck.core.shares import checker_share, cost_of, hit_share, last_progress, since_progress
from loopdeck.core.usage import Usage
from tests.core.make import DOLLAR, rounds


def test_shares_of_what_was_spent():
    assert hit_share(Usage()) is None
    assert hit_share(Usage(10, 5, 30, 0)) == 0.75
    spent = Spend(Usage(90, 10), 4 * DOLLAR)
    one = Iteration(1, "", "", spend=spent, check_spend=Spend(Usage(20, 5), DOLLAR))
    assert (checker_share(one), cost_of(spent)) == (0.25, 4.0)


def test_without_a_price_tokens_stand_for_money():
    spent = Spend(Usage(90, 10), 0, unpriced=True)
    one = Iteration(1, "", "", spend=spent, check_spend=Spend(Usage(20, 5)))
    assert (checker_share(one), cost_of(spent)) == (0.25, None)
    assert checker_share(Iteration(1, "", "")) is None


SCORES = {
    "none yet": ((0.0, 0.0), -1),
    "the first is progress": ((0.5, 0.5), 0),
    "a fall is none": ((0.5, 0.2, 0.5), 0),
    "the newest best counts": ((0.5, 0.2, 0.7, 0.6), 2),
}


@pytest.mark.req("S3-11")
@pytest.mark.parametrize("name", SCORES)
def test_money_since_the_last_progress(name):
    scores, at = SCORES[name]
    passes = rounds(*(("d", score, ()) for score in scores))
    passes = [structs.replace(one, spend=Spend(cost=number)) for number, one in enumerate(passes, 1)]
    assert last_progress(passes) == at
    after = range(at + 2, len(scores) + 1)
    assert since_progress(passes) == (sum(after), len(after))


def test_nothing_was_spent_before_the_first():
    assert since_progress([]) == (0, 0)
