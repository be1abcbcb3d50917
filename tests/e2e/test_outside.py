"""Makers with a loop of their own, through the front door: any program, metered by the gateway, its calls before the gate."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from loopdeck.core import agentevents as ae
from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.usage import Usage
from tests.cli.loops import loop
from tests.e2e.seat import Seat
from tests.kit.model_process import serving_process

AGENT = Path(__file__).parents[1] / "kit" / "outside_agent.py"
ANSWERED = [{"name": "answered", "run": "grep -q fixed answer.txt"}]
TALK = "tests.e2e.outside_model:brief"


def outside(way, *, checks=ANSWERED, end=None, **more):
    """A loop whose maker is the program, in one of its ways; it lies in the repository, where every sandbox shows it."""
    files = loop(
        "outside", [], checks=checks, end=end, maker={"agent": "command", "command": f"{sys.executable} agent.py {way}"}, **more
    )
    files.pop(".loopdeck/loops/outside/play.toml")
    text = files[".loopdeck/loops/outside/loop.toml"].replace('script = "play.toml"\n', "")
    return {".loopdeck/loops/outside/loop.toml": text, "agent.py": AGENT.read_text("utf-8")}


def served(url):
    return {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "the-real-key"}


def wait_for(door, name):
    """Wait for a file that the agent writes in its worktree."""
    door.wait("outside", lambda seen: bool(seen.run.worktree) and (Path(seen.run.worktree) / name).exists())
    return door.worktree("outside") / name


def turns(door):
    return [one for one in door.events("outside") if isinstance(one, ae.AgentTurnFinished)]


@pytest.mark.req("S1-14", "S2-062")
def test_any_program_is_a_maker_and_is_metered_to_the_token(front):
    with serving_process(TALK) as server:
        door: Seat = front(outside("fix"))
        door.env |= served(server.url)
        said = door.run("start", "outside", "--wait")
        assert (said.code, door.glance("outside")["reason"]) == (0, "done"), said.out + said.err
        run = door.folded("outside")
        assert run.spend.usage == server.billed()
        assert run.spend.model_calls == 2
        assert (run.iterations[0].turns, run.tool_calls) == (1, 2)
    assert [one.how for one in turns(door)] == ["ended"]
    calls = [one for one in door.trace("outside") if isinstance(one, tr.ToolCalled)]
    assert [one.tool for one in calls] == ["bash", "write_file"]
    sent = next(one for one in door.trace("outside") if isinstance(one, tr.PromptSent) and one.role == "maker")
    assert {"template", "goal", "checks", "iteration", "state"} <= {part.name for part in sent.parts} | {"template"}
    assert sent.template.startswith("agent.md@")


def test_a_triage_beside_it_is_asked_by_loopdeck_itself(front):
    with serving_process(TALK) as server:
        door: Seat = front(outside("fix", models={"triage": "claude-haiku-4-5"}))
        door.env |= served(server.url)
        run = door.done("outside")
        assert run.spend.usage == server.billed()
        assert run.spend.model_calls == 3
    assert [bool(one.plan) for one in door.events("outside") if isinstance(one, ae.TriageFinished)] == [True]


def test_what_it_says_after_its_model_stands_in_the_trace_once(front):
    with serving_process(TALK) as server:
        door: Seat = front(outside("repeat"))
        door.env |= served(server.url)
        door.done("outside")
    said = door.trace("outside")
    assert sum("Yes. Yes." in str(one) for one in said if isinstance(one, tr.ModelReplied) and one.role == "agent") == 1
    noted = [one.text for one in said if isinstance(one, tr.Noted)]
    assert [text for text in noted if text.startswith("the agent: ")] == ["the agent: I go on."]


def test_it_never_sees_a_real_key(front):
    with serving_process(TALK) as server:
        door: Seat = front(outside("keys"))
        door.env |= served(server.url)
        assert door.run("start", "outside", "--wait").code == 0
        answer = (door.worktree("outside") / "answer.txt").read_text("utf-8")
    assert "the-real-key" not in answer
    assert "fixed [" in answer


@pytest.mark.req("S0-14")
def test_its_budget_is_hard(front):
    with serving_process(TALK) as server:
        door: Seat = front(outside("spend", end={"max_cost_usd": 0.05}))
        door.env |= served(server.url)
        assert door.run("start", "outside", "--wait").code == 11
        entry = door.glance("outside")
        assert (entry["reason"], entry["usage"]["cost_usd"] <= 0.05) == ("budget", True)
        assert door.folded("outside").spend.usage == server.billed()
        assert any("of the budget of this run is spent" in notice for notice in door.folded("outside").notices)


def test_a_pause_holds_its_next_request_and_it_goes_on_afterwards(front):
    with serving_process(TALK) as server:
        door: Seat = front(outside("held"))
        door.env |= served(server.url)
        door.ok("start", "outside")
        count = wait_for(door, "count.txt")
        door.ok("pause", "outside")
        door.until("outside", "paused")
        size = count.stat().st_size
        assert size < 8
        door.ok("resume", "outside")
        assert door.until_ended("outside")["reason"] == "done"
        assert door.folded("outside").spend.model_calls == 8
    assert [one.how for one in turns(door)] == ["ended"]


def test_killed_it_leaves_nothing_behind(front):
    door: Seat = front(outside("linger"))
    door.ok("start", "outside")
    wait_for(door, "begun.txt")
    door.ok("kill", "outside", "--now")
    assert door.until_ended("outside")["reason"] == "human"
    tree = str(door.worktree("outside"))
    left = [one for one in psutil.process_iter() if _at(one, tree)]
    assert left == []


def test_what_fell_over_goes_on_with_its_session(front):
    door: Seat = front(outside("resumed"))
    said = door.run("start", "outside", "--wait")
    assert said.code == 0, said.err
    assert [(one.how, one.failure) for one in turns(door)] == [("failed", "server"), ("ended", None)]
    started = [one for one in door.events("outside") if isinstance(one, ae.AgentTurnStarted)]
    assert [one.resume for one in started] == ["", "s-7"]


def test_a_dead_runner_is_followed_by_one_that_goes_on(front):
    door: Seat = front(outside("linger", end={"max_wall": "20s"}))
    door.ok("start", "outside")
    wait_for(door, "begun.txt")
    door.slay("outside")
    (door.worktree("outside") / "begun.txt").unlink()
    door.ok("resume", "outside")
    wait_for(door, "begun.txt")
    lost = [one for one in door.events("outside") if isinstance(one, ev.ToolCallLost)]
    assert [one.tool for one in lost] == ["bash"]
    prompts = [one for one in door.trace("outside") if isinstance(one, tr.PromptSent) and one.role == "maker"]
    assert len(prompts) == 2
    assert any(part.name == "going on" for part in prompts[1].parts)
    door.ok("kill", "outside", "--now")
    door.until_ended("outside")


def test_an_agent_that_turns_in_circles_is_stopped(front):
    door: Seat = front(outside("circle", end={"max_iterations": 1}))
    assert door.run("start", "outside", "--wait").code == 10
    assert [one.how for one in turns(door)] == ["repeating"]
    assert door.folded("outside").iterations[0].maker == "repeating"


def test_what_it_says_of_its_own_spending_is_only_compared(front):
    door: Seat = front(outside("own_figures"))
    assert door.run("start", "outside", "--wait").code == 0
    noted = [one.text for one in door.trace("outside") if isinstance(one, tr.Noted)]
    assert sum("the agent says that its turn took 1000 in, 100 out, 5000 from the cache" in text for text in noted) == 1
    assert door.folded("outside").spend.usage == Usage()


def test_an_mcp_server_on_this_machine_is_within_its_reach_and_nothing_else_is(front):
    with serving_process(TALK) as server:
        port = server.url.rpartition(":")[2]
        files = outside("neighbour")
        path = ".loopdeck/loops/outside/loop.toml"
        files[path] += f'\n[[maker.connector]]\nname = "near"\nurl = "{server.url}/mcp"\n'
        door: Seat = front({**files, "port.txt": port})
        said = door.run("start", "outside", "--wait")
    assert said.code == 0, (said, door.log("outside"))
    assert "wrong" not in (door.worktree("outside") / "answer.txt").read_text("utf-8")


def test_whatever_it_prints_harms_nobody(front):
    door: Seat = front(outside("noisy"))
    assert door.run("start", "outside", "--wait").code == 0
    said = door.ok("trace", "outside").out
    assert "\x1b" not in said
    assert "\x07" not in said


@pytest.mark.usefixtures("without_walls")
def test_without_a_sandbox_its_start_waits_for_a_person(front):
    door: Seat = front(outside("keys"))
    door.ok("start", "outside")
    [waits] = door.until("outside", "asking")["approvals"]
    assert waits["tool"] == "bash"
    assert "agent.py keys" in waits["summary"]
    assert not (door.worktree("outside") / "answer.txt").exists()
    door.ok("approve", waits["id"])
    assert door.until_ended("outside")["reason"] == "done"


@pytest.mark.usefixtures("without_walls")
def test_a_no_reaches_it_as_a_note(front):
    door: Seat = front(outside("keys", end={"max_iterations": 1}))
    door.ok("start", "outside")
    [waits] = door.until("outside", "asking")["approvals"]
    door.ok("deny", waits["id"], "--why", "not this one")
    door.until("outside", "asking")
    parts = [one for one in door.trace("outside") if isinstance(one, tr.PromptSent) and one.role == "maker"][-1].parts
    [note] = [part for part in parts if part.name == "going on"]
    assert "not this one" in door.blob("outside", note.blob)


def test_a_program_that_is_not_there_is_said_with_its_name(front):
    files = outside("fix")
    path = ".loopdeck/loops/outside/loop.toml"
    files[path] = files[path].replace(f"{sys.executable} agent.py fix", "no-such-agent --print")
    door: Seat = front(files)
    assert door.run("start", "outside", "--wait").code == 14
    assert "no-such-agent" in door.glance("outside")["why"]


def test_an_acp_agent_that_is_not_there_is_said_on_one_line_with_what_to_do(front):
    files = outside("fix")
    path = ".loopdeck/loops/outside/loop.toml"
    files[path] = (
        files[path].replace('agent = "command"', 'agent = "acp"').replace(f"{sys.executable} agent.py fix", "no-such-agent --acp")
    )
    door: Seat = front(files)
    assert door.run("start", "outside", "--wait").code == 14
    assert door.glance("outside")["why"] == "there is no program 'no-such-agent'. Mend `command` in `[maker]`, or install it."


def _at(process: psutil.Process, tree: str) -> bool:
    try:
        return process.cwd().startswith(tree + os.sep) or process.cwd() == tree
    except (psutil.Error, OSError):
        return False
