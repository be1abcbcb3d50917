"""MCP servers of a maker in whole runs: offered, gated, counted, traced; gone wrong, changed under it, never left behind."""

import json
import socket
import sys
from pathlib import Path

import psutil
import pytest

from loopdeck.core import trace as tr
from tests.cli.loops import loop, turn
from tests.connectors.conftest import HOSTILE, ROOT, serving
from tests.e2e.seat import Seat
from tests.kit.walled import walled

NEVER = [{"name": "never", "run": "test -f never"}]
TWO = {"max_iterations": 2, "no_progress": False}
HONEST = "kit_server.py"
ALLOWED = {"allow": ["docs.*"]}


def connected(turns, *servers, **more):
    """A loop with connectors."""
    return loop("said", turns, maker={"connector": list(servers)}, **more)


def hostile(how, **more):
    """A server that misbehaves, as the loop file has it; its script lies in the repository, where every sandbox shows it."""
    return {"name": "docs", "command": f"{sys.executable} -S hostile.py '{how}' .loop/starts", **more}


FILES = {"hostile.py": HOSTILE.read_text("utf-8"), HONEST: (ROOT / "tests/kit/mcp_server.py").read_text("utf-8")}
KIT = {"name": "docs", "command": f"{sys.executable} {HONEST}"}


def outputs(door):
    return [one.output for one in door.trace("said") if isinstance(one, tr.ToolReturned)]


def left_behind(name):
    """Processes that still run a server's script."""
    return [one for one in psutil.process_iter(["cmdline"]) if any(name in word for word in one.info["cmdline"] or ())]


@pytest.mark.req("S2-057", "S2-105", "S0-14")
def test_a_makers_connector_is_called_through_gate_budget_and_trace(front):
    turns = [
        turn("Looks.", ("docs.look_up", {"word": "loop"}), ("docs.add", {"a": 1, "b": 2})),
        turn("Notes.", ("docs.note", {"text": "x"}), ("docs.fail", {}), ("docs.nonesuch", {})),
        turn("Done."),
    ]
    gates = {"allow": ["docs.*"], "deny": ['docs.add({"a": 1})']}
    door: Seat = front(connected(turns, {**KIT, "tools": ["look_up", "add", "note"]}, gates=gates), FILES)
    run = door.done("said")
    looked, added, noted, failed, unknown = outputs(door)
    assert looked == "handbook.md:12: loop means what it says"
    assert "Not run" in added
    assert str(door.worktree("said")) in noted
    assert (door.worktree("said") / "note.txt").read_text() == "x"
    assert "There is no tool 'docs.fail'" in failed, "the loop's list of its tools leaves it out"
    assert "docs.add, docs.look_up, docs.note" in unknown
    assert (run.spend.tool_calls, run.iterations[0].files) == (2, 1)
    pins = json.loads((door.paths("said").dir / "connectors.json").read_text())
    assert [one["tool"] for one in pins["docs"]["offers"]] == ["add", "look_up", "note"]
    assert left_behind(str(door.worktree("said"))) == []


def test_without_a_rule_a_connector_asks_where_no_sandbox_holds_it(front, without_walls):
    door: Seat = front(connected([turn("Looks.", ("docs.look_up", {"word": "loop"})), turn("Done.")], KIT), FILES)
    door.ok("start", "said")
    [waits] = door.until("said", "asking")["approvals"]
    assert (waits["tool"], waits["summary"]) == ("docs.look_up", '{"word": "loop"}')
    door.ok("approve", waits["id"], "--edit", '{"word": "deck"}')
    door.until_ended("said")
    assert outputs(door) == ["handbook.md:12: deck means what it says"]


@walled
def test_in_the_sandbox_a_connector_needs_no_question_and_leaves_nothing_outside(front):
    touch = f"{sys.executable} {HONEST}; touch {Path.home()}/loopdeck-was-here"
    door: Seat = front(connected([turn("L.", ("docs.look_up", {"word": "a"})), turn("D.")], {**KIT, "command": touch}), FILES)
    door.done("said")
    assert outputs(door) == ["handbook.md:12: a means what it says"]
    assert not (Path.home() / "loopdeck-was-here").exists()


def test_a_server_over_http_asks_for_no_sandbox_holds_its_calls(front, tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server")) as url:
        turns = [turn("Adds.", ("web.add", {"a": 20, "b": 3})), turn("Done.")]
        door: Seat = front(connected(turns, {"name": "web", "url": url}))
        door.ok("start", "said")
        [waits] = door.until("said", "asking")["approvals"]
        assert waits["tool"] == "web.add"
        door.allow("said")
        door.until_ended("said")
    assert outputs(door) == ["23"]


@pytest.mark.req("S0-14")
def test_calls_of_a_connector_count_against_the_tool_call_budget(front):
    def calls(iteration):
        return [turn(f"{n}", ("docs.echo", {"text": f"{n}"}), iteration=iteration) for n in range(4)]

    door: Seat = front(
        connected([*calls(1), *calls(2)], hostile("chatty"), gates=ALLOWED, checks=NEVER, end={"max_tool_calls": 2}), FILES
    )
    door.ended("said", 11)
    assert outputs(door)[:2] == ["0", "1"]


def test_a_server_that_fails_in_a_call_is_said_to_the_maker_and_started_anew(front):
    turns = [turn(f"{n}", ("docs.echo", {"text": f"{n}"})) for n in range(1, 6)]
    door: Seat = front(connected([*turns, turn("Done.")], hostile("dies"), gates=ALLOWED), FILES)
    run = door.done("said")
    said = outputs(door)
    assert "ended with exit code 1: fatal: 1" in said[0]
    assert "Whether the call had an effect is not known" in said[1]
    assert [("3 times in a row. Go on without it" in one) for one in said] == [False, False, False, True, True]
    assert (door.worktree("said") / ".loop/starts").read_text() == "3"
    assert [one for one in run.notices if "connector docs failed 3 times in a row" in one]
    assert left_behind(str(door.worktree("said"))) == []


def test_a_run_stands_still_for_a_connector_that_can_not_be_had_and_goes_on_once_it_can(front, tmp_path):
    flags = tmp_path / "flags"
    flags.mkdir()
    command = f"test -f {flags}/mended && exec {sys.executable} -S hostile.py chatty; no-such-program-here"
    turns = [turn("Says.", ("docs.echo", {"text": "x"})), turn("Done.")]
    server = {"name": "docs", "command": command}
    door: Seat = front(connected(turns, server, gates=ALLOWED, sandbox={"read": [str(flags)]}), FILES)
    door.ok("start", "said")
    door.until("said", "paused")
    run = door.folded("said")
    assert "the connector docs can't be had: its program ended with exit code 127" in run.stalled
    assert not run.spend.model_calls, "nothing was spent without it"
    (flags / "mended").touch()
    door.ok("resume", "said")
    assert door.until_ended("said")["reason"] == "done"
    assert outputs(door) == ["x"]


@pytest.mark.req("S2-057")
def test_a_tool_that_changes_under_a_run_is_not_run_by_the_old_allowance(front):
    one = turn("1", ("docs.echo", {"text": "one"}), iteration=1)
    again = [turn("2", ("docs.echo", {"text": "two"}), iteration=2), turn("3", ("docs.echo", {"text": "three"})), turn("Done.")]
    door: Seat = front(
        connected([one, turn("Done."), *again], hostile("rug pull"), gates=ALLOWED, checks=NEVER, end=TWO), FILES
    )  # fmt: skip
    door.ok("start", "said")
    [waits] = door.until("said", "asking")["approvals"]
    said = outputs(door)
    assert said[0] == "one"
    assert "Not run: its server describes docs.echo differently than when the run began" in said[1]
    assert (waits["tool"], waits["summary"]) == ("docs.echo", '{"text": "three"}')
    [entry] = door.ok("approvals", "--json").json["approvals"]
    assert "describes docs.echo differently" in entry["reason"]
    door.ok("deny", waits["id"], "--why", "it asks for keys")
    door.until_ended("said")
    assert "it asks for keys" in outputs(door)[2]
    assert any("lists other tools than when the run began: echo" in notice for notice in door.folded("said").notices)


def test_a_server_that_says_something_else_than_to_the_last_run_is_named(front):
    turns = [turn("1", ("docs.echo", {"text": "one"})), turn("Done.")]
    door: Seat = front(connected(turns, hostile("chatty"), gates=ALLOWED), FILES)
    assert not any("otherwise" in notice for notice in door.done("said").notices)
    first = door.paths("said").run
    assert not any("otherwise" in notice for notice in door.done("said").notices)
    file = door.repo / ".loopdeck/loops/said/loop.toml"
    file.write_text(file.read_text().replace("'chatty'", "'other words'"))
    second = door.paths("said").run
    [notice] = [one for one in door.done("said").notices if "otherwise" in one]
    assert notice == f"connector docs describes tools otherwise than in run {second}, or anew: echo"
    assert first < second


def test_what_a_liar_lists_is_said_and_left_out(front):
    door: Seat = front(connected([turn("1", ("docs.echo", {"text": "one"})), turn("Done.")], hostile("liar"), gates=ALLOWED), FILES)
    run = door.done("said")
    assert outputs(door) == ["one"]
    assert len([one for one in run.notices if one.startswith("connector docs:")]) == 12


def test_a_hanging_server_holds_up_neither_a_pause_nor_an_end(front):
    door: Seat = front(connected([turn("1", ("docs.echo", {"text": "one"})), turn("Done.")], hostile("hangs"), gates=ALLOWED), FILES)
    door.ok("start", "said")
    door.wait("said", lambda seen: any(isinstance(one, tr.ToolCalled) for one in door.trace("said")))
    tree = str(door.worktree("said"))
    door.ok("kill", "said", "--why", "enough")
    assert door.until_ended("said")["reason"] == "human"
    assert left_behind(tree) == []


def test_a_runner_that_was_slain_goes_on_with_the_pinned_tools(front):
    first, last = turn("1", ("docs.echo", {"text": "one"})), turn("3", ("docs.echo", {"text": "three"}))
    turns = [first, turn("2", ("bash", {"command": "true"})), last, turn("Done.")]
    gates = {"allow": ["docs.echo"], "ask": ["bash"]}
    door: Seat = front(connected(turns, hostile("chatty"), gates=gates), FILES)
    door.ok("start", "said")
    door.until("said", "asking")
    door.slay("said")
    door.ok("resume", "said")
    door.until("said", "asking")
    door.allow("said")
    door.until_ended("said")
    assert [one.strip() for one in outputs(door)][::2] == ["one", "three"]
    assert left_behind(str(door.worktree("said"))) == []


def test_doctor_and_check_tell_of_connectors(front):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/mcp"
    servers = [{"name": "a", "command": "no-such-program --x"}, {"name": "b", "url": url}, KIT]
    door: Seat = front(connected([turn("Done.")], *servers), FILES)
    told = door.ok("doctor", "--json").json["deck"]["connectors"]
    assert [(one["loop"], one["name"], one["found"]) for one in told] == [
        ("said", "a", False),
        ("said", "b", None),
        ("said", "docs", True),
    ]
    assert "no-such-program is not on the PATH" in door.ok("doctor").out
    checked = door.run("check", "said")
    assert checked.code == 0
    assert "connector 'a': there is no program 'no-such-program' on the PATH" in checked.out
