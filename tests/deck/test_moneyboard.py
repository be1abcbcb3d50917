"""The ledger as tables: whatever is shown adds up, digit by digit, and what is not known says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.columns import Cell, TableRow
from loopdeck.core.happening import Role, Settings
from loopdeck.core.ledger import Charge, Line, Statement, Total, charged
from loopdeck.core.usage import Certainty, Usage
from loopdeck.core.worth import worth
from loopdeck.deck.moneyboard import (
    MOST_RUNS,
    RECEIPTS,
    SUMS,
    TOTAL,
    VIEWS,
    Source,
    adding_up,
    exact,
    forecast,
    receipt_rows,
    sum_rows,
    sums,
    worth_lines,
)
from tests.kit.room import DOLLAR, loop_row

amounts = st.integers(0, 10**13)


def total(cost: int | None, role: Role = "maker", saved: int | None = 0, certainty: Certainty = "priced") -> Total:
    return charged(Charge(1, role, "m", "2026-11-21T07:00:00Z", Usage(100, 10), cost, certainty), saved)


days = st.sampled_from(["2026-11-20", "2026-11-21"])
lines = st.builds(
    Line, st.integers(0, 4), st.sampled_from(["maker", "check"]), st.sampled_from(["a", "b"]), days,
    st.builds(total, amounts, st.just("maker"), st.integers(-(10**12), 10**12)),
)  # fmt: skip
statements = st.builds(
    Statement, st.sampled_from(["x", "y"]), st.sampled_from(["r1", "r2", "r3"]), st.lists(lines, max_size=5).map(tuple)
)


def texts(row: TableRow) -> dict[str, str]:
    columns = SUMS if len(row.painted) == len(SUMS) else RECEIPTS
    return {column.name: str(one.text) for column, one in zip(columns, row.painted, strict=True) if isinstance(one, Cell)}


def units(text: str) -> int:
    return int(text.replace("$", "").replace(".", "") or 0)


@given(st.lists(amounts, max_size=30))
def test_what_is_shown_adds_up_to_what_is_shown_as_the_sum(values):
    made = adding_up(values)
    assert abs(sum(made) * 10**6 - sum(values)) <= 10**6 // 2
    assert all(abs(unit * 10**6 - value) < 10**6 for unit, value in zip(made, values, strict=True))


@given(st.lists(statements, max_size=6))
def test_every_column_of_money_adds_up_in_every_view(made):
    sources = [Source(0, "", one) for one in made]
    totals = set()
    for view in VIEWS:
        rows = [texts(row) for row in sum_rows(sums(sources, view))]
        for column in ("cost", "saved"):
            shown = [units(row[column]) for row in rows]
            assert sum(shown[:-1]) == (shown[-1] if shown else 0)
        totals.add(rows[-1]["cost"] if rows else "")
    assert len(totals - {"", "$0.000000"}) <= 1
    for loop in ("x", "y"):
        rows = [texts(row) for row in receipt_rows([one for one in made if one.loop == loop])]
        for column in ("maker", "checks", "total", "saved"):
            shown = [units(row[column]) for row in rows]
            assert sum(shown[:-1]) == (shown[-1] if shown else 0)
        assert all(units(row["maker"]) + units(row["checks"]) == units(row["total"]) for row in rows)


def test_of_many_runs_the_oldest_are_one_row_and_it_all_still_adds_up():
    made = [Statement("x", f"r{at:03}", (Line(1, "maker", "m", "d", total(3 * 10**6 + at)),)) for at in range(MOST_RUNS + 7)]
    rows = [texts(row) for row in receipt_rows(made)]
    assert len(rows) == MOST_RUNS + 2
    assert rows[-2]["run"] == "7 earlier runs"
    assert sum(units(row["total"]) for row in rows[:-1]) == units(rows[-1]["total"])
    assert units(rows[-1]["total"]) == round(sum(one.total.cost for one in made) / 10**6)


def test_amounts_have_every_decimal():
    assert [exact(one) for one in (0, 1, 1_500_000, -2, 12_345_678)] == [
        "$0.000000",
        "$0.000001",
        "$1.500000",
        "-$0.000002",
        "$12.345678",
    ]


def test_marks_say_how_a_cost_is_known():
    def row(*each: Total) -> dict[str, str]:
        made = Statement("x", "r1", tuple(Line(1, "maker", "m", "2026-11-21", one) for one in each))
        return texts(sum_rows(sums([Source(0, "", made)], "loop"))[0])

    assert row(total(5, certainty="metered"))["known"] == "= metered"
    assert row(total(5, certainty="metered"), total(5))["known"] == "· priced"
    assert row(total(5), total(5, certainty="estimated"))["known"] == "≈ estimated"
    assert (row(total(None))["cost"], row(total(None))["known"]) == ("$?", "? no price")
    assert row(total(None), total(2 * 10**6))["cost"] == "$0.000002+?"
    assert row(total(5, saved=None))["saved"] == "?"
    assert row(total(5, saved=None), total(5, saved=3 * 10**6))["saved"] == "$0.000003+?"


def test_loops_of_several_decks_have_the_decks_name_and_one_without_calls_is_there():
    sources = [
        Source(0, "shop", Statement("x", "r1")),
        Source(1, "site", Statement("x", "r2", (Line(1, "maker", "m", "d", total(7)),))),
    ]
    assert [texts(row)[""] for row in sum_rows(sums(sources, "loop"))] == ["site/x", "shop/x", TOTAL]
    assert sum_rows({}) == receipt_rows([]) == ()


def said(cells) -> str:
    return "".join(one.text for one in cells)


@pytest.mark.req("S2-112", "S2-035")
def test_what_the_money_bought_is_told():
    check = Line(1, "check", "m", "d", total(DOLLAR, "check"))
    done = Statement("x", "r1", (Line(1, "maker", "m", "d", total(3 * DOLLAR)), check), "done", 2, 100.0, 25.0)
    gone = Statement("x", "r2", (Line(1, "maker", "m", "d", total(2 * DOLLAR, certainty="estimated")),), "budget", 1, 100.0, 0.0)
    ran, each, spent, last = (said(cells) for cells in worth_lines(worth("x", [done, gone], {"r1"}), ()))
    assert ran.startswith("2 runs, 1 done, 1 merged, 3 iterations")
    assert "$6.0000 per done run" in each
    assert "$2.0000 per iteration" in each
    assert "0.33 done per iteration" in each
    assert "checks: 17 % of cost, 12 % of time" in spent
    assert "$2.0000 is our bound" in each
    assert last == "nothing is being spent now"
    failed = said(worth_lines(worth("x", [gone], set()), ())[1])
    assert "nothing accepted yet" in failed
    assert "per done run" not in failed


def test_the_forecast_names_the_cap_that_is_reached_first():
    near = loop_row("near", rate=DOLLAR, cost=DOLLAR * 3 // 2)
    far = loop_row("far", rate=DOLLAR, settings=Settings(4, max_cost=100 * DOLLAR))
    words = said(forecast([far, near]))
    assert "$2.00/h" in words
    assert "the cap of $2.00 of near is reached in about 30m" in words
    assert "no cap on cost is near" in said(forecast([loop_row("free", rate=DOLLAR, settings=Settings(4, max_tokens=9))]))
