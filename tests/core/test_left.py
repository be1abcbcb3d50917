"""What an agent is told of its budget, and how a question and its answer travel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from loopdeck.core import asking
from loopdeck.core.asking import Ask
from loopdeck.core.happening import Settings
from loopdeck.core.left import left
from loopdeck.core.run import Reservation, Run, Spend
from loopdeck.core.usage import Usage, picodollars


def run(**facts):
    settings = Settings(4, max_cost=picodollars(2.0), max_tokens=10_000, max_wall_s=3600, max_tool_calls=40)
    return Run("fix", "20261121-0715-a3f9", settings=settings, status="running", iteration=2, **facts)


def test_each_limit_has_its_line_with_what_is_reserved_counted_as_taken():
    spend = Spend(Usage(input=1000, output=500), cost=picodollars(0.5), tool_calls=9)
    held = {"m1": Reservation("maker", "m", 2000, 500, picodollars(0.25), 1)}
    told = left(run(spend=spend, reserved=held, clock=600.0, tool_calls=3)).splitlines()
    assert told == [
        "Iteration 2 of at most 4.",
        "Dollars: 1.2500 of 2.00 left.",
        "Tokens: 6000 of 10000 left.",
        "Time: 50m of 1h left.",
        "Tool calls in this iteration: 37 of 40 left.",
    ]


def test_nothing_is_left_below_nothing_and_an_end_is_said():
    spent = left(run(spend=Spend(Usage(input=20_000), cost=picodollars(3), unpriced=True), clock=9999.0, tool_calls=50))
    assert "Dollars: 0.0000 of 2.00 left; some of what was spent has no known price." in spent
    assert "Tokens: 0 of" in spent
    assert "Time: 0s of 1h" in spent
    ended = structs.replace(run(), status="ended", reason="done")
    assert left(ended) == "Run 20261121-0715-a3f9 has ended: done."


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_question_and_its_answer_come_back_as_they_went(question, text):
    arguments = asking.arguments_of(question)
    assert asking.answer_in(arguments) == asking.NOTHING_TO_ADD
    said = asking.answer_in(asking.answered(arguments, text))
    assert said == (text.strip() or asking.NOTHING_TO_ADD)


@pytest.mark.parametrize("arguments", ["", "{", "[]", '{"answer": 3}', "{}"])
def test_arguments_that_hold_no_answer_are_no_answer(arguments):
    assert asking.answer_in(arguments) == asking.NOTHING_TO_ADD


def test_the_same_question_is_the_same_file_and_no_other_is():
    one = asking.ask_name(Ask("question", "a"))
    assert one == asking.ask_name(Ask("question", "a"))
    assert (
        len(
            {
                one,
                asking.ask_name(Ask("question", "b")),
                asking.ask_name(Ask("budget", "a")),
                asking.ask_name(Ask("question", "a"), "n"),
            }
        )
        == 4
    )
    assert asking.answer_name(one) == one.replace("ask-", "answer-")
