"""Claude Code, Codex and an ACP agent through the front door, by fakes of them: asked, answered, counted, let go of, gone on with."""

import pytest

from loopdeck.core import agentevents as ae
from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.progress import END_AT
from loopdeck.core.usage import Usage
from tests.cli.loops import loop
from tests.e2e.seat import Seat
from tests.kit.outside_stage import fake

pytestmark = pytest.mark.usefixtures("without_walls")

MAKE = {"allow": ["bash(make test)"]}
NEVER = [{"name": "never", "run": "false"}]
KINDS = {
    "claude": ("claude", "fake_claude.py", {"agent": "claude"}, "ANTHROPIC_API_KEY"),
    "codex": ("codex", "fake_codex.py", {"agent": "codex"}, "OPENAI_API_KEY"),
    "acp": ("agent-x", "fake_acp.py", {"agent": "acp", "command": "agent-x"}, "ANTHROPIC_API_KEY"),
}


def seat(front, tmp_path, kind, way="good", *, keyed=True, **more) -> Seat:
    """The operator's seat before one loop whose maker is the fake of `kind`."""
    name, program, maker, key = KINDS[kind]
    given = {"model": "claude-sonnet-4-5", **maker}
    files = loop("outer", [], maker=given, sandbox={"env": ["FAKE", "FAKE_LOG"]}, **more)
    path = ".loopdeck/loops/outer/loop.toml"
    door: Seat = front({path: files[path].replace('script = "play.toml"\n', "")})
    env = fake(tmp_path, name, program, FAKE=way, FAKE_LOG=str(tmp_path / "log"))
    door.env |= {"PATH": env["PATH"], "FAKE": way, "FAKE_LOG": env["FAKE_LOG"]}
    if keyed:
        door.env[key] = "any"
    return door


def answered(door: Seat, *, say_yes=True) -> list[str]:
    """Answer whatever the run asks until it has ended; what it asked for."""
    asked: list[str] = []
    while True:
        seen = door.wait("outer", lambda one: one.status in ("asking", "ended"), 40)
        if seen.status == "ended":
            return asked
        [waits] = seen.run.pending_approvals
        asked.append(waits.tool)
        said = ("approve", waits.id) if say_yes else ("deny", waits.id, "--why", "not on a Friday")
        door.ok(*said)
        _until_taken(door, waits.id)


def _until_taken(door: Seat, approval: str) -> None:
    door.wait("outer", lambda one: one.run.approvals[approval].decided)


@pytest.mark.req("S1-14")
@pytest.mark.parametrize("kind", KINDS)
def test_each_asks_is_answered_and_ends_done(front, tmp_path, kind):
    door = seat(front, tmp_path, kind)
    door.ok("start", "outer")
    asked = answered(door)
    assert door.glance("outer")["reason"] == "done", door.log("outer")
    assert "bash" in asked
    turns = [one.how for one in door.events("outer") if isinstance(one, ae.AgentTurnFinished)]
    assert turns == ["ended"]
    assert door.folded("outer").iterations[0].maker == "ended"
    named = [one.session for one in door.events("outer") if isinstance(one, ae.AgentSessionNamed)]
    assert len(named) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_each_hears_a_no(front, tmp_path, kind):
    door = seat(front, tmp_path, kind, end={"max_iterations": 1})
    door.ok("start", "outer")
    # Where its very start is refused, it is not asked for over and over.
    assert len(answered(door, say_yes=False)) <= END_AT
    refused = [one for one in door.events("outer") if isinstance(one, ev.ToolCallRefused)]
    assert refused
    assert all("not on a Friday" in one.why for one in refused)
    granted = [one.tool for one in door.events("outer") if isinstance(one, ev.ToolCallGranted)]
    assert "bash" not in granted


def test_by_its_own_login_its_own_word_counts_and_is_marked(front, tmp_path):
    door = seat(front, tmp_path, "claude", keyed=False, gates=MAKE)
    door.ok("start", "outer", "--wait")
    run = door.folded("outer")
    assert run.spend.certainty == "estimated"
    assert run.spend.usage.tokens > 0
    assert run.spend.cost > 0
    started = next(one for one in door.events("outer") if isinstance(one, ae.AgentTurnStarted))
    assert not started.metered


def test_its_own_word_trips_the_budget_too(front, tmp_path):
    door = seat(front, tmp_path, "claude", keyed=False, gates=MAKE, end={"max_cost_usd": 0.0001}, checks=NEVER)
    assert door.run("start", "outer", "--wait").code == 11
    assert door.folded("outer").limit == "cost_usd"


def test_through_the_gateway_nothing_counts_that_did_not_pass_it(front, tmp_path):
    door = seat(front, tmp_path, "claude", gates=MAKE)
    door.ok("start", "outer", "--wait")
    assert door.folded("outer").spend.usage == Usage()
    said = [one.text for one in door.trace("outer") if isinstance(one, tr.Noted)]
    assert any("metered were 0 in, 0 out" in text for text in said)


@pytest.mark.parametrize("kind", KINDS)
def test_a_runner_that_died_while_a_person_was_asked_goes_on_with_the_conversation(front, tmp_path, kind):
    door = seat(front, tmp_path, kind)
    door.ok("start", "outer")
    door.until("outer", "asking")
    before = door.folded("outer").conversation
    door.slay("outer")
    door.ok("resume", "outer")
    asked = answered(door)
    assert door.glance("outer")["reason"] == "done", door.log("outer")
    assert "bash" in asked
    resumed = [one.resume for one in door.events("outer") if isinstance(one, ae.AgentTurnStarted)]
    assert resumed[0] == ""
    assert resumed[1] in (before, "")
