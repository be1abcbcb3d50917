"""Loop files from answers: whatever was answered reads back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.intent import Facts, understand
from loopdeck.core.loopfile import DeckFile, read_loop
from loopdeck.core.loopfile.write import Answers, loop_text
from loopdeck.core.spec import CheckSpec, Exit, RubricCheck, SchemaCheck, ScopeCheck, Trigger
from tests.core.make import DOLLAR
from tests.core.test_intent import FACTS, SENTENCES

MINE = Answers("mine", "All tests pass.", "anthropic", (CheckSpec("tests", run="pytest -q"),), Exit(4, 2 * DOLLAR), model="m")


def read(answers: Answers):
    reading = read_loop(answers.name, loop_text(answers), "loop.toml", DeckFile())
    assert reading.errors == ()
    assert reading.spec is not None
    return reading.spec


def test_the_smallest_is_what_a_person_would_write():
    assert loop_text(MINE) == (
        'goal = "All tests pass."\n\n[maker]\nagent = "anthropic"\nmodel = "m"\n\n[[check]]\nname = "tests"\nrun = "pytest -q"\n\n'
        "[exit]\nmax_iterations = 4\nmax_cost_usd = 2.00\n"
    )


def test_everything_reads_back_as_it_was_answered():
    checks = (
        CheckSpec("tests", run="pytest -q && echo 'it\\'s' \"fine\"", timeout_s=90, severity="blocker"),
        CheckSpec("links", links=("docs/**/*.md", "README.md")),
        CheckSpec("schema", schema=SchemaCheck(("data/*.json",), "schema.json")),
        CheckSpec("scope", scope=ScopeCheck(("src/**",), 10, 300)),
        CheckSpec("judge", rubric=RubricCheck("RUBRIC.md", "openai", "gpt-5"), when="others_pass"),
        CheckSpec("look", human=True, when="others_pass"),
    )
    ends = Exit(7, 1_234_500_000_000, 500_000, 5400, 40, 0, "minor", final_pass=True)
    answers = Answers(
        "mine", 'Say "hé"\nand\tmore.', "anthropic", checks, ends, "m", protect=("tests/**",),
        trigger=Trigger(cron="0 7 * * 1-5", timezone="Europe/Berlin"), sentence="all\n[tests]\x1b pass",
    )  # fmt: skip
    spec = read(answers)
    assert (spec.goal, spec.checks, spec.exit, spec.workspace.protect) == (answers.goal, checks, ends, ("tests/**",))
    assert spec.trigger == answers.trigger
    assert loop_text(answers).startswith("# Made from: all [tests] pass\n")


PRINTABLE = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs", "Cf", "Co", "Cn"))


@given(
    st.text(PRINTABLE | st.sampled_from(" \n\"'\\#="), min_size=1),
    st.text(min_size=1, max_size=40).filter(lambda text: "\0" not in text and text.strip() and text.isprintable()),
    st.integers(1, 10**5), st.integers(10**8, 10**18), st.integers(1, 366 * 86_400), st.integers(0, 9999), st.text(max_size=50),
)  # fmt: skip
def test_any_text_and_number_reads_back(goal, command, iterations, cost, wall, no_progress, sentence):
    ends = Exit(iterations, cost // 10**8 * 10**8, None, float(wall), None, no_progress)
    answers = Answers("mine", goal, "anthropic", (CheckSpec("c", run=command),), ends, "m", sentence=sentence)
    if not goal.strip():
        return
    spec = read(answers)
    assert (spec.goal, spec.checks[0].run, spec.exit) == (goal, command, ends)


@pytest.mark.req("S1-09", "S2-110")
@pytest.mark.parametrize("sentence", [one[0] for one in SENTENCES])
def test_what_a_sentence_asks_for_is_what_the_file_says(sentence):
    wish = understand(sentence, FACTS)
    caps = wish.caps
    ends = Exit(
        caps.max_iterations or 4, caps.max_cost or DOLLAR, caps.max_tokens, caps.max_wall_s, caps.max_tool_calls,
        3 if caps.no_progress is None else caps.no_progress,
    )  # fmt: skip
    checks = wish.checks or (CheckSpec("tests", run="pytest -q"),)
    goal = wish.goal or "It is done."
    spec = read(Answers("mine", goal, "anthropic", checks, ends, "m", protect=wish.protect, sentence=sentence))
    assert (spec.goal, spec.checks, spec.exit, spec.workspace.protect) == (goal, checks, ends, wish.protect)


def test_a_sentence_about_nothing_leaves_a_loop_that_is_refused():
    wish = understand("make it nicer", Facts())
    answers = Answers("mine", wish.goal, "anthropic", wish.checks, Exit(4, DOLLAR), "m")
    reading = read_loop("mine", loop_text(answers), "loop.toml", DeckFile())
    assert any("no [[check]]" in one.what for one in reading.errors)
