"""The real Codex as a maker: a bug fixed, approvals obeyed, money held, nothing left. `pytest -m real_agents tests/real`."""

import json
import os
import random
import time
from pathlib import Path

import psutil
import pytest
import tomli_w

from loopdeck.core import agentevents as ae
from loopdeck.core import trace as tr
from loopdeck.core.conversation import Text
from tests.cli.loops import loop
from tests.e2e.seat import Seat
from tests.kit.model_process import serving_process
from tests.real import codex_model as model
from tests.real.claude_model import TEST
from tests.real.clis import bin_of
from tests.real.test_claude import KILLS, WALLS, calls, decide, left, turns

pytestmark = [pytest.mark.real_agents, pytest.mark.timeout(900)]
TALK = "tests.real.codex_model"
LOOPS = int(os.environ.get("LOOPDECK_TEST_LOOPS", "20"))


def mending(name="mend", **more):
    """A repository with a bug, and a loop that Codex is to mend it in."""
    given = {"checks": [{"name": "adds", "run": "python3 try_calc.py"}], "end": {"max_iterations": 1, "max_cost_usd": 5.0}} | more
    files = loop(name, [], maker={"agent": "codex", "model": "gpt-5", **given.pop("maker", {})}, **given)
    files.pop(f".loopdeck/loops/{name}/play.toml")
    path = f".loopdeck/loops/{name}/loop.toml"
    files[path] = files[path].replace('script = "play.toml"\n', "")
    return {**files, "calc.py": model.BROKEN, "try_calc.py": TEST}


def furnished(door: Seat, server, walls="bubblewrap") -> Seat:
    """A seat with Codex, and the server for its provider."""
    door.env |= {
        "PATH": f"{bin_of('codex')}:{door.env['PATH']}", "OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "the-real-key",
    }  # fmt: skip
    if walls == "none":
        door.env["LOOPDECK_SANDBOX"] = "none"
    return door


def seat(front, server, walls="bubblewrap", **more) -> Seat:
    """A seat before it."""
    return furnished(front(mending(**more)), server, walls)


@WALLS
@pytest.mark.req("S1-14", "S2-062")
def test_a_bug_is_mended_and_calls_are_allowed_edited_and_denied(front, walls):
    with serving_process(f"{TALK}:fixer") as server:
        door = seat(front, server, walls, gates={"allow": ["bash(cat)"], "ask": ["bash(python3)", "bash(rm)"]})
        door.ok("start", "mend")
        decide(door, "try_calc", "approve", "--edit", json.dumps({"command": "python3 -B try_calc.py"}))
        decide(door, "rm -rf", "deny", "--why", "it is needed")
        assert door.until_ended("mend", 60)["reason"] == "done"
        run = door.folded("mend")
        assert run.spend.usage == server.billed()
        assert (run.spend.model_calls, run.tool_calls) == (6, 3)
    assert [one.how for one in turns(door)] == ["ended"]
    assert [tool for tool, _ in calls(door)] == ["bash", "edit_file", "bash"]
    assert json.loads(calls(door)[-1][1]) == {"command": "python3 -B try_calc.py"}
    last = [one for one in door.trace("mend") if isinstance(one, tr.ModelReplied) and one.role == "maker"][-1]
    assert last.blocks == (Text("Mended: it adds now; all fine; not tidied."),)
    assert any(one.output.strip() == "all fine" for one in door.trace("mend") if isinstance(one, tr.ToolReturned))
    assert left(door) == []
    assert "the-real-key" not in door.ok("trace", "mend", "--json").out


@WALLS
@pytest.mark.req("S0-14")
def test_its_budget_is_hard_to_the_token(front, walls):
    with serving_process(f"{TALK}:spender") as server:
        door = seat(front, server, walls, gates={"allow": ["bash"]}, end={"max_iterations": 3, "max_cost_usd": 0.2})
        assert door.run("start", "mend", "--wait", timeout=200).code == 11
        entry = door.glance("mend")
        assert (entry["reason"], entry["usage"]["cost_usd"] <= 0.2) == ("budget", True)
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


def test_a_dead_runner_leaves_nothing_that_goes_on_and_the_next_one_resumes(front):
    with serving_process(f"{TALK}:slow") as server:
        door = seat(front, server, checks=[{"name": "steps", "run": "test $(wc -l < steps.txt) -ge 5"}])
        door.ok("start", "mend")
        door.wait("mend", lambda seen: bool(seen.run.worktree) and (Path(seen.run.worktree) / "steps.txt").exists(), 60)
        door.slay("mend")
        door.ok("resume", "mend")
        door.until_ended("mend", 60)
        started = [one for one in door.events("mend") if isinstance(one, ae.AgentTurnStarted)]
        assert started[1].resume
        assert started[1].resume == next(one.session for one in door.events("mend") if isinstance(one, ae.AgentSessionNamed))
    assert left(door) == []


def test_an_approval_outlives_its_process(front):
    with serving_process(f"{TALK}:mender") as server:
        door = seat(front, server, gates={"ask": ["bash(python3)"]})
        door.ok("start", "mend")
        door.until("mend", "asking", patience_s=60)
        deadline = time.monotonic() + 120
        while left(door):
            assert time.monotonic() < deadline, "a loop that waits for a person still holds its agent"
            time.sleep(1)
        [waits] = door.glance("mend")["approvals"]
        door.ok("approve", waits["id"])
        assert door.until_ended("mend", 90)["reason"] == "done"
        assert door.folded("mend").spend.usage == server.billed()
    assert [one.how for one in turns(door)] == ["let_go", "ended"]


@WALLS
def test_settings_in_the_worktree_start_nothing(front, tmp_path, walls):
    proof = tmp_path / "proof"
    evil = {"mcp_servers": {"evil": {"command": "touch", "args": [str(proof), "in-the-worktree"]}}}
    with serving_process(f"{TALK}:idle") as server:
        door = furnished(front({".codex/config.toml": tomli_w.dumps(evil)}, mending(checks=[{"run": "true"}])), server, walls)
        assert door.run("start", "mend", "--wait").code == 0
        assert not (Path(door.folded("mend").worktree) / "in-the-worktree").exists()
    assert not proof.exists()


def test_nothing_is_typed_into_a_command_that_was_allowed(front):
    with serving_process(f"{TALK}:typist") as server:
        door = seat(front, server, checks=[{"run": "true"}], gates={"allow": ["bash"]})
        assert door.run("start", "mend", "--wait").code == 0
        typed = Path(door.folded("mend").worktree) / "typed.txt"
        assert not typed.exists() or not typed.read_text()
    assert calls(door) == [("bash", json.dumps({"command": "cat > typed.txt"}))]


@pytest.mark.req("S3-09")
@WALLS
def test_killed_at_any_moment_it_leaves_nothing(front, walls):
    rng = random.Random(11)
    with serving_process(f"{TALK}:slow") as server:
        end = {"max_iterations": 9, "max_cost_usd": 50.0}
        door = seat(front, server, walls, gates={"allow": ["bash"]}, checks=[{"run": "false"}], end=end)
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


def test_many_at_once_are_all_done(front):
    names = [f"mend-{number}" for number in range(LOOPS)]
    files = {path: text for name in names for path, text in mending(name).items()}
    with serving_process(f"{TALK}:mender") as server:
        door = furnished(front(files, {".loopdeck/deck.toml": f"[deck]\nmax_runs = {LOOPS}\n"}), server)
        begun = time.monotonic()
        door.ok("start", *names)
        sizes: dict[str, list[int]] = {"codex": [], "node": [], "runner": []}
        slowest, most = 0.0, 0
        while not all(door.view(name).status == "ended" for name in names):
            asked = time.monotonic()
            entries = door.deck.document()
            slowest = max(slowest, time.monotonic() - asked)
            assert entries
            found = memory()
            most = max(most, len(found["codex"]))
            for kind, values in found.items():
                sizes[kind] += values
            assert time.monotonic() < begun + 600
            time.sleep(0.2)
        took = time.monotonic() - begun
        assert [door.glance(name)["reason"] for name in names] == ["done"] * LOOPS
        total = sum((door.folded(name).spend.usage for name in names[1:]), door.folded(names[0]).spend.usage)
        assert total == server.billed()
    mean = {kind: sum(values) / max(1, len(values)) / 1e6 for kind, values in sizes.items()}
    parts = f"{mean['codex']:.0f} MB a codex, {mean['node']:.0f} MB its starter, {mean['runner']:.0f} MB a runner (PSS)"
    told = f"{LOOPS} loops in {took:.0f} s, up to {most} agents at once: {parts}; the deck read in at most {slowest * 1000:.0f} ms"
    print(told)  # noqa: T201 - figures for whoever asked


def memory() -> dict[str, list[int]]:
    """The proportional sizes of what runs now, in bytes."""
    sizes: dict[str, list[int]] = {"codex": [], "node": [], "runner": []}
    for one in psutil.process_iter(["cmdline", "name"]):
        line, name = one.info["cmdline"] or [], one.info["name"]
        kind = name if name in ("codex", "node") and "app-server" in line else "runner" if "loopdeck.runner" in line else ""
        if kind:
            try:
                sizes[kind].append(one.memory_full_info().pss)
            except (psutil.Error, OSError):
                continue
    return sizes
