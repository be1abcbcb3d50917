"""The real Claude Code as a maker: a bug fixed, approvals obeyed, money held, nothing left. `pytest -m real_agents tests/real`."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from loopdeck.agents.outside.claude import ClaudeAgent
from loopdeck.agents.outside.port import Allowed, Denied, Ended
from loopdeck.core import agentevents as ae
from loopdeck.core import trace as tr
from loopdeck.core.conversation import Text
from loopdeck.sandbox import family
from tests.cli.loops import loop
from tests.e2e.seat import Seat
from tests.kit.model_process import serving_process
from tests.kit.outside_stage import Stage, task
from tests.real import claude_model as model
from tests.real.clis import bin_of

pytestmark = [pytest.mark.real_agents, pytest.mark.timeout(900)]
KILLS = int(os.environ.get("LOOPDECK_TEST_KILLS", "50"))
TALK = "tests.real.claude_model"
WALLS = pytest.mark.parametrize("walls", ["bubblewrap", "none"])


def mending(**more):
    """A repository with a bug, and a loop that Claude Code is to mend it in."""
    given = {"checks": [{"name": "adds", "run": "python3 try_calc.py"}], "end": {"max_iterations": 1, "max_cost_usd": 5.0}} | more
    files = loop("mend", [], maker={"agent": "claude", **given.pop("maker", {})}, **given)
    files.pop(".loopdeck/loops/mend/play.toml")
    path = ".loopdeck/loops/mend/loop.toml"
    files[path] = files[path].replace('script = "play.toml"\n', "")
    return {**files, "calc.py": model.BROKEN, "try_calc.py": model.TEST}


def seat(front, server, walls="bubblewrap", **more) -> Seat:
    """A seat before it."""
    door: Seat = front(mending(**more))
    door.env |= {
        "PATH": f"{bin_of('claude')}:{door.env['PATH']}", "ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "the-real-key",
    }  # fmt: skip
    if walls == "none":
        door.env["LOOPDECK_SANDBOX"] = "none"
    return door


def left(door: Seat, loop: str = "mend") -> list[str]:
    """Processes of the run's commands, or of whatever works in its worktree, that are still there."""
    paths = door.paths(loop)
    found = {one.pid for one in family.members(family.Mark(paths.run)).values() if not one.dead}
    tree = door.folded(loop).worktree
    for one in psutil.process_iter():
        try:
            if tree and (one.cwd() == tree or one.cwd().startswith(tree + os.sep)):
                found.add(one.pid)
        except (psutil.Error, OSError):
            continue
    lines = []
    for pid in found:
        # One that ended while it was looked at is not left; whether its parent has been told yet does not matter.
        with suppress(psutil.NoSuchProcess):
            lines.append(" ".join(psutil.Process(pid).cmdline()))
    return lines


def decide(door: Seat, wanted: str, *verb: str) -> None:
    """Answer the one question that is open, which has to be about this."""
    [waits] = door.until("mend", "asking", patience_s=60)["approvals"]
    assert wanted in waits["summary"], waits
    name, *more = verb
    door.ok(name, waits["id"], *more)
    door.wait("mend", lambda seen: all(one.approval != waits["id"] or one.status != "waiting" for one in seen.run.calls))


def turns(door: Seat) -> list[ae.AgentTurnFinished]:
    return [one for one in door.events("mend") if isinstance(one, ae.AgentTurnFinished)]


def calls(door: Seat) -> list[tuple[str, str]]:
    return [(one.tool, one.arguments) for one in door.trace("mend") if isinstance(one, tr.ToolCalled)]


@WALLS
@pytest.mark.req("S1-14", "S2-062")
def test_a_bug_is_mended_and_calls_are_allowed_edited_and_denied(front, walls):
    with serving_process(f"{TALK}:fixer") as server:
        door = seat(front, server, walls, gates={"ask": ["bash"]})
        door.ok("start", "mend")
        decide(door, "try_calc", "approve", "--edit", json.dumps({"command": "python3 -B try_calc.py"}))
        decide(door, "rm -rf", "deny", "--why", "it is needed")
        assert door.until_ended("mend", 60)["reason"] == "done"
        run = door.folded("mend")
        assert run.spend.usage == server.billed()
        assert (run.spend.model_calls, run.tool_calls) == (5, 3)
    assert [one.how for one in turns(door)] == ["ended"]
    assert [tool for tool, _ in calls(door)] == ["read_file", "edit_file", "bash"]
    assert json.loads(calls(door)[-1][1]) == {"command": "python3 -B try_calc.py"}
    last = [one for one in door.trace("mend") if isinstance(one, tr.ModelReplied) and one.role == "maker"][-1]
    assert last.blocks == (Text("Mended: it adds now; all fine; not tidied."),)
    outputs = [one for one in door.trace("mend") if isinstance(one, tr.ToolReturned)]
    assert any(one.output == "all fine" for one in outputs)
    assert left(door) == []
    assert "the-real-key" not in door.ok("trace", "mend", "--json").out


@WALLS
@pytest.mark.req("S0-14")
def test_its_budget_is_hard_to_the_token(front, walls):
    with serving_process(f"{TALK}:spender") as server:
        door = seat(front, server, walls, gates={"allow": ["bash"]}, end={"max_iterations": 3, "max_cost_usd": 0.4})
        assert door.run("start", "mend", "--wait", timeout=200).code == 11
        entry = door.glance("mend")
        assert (entry["reason"], entry["usage"]["cost_usd"] <= 0.4) == ("budget", True)
        assert door.folded("mend").spend.usage == server.billed()
        assert door.folded("mend").spend.model_calls >= 2
    assert left(door) == []


def test_a_pause_holds_its_request_and_it_goes_on_afterwards(front):
    with serving_process(f"{TALK}:slow") as server:
        door = seat(front, server, checks=[{"name": "steps", "run": "test $(wc -l < steps.txt) -ge 6"}])
        door.ok("start", "mend")
        door.wait("mend", lambda seen: bool(seen.run.worktree) and (Path(seen.run.worktree) / "steps.txt").exists(), 60)
        door.ok("pause", "mend")
        door.until("mend", "paused")
        before = len(server.shown("requests"))
        time.sleep(2)
        assert len(server.shown("requests")) == before
        door.ok("resume", "mend")
        assert door.until_ended("mend", 60)["reason"] == "done"
    assert [one.how for one in turns(door)] == ["ended"]


@WALLS
def test_what_wants_to_stay_is_ended_with_it(front, walls):
    with serving_process(f"{TALK}:lingerer") as server:
        door = seat(front, server, walls, gates={"allow": ["bash"]})
        door.ok("start", "mend")
        door.wait("mend", lambda seen: bool(seen.run.worktree) and (Path(seen.run.worktree) / "begun.txt").exists(), 60)
        begun = time.monotonic()
        door.ok("kill", "mend", "--now")
        assert door.until_ended("mend")["reason"] == "human"
        assert time.monotonic() - begun < 10
        assert left(door) == []


@WALLS
def test_a_dead_runner_leaves_nothing_that_goes_on_and_the_next_one_resumes(front, walls):
    with serving_process(f"{TALK}:slow") as server:
        checks = [{"name": "steps", "run": "test $(wc -l < steps.txt) -ge 5"}]
        door = seat(front, server, walls, checks=checks, gates={"allow": ["bash"]})
        door.ok("start", "mend")
        door.wait("mend", lambda seen: bool(seen.run.worktree) and (Path(seen.run.worktree) / "steps.txt").exists(), 60)
        door.slay("mend")
        door.ok("resume", "mend")
        door.until_ended("mend", 60)
        started = [one for one in door.events("mend") if isinstance(one, ae.AgentTurnStarted)]
        assert started[1].resume
        assert started[1].resume == next(one.session for one in door.events("mend") if isinstance(one, ae.AgentSessionNamed))
    assert left(door) == []


def test_a_server_of_the_loops_is_used_through_the_gate(front):
    script = Path(__file__).parents[1] / "kit/mcp_server.py"
    connector = {"name": "kit", "command": f"{sys.executable} kit_server.py"}
    with serving_process(f"{TALK}:connected") as server:
        files = {"kit_server.py": script.read_text("utf-8")}
        door: Seat = front(files, mending(checks=[{"run": "true"}], maker={"connector": [connector]}, gates={"ask": ["kit.add"]}))
        door.env |= {
            "PATH": f"{bin_of('claude')}:{door.env['PATH']}", "ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "the-real-key",
        }  # fmt: skip
        door.ok("start", "mend")
        decide(door, "19", "approve")
        door.until_ended("mend", 60)
    assert ("kit.add", json.dumps({"a": 19, "b": 23})) in calls(door)
    assert any("42" in one.output for one in door.trace("mend") if isinstance(one, tr.ToolReturned))


def test_an_approval_outlives_its_process(front):
    with serving_process(f"{TALK}:fixer") as server:
        door = seat(front, server, gates={"ask": ["bash(python3)"], "deny": ["bash(rm)"]})
        door.ok("start", "mend")
        door.until("mend", "asking", patience_s=60)
        deadline = time.monotonic() + 120
        while left(door):
            assert time.monotonic() < deadline, "a loop that waits for a person still holds its agent"
            time.sleep(1)
        decide(door, "try_calc", "approve")
        assert door.until_ended("mend", 90)["reason"] == "done"
        assert door.folded("mend").spend.usage == server.billed()
    assert [one.how for one in turns(door)] == ["let_go", "ended"]
    assert any("until a person speaks" in one.text for one in door.trace("mend") if isinstance(one, tr.Noted))


def direct(folder: Path, url: str, answering=lambda call: Allowed(), **more):
    """A turn without an engine around it: the task, and the stage it is played on."""
    given = task(
        folder, {"PATH": f"{bin_of('claude')}:{os.environ['PATH']}", "HOME": str(folder)}, model="m", token="tok", gateway=url, **more
    )
    (given.worktree / "calc.py").write_text(model.BROKEN)
    (given.worktree / "try_calc.py").write_text(model.TEST)
    return given, Stage(given.worktree, answering=answering)


def test_a_person_may_take_longer_than_any_hook(tmp_path, monkeypatch):
    with serving_process(f"{TALK}:fixer") as server:
        given, stage = direct(tmp_path, server.url)
        # The one long wait; everything else is answered at once.
        monkeypatch.setattr(stage, "ask", _slowly(stage.ask, "try_calc", 75))
        ended = asyncio.run(ClaudeAgent().turn(given, stage))
        assert ended == Ended("ended", "Mended: it adds now; all fine; tidied.")
        assert stage.used_in_all == server.billed()


def test_a_call_that_was_never_answered_is_not_made_when_the_session_goes_on(tmp_path):
    with serving_process(f"{TALK}:toucher") as server:
        given, stage = direct(tmp_path, server.url, lambda call: None)

        async def slain() -> Ended:
            turn = asyncio.ensure_future(ClaudeAgent().turn(given, stage))
            async with asyncio.timeout(60):
                # Written down by the agent: it would know of the call.
                while not any('"tool_use"' in one.read_text() for one in given.home.rglob("*.jsonl")):
                    await asyncio.sleep(0.1)
            os.killpg(stage.pids[0], signal.SIGKILL)
            return await turn

        assert asyncio.run(slain()).failure == "cut"
        given, after = direct(tmp_path, server.url, lambda call: Denied("no"), resume=stage.sessions[0])
        assert asyncio.run(ClaudeAgent().turn(given, after)).how == "ended"
        assert [call.id for call in after.asked] != [call.id for call in stage.asked]
        assert not (given.worktree / "touched.txt").exists()
        assert after.seen == []


@pytest.mark.parametrize("fault", ["storm", "cut", "error_event"])
def test_a_provider_that_stumbles_is_tried_again(tmp_path, fault):
    with serving_process(f"{TALK}:{fault}") as server:
        given, stage = direct(tmp_path, server.url)
        ended = asyncio.run(ClaudeAgent().turn(given, stage))
        assert ended.how == "ended"
        assert len(server.shown("requests")) > 1


def test_a_provider_that_stays_away_is_told_as_busy(tmp_path):
    with serving_process(f"{TALK}:away") as server:
        given, stage = direct(tmp_path, server.url)
        ended = asyncio.run(ClaudeAgent().turn(given, stage))
        assert (ended.how, ended.failure) == ("failed", "overloaded")
        assert len(server.shown("requests")) == 5
        assert sum("tries again" in note for note in stage.notes) == 4


def test_a_result_of_a_million_bytes_is_looked_at_without_asking(tmp_path):
    with serving_process(f"{TALK}:wordy") as server:
        given, stage = direct(tmp_path, server.url, lambda call: Allowed() if call.tool == "bash" else Denied("no"))
        ended = asyncio.run(ClaudeAgent().turn(given, stage))
        assert ended.text == "I have seen it."
        assert [call.tool for call in stage.asked] == ["bash"]
        assert [call.native for call in stage.seen] == ["Read"]


def _slowly(ask, word: str, seconds: float):
    async def slow(call):
        await asyncio.sleep(seconds if word in call.arguments else 0)
        return await ask(call)

    return slow


@pytest.mark.req("S3-09")
@WALLS
def test_killed_at_any_moment_it_leaves_nothing(front, walls):
    rng = random.Random(7)
    with serving_process(f"{TALK}:slow") as server:
        door = seat(
            front, server, walls, gates={"allow": ["bash"]}, checks=[{"run": "false"}], end={"max_iterations": 9, "max_cost_usd": 50.0}
        )
        slowest = 0.0
        for number in range(KILLS // 2):
            door.ok("start", "mend")
            time.sleep(rng.uniform(0.3, 4.0))
            begun = time.monotonic()
            door.ok("kill", "mend", "--now")
            door.until_ended("mend")
            slowest = max(slowest, time.monotonic() - begun)
            assert left(door) == [], number
    print(f"{walls}: {KILLS // 2} kills, the slowest took {slowest:.1f} s, nothing left")  # noqa: T201 - a figure for whoever asked
