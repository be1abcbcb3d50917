"""Routing through the front door: three models in one run, each with its reason; what a busy provider leaves to another one."""

import pytest

from loopdeck.core import agentevents as ae
from loopdeck.core import trace as tr
from tests.cli.loops import loop
from tests.e2e.seat import Seat
from tests.kit.model_process import serving_process

MODELS = {"triage": "claude-haiku-4-5", "draft": "claude-sonnet-4-5", "review": "claude-opus-4-5"}
ANSWERED = [{"name": "answered", "run": "grep -q right answer.txt"}]


def routed(models, **more):
    maker = {"agent": "anthropic", "model": "claude-sonnet-4-5"}
    files = loop("routed", [], checks=ANSWERED, maker=maker, models=models, **more)
    path = ".loopdeck/loops/routed/loop.toml"
    return {path: files[path].replace('script = "play.toml"\n', "")}


def sent(door, role=None):
    found = [one for one in door.trace("routed") if isinstance(one, tr.PromptSent) and role in (None, one.role)]
    return [(one.iteration, one.role, one.model, one.route) for one in found]


@pytest.mark.req("S2-077", "S2-078", "S2-079", "S2-080")
def test_three_models_work_in_one_run_each_for_its_phase(front):
    with serving_process("tests.e2e.routed_model:phases") as server:
        door: Seat = front(routed(MODELS, end={"max_iterations": 5, "final_pass": True}))
        door.env |= {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "k"}
        run = door.done("routed")
        assert run.spend.usage == server.billed()
    asked = dict.fromkeys(sent(door))
    assert (1, "triage", "claude-haiku-4-5", "what to take first") in asked
    assert (1, "maker", "claude-sonnet-4-5", "ordinary work") in asked
    assert (3, "maker", "claude-opus-4-5", "2 iterations in a row failed without a better score") in asked
    assert (4, "maker", "claude-opus-4-5", "the final pass") in asked
    assert not any(iteration == 4 and role == "triage" for iteration, role, _, _ in asked)
    plans = [one.plan for one in door.events("routed") if isinstance(one, ae.TriageFinished)]
    assert plans == ["Take answer.txt first."] * 3
    assert "Take answer.txt first." in door.prompts("routed", 2)[0]["plan"]
    # Lean for triage and drafts, rich for the final review: what it judges is all before it.
    lean, full = door.prompts("routed", 2)[0], door.prompts("routed", 4)[0]
    assert not any(name == "diff" or name.startswith("history") for name in (*lean, *door.prompts("routed", 2, "triage")[0]))
    assert "+right" in full["diff"]
    assert "Writing." in full["history 3"]
    saved = door.show("routed")["routing"]
    assert saved["frontier"] == "claude-opus-4-5"
    assert saved["saved_usd"] > 0
    assert round(saved["all_frontier_usd"] - saved["saved_usd"], 9) == round(door.glance("routed")["usage"]["cost_usd"], 9)
    assert "routing saved about $" in door.ok("show", "routed").out


def test_a_busy_provider_is_left_for_another_vendor(front):
    models = {"fallback": "openai:gpt-5"}
    with serving_process("tests.e2e.routed_model:busy") as server:
        door: Seat = front(routed(models, end={"max_iterations": 2}))
        door.env |= {
            "ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "k", "OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "k",
        }  # fmt: skip
        run = door.done("routed")
        assert run.spend.usage == server.billed()
    models_asked = [model for _, _, model, _ in sent(door)]
    assert models_asked[:3] == ["claude-sonnet-4-5"] * 3
    assert models_asked[3] == "gpt-5"


def test_a_triage_that_fails_holds_nothing_up(front):
    with serving_process("tests.e2e.routed_model:no_triage") as server:
        door: Seat = front(routed({"triage": "claude-haiku-4-5"}))
        door.env |= {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "k"}
        door.done("routed")
    assert [one.plan for one in door.events("routed") if isinstance(one, ae.TriageFinished)] == [""]
    assert any("the triage came to nothing" in one.text for one in door.trace("routed") if isinstance(one, tr.Noted))
