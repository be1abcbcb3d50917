"""The ledger: it charges what the fold charges, and whatever it is cut into adds up again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import events as ev
from loopdeck.core.fold import Stamp
from loopdeck.core.happening import Reason, Role
from loopdeck.core.ledger import Charge, Statement, Total, added, charged, gathered, no_saving, receipts, statement
from loopdeck.core.usage import Usage
from loopdeck.core.worth import reached_in, worth
from tests.core.make import verdict
from tests.core.samples import SETTINGS
from tests.core.simulate import drawn

seeds = st.integers(0, 2**32 - 1)
amounts = st.integers(0, 10**15)
usages = st.builds(Usage, amounts, amounts, amounts, amounts)
charges = st.builds(
    Charge, st.integers(0, 3), st.sampled_from(["maker", "check"]), st.sampled_from(["a", "b"]), st.just("2026-11-21T07:15:00Z"),
    usages, st.none() | amounts, st.sampled_from(["metered", "priced", "estimated"]), st.booleans(),
)  # fmt: skip
totals = st.builds(charged, charges, st.none() | st.integers(-(10**15), 10**15))


Told = list[tuple[ev.AnyEvent, Stamp]]


def at(second: int, epoch: int = 1) -> Stamp:
    return Stamp(f"2026-11-21T07:15:{second:02}Z", float(second), epoch)


@given(seeds)
@settings(max_examples=250)
def test_receipts_add_up_to_the_ledger_and_the_ledger_to_the_run(seed):
    world = drawn(seed)
    run = world.live()
    made = statement("fix", "r1", world.entries)
    receipted = receipts(made)
    assert added(one.total for one in receipted) == made.total
    for whole, spend in [(made.total, run.spend)] + [
        (one.total, each.spend) for one in receipted for each in run.iterations if each.number == one.iteration
    ]:
        assert (whole.cost, whole.usage, whole.calls) == (spend.cost, spend.usage, spend.model_calls)
        assert (bool(whole.unpriced), whole.certainty) == (spend.unpriced, spend.certainty)
    for one in receipted:
        each = next((each for each in run.iterations if each.number == one.iteration), None)
        assert each is None or (one.check.cost, one.check.usage) == (each.check_spend.cost, each.check_spend.usage)
    charged_iterations = [one.number for one in run.iterations if one.spend.model_calls]
    assert [one.iteration for one in receipted if one.iteration] == charged_iterations
    assert (made.reason, made.iterations, made.max_cost) == (run.reason, run.iteration, run.settings.max_cost)
    assert made.seconds == run.clock


@given(st.lists(totals, max_size=12), st.randoms())
def test_totals_add_up_however_they_are_cut_and_ordered(many, rng):
    keyed = [(rng.choice("xyz"), one) for one in many]
    shuffled = list(many)
    rng.shuffle(shuffled)
    assert added(gathered(keyed).values()) == added(shuffled) == added(many)


def test_a_call_that_nobody_settled_is_charged_whole_when_its_runner_is_gone():
    entries: Told = [
        (ev.RunQueued("fix", "r1", SETTINGS, "s", "e", "h"), at(0)),
        (ev.IterationStarted(1, "s"), at(1)),
        (ev.ModelCallReserved("m1", "maker", "a", 100, 20, 700), at(2)),
        (ev.RunnerStarted(7, 2), at(3, 2)),
        (ev.ModelCallSettled("m1", Usage(1, 1), 5, "metered"), at(4, 1)),
        (ev.ModelCallSettled("m1", Usage(1, 1), 5, "metered"), at(5, 2)),
    ]
    total = statement("fix", "r1", entries).total
    assert (total.cost, total.estimated, total.usage, total.certainty) == (700, 700, Usage(100, 20), "estimated")


def test_unknown_stays_unknown():
    priced = Charge(1, "maker", "a", "", Usage(10, 5), 30, "priced")
    free = Charge(1, "maker", "b", "", Usage(), None, "priced", failed=True)
    unknown = Charge(1, "maker", "b", "", Usage(10, 5, cache_read=4), None, "priced")
    assert (no_saving(priced), no_saving(unknown)) == (0, None)
    some = charged(priced, 0) + charged(free, 0)
    assert (some.whole_cost, some.whole_saved) == (30, 0)
    every = some + charged(unknown, no_saving(unknown))
    assert (every.whole_cost, every.cost, every.unpriced) == (None, 30, 1)
    assert (every.whole_saved, every.unsaved) == (None, 1)
    assert every.hit_share == 4 / 24
    assert Total().hit_share is None


def test_lines_are_kept_apart_by_iteration_role_model_and_day():
    entries: Told = [(ev.IterationStarted(1, "s"), at(0))]
    asked: list[tuple[Role, str, int]] = [("maker", "a", 21), ("check", "a", 21), ("maker", "b", 21), ("maker", "a", 22)]
    for number, (role, model, day) in enumerate(asked):
        when = Stamp(f"2026-11-{day}T23:59:59Z", 0.0, 1)
        entries.append((ev.ModelCallReserved(f"m{number}", role, model, 1, 1, 9), when))
        entries.append((ev.ModelCallSettled(f"m{number}", Usage(1), 10**number, "priced"), when))
    lines = statement("fix", "r1", entries).lines
    assert [(one.role, one.model, one.day, one.total.cost) for one in lines] == [
        ("maker", "a", "2026-11-21", 1),
        ("check", "a", "2026-11-21", 10),
        ("maker", "b", "2026-11-21", 100),
        ("maker", "a", "2026-11-22", 1000),
    ]


@pytest.mark.req("S2-112", "S2-035")
def test_worth_is_cost_for_each_result_that_was_accepted_and_what_the_checks_took_of_it():
    def run(name: str, reason: Reason, maker: int, checks: int) -> Statement:
        entries: Told = [
            (ev.IterationStarted(1, "s"), at(0)),
            (ev.ModelCallReserved("m1", "maker", "a", 1, 1, maker), at(1)),
            (ev.ModelCallSettled("m1", Usage(1), maker, "priced"), at(2)),
            (ev.ModelCallReserved("m2", "check", "a", 1, 1, checks), at(3)),
            (ev.ModelCallSettled("m2", Usage(1), checks, "priced"), at(4)),
            (ev.CheckFinished(verdict("tests")), at(9)),
            (ev.IterationStarted(2, "s"), at(9)),
            (ev.RunEnded(reason), at(10)),
        ]
        return statement("fix", name, entries)

    runs = [run("r1", "done", 600, 200), run("r2", "budget", 900, 100), run("r3", "done", 100, 100)]
    made = worth("fix", [*runs, Statement("other", "r9")], {"r3"})
    assert (made.runs, made.done, made.merged, made.iterations, made.total.cost) == (3, 2, 1, 6, 2000)
    assert (made.per_done, made.per_merged, made.per_iteration) == (1000, 2000, 333)
    assert made.done_per_iteration == 2 / 6
    assert made.check_share == 400 / 2000
    assert made.check_time_share == pytest.approx(3 * verdict("tests").seconds / 30)
    nothing = worth("none", runs)
    assert (nothing.per_done, nothing.per_merged, nothing.per_iteration, nothing.check_share, nothing.check_time_share) == (None,) * 5
    assert nothing.merged is None


def test_the_forecast_is_what_is_left_at_the_rate_it_goes():
    assert reached_in(900, 1800) == 1800
    assert reached_in(0, 1800) == reached_in(-5, 0) == 0
    assert reached_in(900, 0) is None


def test_what_an_outside_agent_asks_for_is_in_the_makers_part_of_a_receipt():
    entries: Told = [
        (ev.IterationStarted(1, "s"), at(0)),
        (ev.ModelCallReserved("m1", "agent", "a", 1, 1, 9), at(1)),
        (ev.ModelCallSettled("m1", Usage(1), 7, "metered"), at(2)),
        (ev.ModelCallReserved("m2", "check", "a", 1, 1, 9), at(3)),
        (ev.ModelCallSettled("m2", Usage(1), 2, "metered"), at(4)),
    ]
    made = statement("fix", "r1", entries)
    [receipt] = receipts(made)
    assert (receipt.maker.cost, receipt.check.cost, receipt.total) == (7, 2, made.total)
