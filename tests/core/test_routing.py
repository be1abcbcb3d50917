"""Who makes the maker's next call: one rule after the other, and what each falls through to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from loopdeck.core.happening import Settings
from loopdeck.core.loopfile.who import judge_of
from loopdeck.core.routing import Route, maker_route, triage_route
from loopdeck.core.run import Iteration, Run, Spend
from loopdeck.core.spec import Maker, Models, RubricCheck
from loopdeck.core.usage import Usage
from tests.core.make import loop

ALL = Models(triage="small", draft="mid", check="other", review="anthropic:frontier", fallback="openai:spare")


def routed(models=ALL, **run):
    """The route of a run with these fields, in a loop whose maker is `own`."""
    spec = structs.replace(loop(), maker=Maker("anthropic", "own"), models=models)
    state = Run(settings=Settings(4, max_cost=1000, model="own"))
    for name, value in run.items():
        setattr(state, name, value)
    return maker_route(state, spec)


def rounds(*scores):
    return [Iteration(number, "", "", score=score, passed=score == 1) for number, score in enumerate(scores, 1)]


def test_ordinary_work_is_for_draft():
    assert routed() == Route("anthropic", "mid", "draft", "ordinary work")


def test_without_roles_it_is_the_makers_own_model():
    assert routed(Models()) == Route("anthropic", "own")


def test_the_final_pass_is_for_review():
    assert routed(final=True) == Route("anthropic", "frontier", "review", "the final pass")


@pytest.mark.parametrize(
    ("scores", "phase"),
    [
        ((0.5,), "draft"), ((0.5, 0.5), "escalated"), ((0.5, 0.7), "draft"), ((0.5, 0.7, 0.7), "draft"),
        ((0.5, 0.7, 0.7, 0.6), "escalated"), ((0.5, 0.5, 0.9), "draft"), ((0.0, 0.0), "escalated"), ((0.4, 1.0), "draft"),
    ],
)  # fmt: skip
def test_two_failed_iterations_without_a_better_score_are_escalated(scores, phase):
    assert routed(iterations=rounds(*scores)).phase == phase


def test_a_busy_provider_is_left_for_the_fallback_and_returned_to():
    assert routed(patience=2).phase == "draft"
    assert routed(patience=3) == Route("openai", "spare", "fallback", "its provider was busy 3 times in a row")
    assert routed(patience=0).phase == "draft"


def test_from_four_fifths_of_the_budget_on_the_small_model_does_the_rest():
    assert routed(spend=Spend(cost=799)).phase == "draft"
    assert routed(spend=Spend(cost=800)) == Route("anthropic", "small", "frugal", "80% of the budget is spent")
    assert routed(spend=Spend(usage=Usage(900)), settings=Settings(4, max_tokens=1000, model="own")).phase == "frugal"


def test_a_model_set_by_a_person_stays_but_for_a_busy_provider():
    mine = Settings(4, max_cost=1000, model="mine")
    assert routed(settings=mine, final=True, spend=Spend(cost=900)) == Route("anthropic", "mine")
    assert routed(settings=mine, patience=5).phase == "fallback"


def test_triage_is_asked_only_where_it_is_named():
    spec = structs.replace(loop(), maker=Maker("anthropic", "own"))
    assert triage_route(spec) is None
    assert triage_route(structs.replace(spec, models=ALL)) == Route("anthropic", "small", "triage", "what to take first")


@pytest.mark.parametrize(
    ("agent", "written", "asked", "model"),
    [
        ("claude", "claude-haiku-4-5", "anthropic", "claude-haiku-4-5"), ("codex", "gpt-5-mini", "openai", "gpt-5-mini"),
        ("claude", "openai:gpt-5-mini", "openai", "gpt-5-mini"), ("anthropic", "codex:gpt-5-mini", "openai", "gpt-5-mini"),
        ("acp", "claude-haiku-4-5", "anthropic", "claude-haiku-4-5"), ("command", "gpt-5-mini", "openai", "gpt-5-mini"),
    ],
)  # fmt: skip
def test_a_triage_and_a_judge_of_an_agents_kind_are_asked_by_ourselves(agent, written, asked, model):
    spec = structs.replace(loop(), maker=Maker(agent, "own"), models=Models(triage=written, check=written))
    route = triage_route(spec)
    assert route is not None
    assert (route.agent, route.model) == (asked, model)
    assert judge_of(spec, RubricCheck("RUBRIC.md")) == (asked, model)


names = st.sampled_from(["", "x", "openai:x", "llama3:8b"])


@given(
    st.builds(Models, names, names, names, names, names), st.integers(0, 5), st.booleans(), st.integers(0, 1200),
    st.lists(st.floats(0, 1), max_size=5),
)  # fmt: skip
def test_there_is_always_somebody(models, patience, final, cost, scores):
    route = routed(models, patience=patience, final=final, spend=Spend(cost=cost), iterations=rounds(*scores))
    assert route.model
    assert route.agent in ("anthropic", "openai")
    assert (route.phase == "maker") == (not route.why)
    assert routed(models, patience=patience, final=final, spend=Spend(cost=cost), iterations=rounds(*scores)) == route
