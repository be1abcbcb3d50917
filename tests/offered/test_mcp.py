"""`loopdeck mcp` to the reference client: what an agent in a checkout, in a worktree, and inside a run can do with it."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from mcp import Client, StdioServerParameters

from loopdeck.core import asking
from loopdeck.core.asking import Answer, Ask
from loopdeck.core.memory import MOST
from loopdeck.offered.worktree import InWorktree, find
from tests.cli.loops import fixer
from tests.e2e.conftest import front
from tests.e2e.seat import Seat

__all__ = ["front"]
ARGS = ["-P", "-m", "loopdeck", "mcp"]


def client(folder, env=None, *more):
    """The reference client with `loopdeck mcp` started in `folder`."""
    words = " ".join([sys.executable, *ARGS, *more])
    return Client(
        StdioServerParameters(command="/bin/sh", args=["-c", f"cd '{folder}' && exec {words}"], env={**os.environ, **(env or {})})
    )


def said(result):
    """The text of a result, and whether it is an error."""
    return "\n".join(one.text for one in result.content), bool(result.is_error)


@pytest.fixture
def worktree(tmp_path):
    """What a run's worktree looks like from inside."""
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    (tmp_path / ".loop").mkdir()
    (tmp_path / ".loop/STATE.md").write_text("# State\n- [ ] open\n")
    (tmp_path / ".loop/FINDINGS.md").write_text("# Open findings\n\nNone.\n")
    (tmp_path / "deep/er").mkdir(parents=True)
    return tmp_path


@pytest.mark.req("S2-105")
def test_the_reference_client_reads_and_writes_the_state_in_a_worktree(worktree):
    async def work():
        async with client(worktree / "deep/er") as one:
            names = [tool.name for tool in (await one.list_tools()).tools]
            state, findings = said(await one.call_tool("state_read", {})), said(await one.call_tool("findings", {}))
            wrote = said(await one.call_tool("state_write", {"content": "# State\n- [x] done\n"}))
            too_much = said(await one.call_tool("state_write", {"content": "x" * (MOST + 1)}))
            wrong = said(await one.call_tool("state_write", {"text": "x"}))
            return names, state, findings, wrote, too_much, wrong

    names, state, findings, wrote, too_much, wrong = asyncio.run(work())
    assert names == ["state_read", "state_write", "findings", "ask_operator", "budget_left"]
    assert {f"loopdeck.{name}" for name in names} == asking.SERVED, "what the gate lets through is what is served"
    assert state == ("# State\n- [ ] open\n", False)
    assert findings == ("# Open findings\n\nNone.\n", False)
    assert not wrote[1]
    assert (worktree / ".loop/STATE.md").read_text() == "# State\n- [x] done\n"
    assert too_much[1]
    assert "more than the 32768" in too_much[0]
    assert wrong == ("state_write takes content, as text.", True)


def answering(folder, text, stop):
    """A runner that answers the first ask of each kind; it looks as a runner does, at the files."""
    while not stop.is_set():
        for path in folder.glob("ask-*.json"):
            answer = folder / asking.answer_name(path.name)
            if not answer.exists():
                ask = msgspec.json.decode(path.read_bytes(), type=Ask)
                answer.write_bytes(msgspec.json.encode(Answer(f"{text}: {ask.text or ask.kind}")))
        stop.wait(0.02)


def test_a_question_waits_for_its_answer_and_nobody_else_waits_for_it(worktree):
    stop = threading.Event()
    runner = threading.Thread(target=answering, args=(worktree / ".loop", "so it is", stop))

    async def work():
        async with client(worktree) as one:
            question = asyncio.ensure_future(one.call_tool("ask_operator", {"question": "Which?"}))
            state = await one.call_tool("state_read", {})
            assert not question.done(), "nobody has answered yet"
            runner.start()
            return said(state), said(await question), said(await one.call_tool("budget_left", {}))

    try:
        state, answer, budget = asyncio.run(work())
    finally:
        stop.set()
        runner.join()
    assert state[0].startswith("# State")
    assert answer == ("so it is: Which?", False)
    assert budget == ("so it is: budget", False)


def test_a_question_nobody_has_answered_is_one_question_however_often_it_is_asked(worktree):
    tool = {one.name: one for one in InWorktree(worktree, patience_s=0.2).tools()}["ask_operator"]
    assert "No answer yet" in tool.run({"question": "Which?"})
    assert "No answer yet" in tool.run({"question": "Which?"})
    [asked] = (worktree / ".loop").glob("ask-*.json")
    (worktree / ".loop" / asking.answer_name(asked.name)).write_bytes(msgspec.json.encode(Answer("that one")))
    assert tool.run({"question": "Which?"}) == "that one"


def test_links_in_the_loops_folder_lead_nowhere(worktree, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_text("secret")
    (worktree / ".loop/FINDINGS.md").unlink()
    (worktree / ".loop/FINDINGS.md").symlink_to(secret)

    async def work():
        async with client(worktree) as one:
            return said(await one.call_tool("findings", {}))

    text, failed = asyncio.run(work())
    assert failed
    assert "secret" not in text.replace("FINDINGS", "")


def test_only_a_runs_worktree_is_taken_for_one(worktree, tmp_path_factory):
    assert find(worktree / "deep") == worktree
    elsewhere = tmp_path_factory.mktemp("checkout")
    (elsewhere / ".git").mkdir()
    (elsewhere / ".loop").mkdir()
    (elsewhere / ".loop/STATE.md").write_text("x")
    assert find(elsewhere) is None


def test_odd_requests_get_one_answer_each(worktree):
    lines = [
        b"nonsense",
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": "two", "method": "server/discover"}',
        b'{"jsonrpc": "2.0", "method": "notifications/initialized"}',
        b'{"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "rm"}}',
        b'{"jsonrpc": "2.0", "id": 4, "method": "initialize", "params": {"protocolVersion": "1999-01-01"}}',
        b"",
    ]
    done = subprocess.run([sys.executable, *ARGS], input=b"\n".join(lines) + b"\n", cwd=worktree, capture_output=True, timeout=30)
    answers = {one["id"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert (done.returncode, done.stderr) == (0, b"")
    assert list(answers) == [None, 1, "two", 4, 3] or set(answers) == {None, 1, "two", 3, 4}
    assert answers[None]["error"]["code"] == -32700
    assert answers[1]["result"] == {}
    assert answers["two"]["error"]["code"] == -32601
    assert answers[3]["error"]["code"] == -32602
    assert answers[4]["result"]["protocolVersion"] == "2025-11-25"


def test_in_the_operators_checkout_a_state_is_merged_and_never_lost(front):
    door: Seat = front(fixer())
    door.done("fixer")
    path = Path(door.ok("state", "fixer", "--json").json["path"])

    async def work():
        async with client(door.repo, door.env, "--loop", "fixer") as one:
            names = [tool.name for tool in (await one.list_tools()).tools]
            unread = said(await one.call_tool("state_write", {"content": "mine"}))
            state = said(await one.call_tool("state_read", {}))[0]
            path.write_text(path.read_text().replace("## Learned\n", "## Learned\n\n- by hand\n", 1))
            wrote = said(await one.call_tool("state_write", {"content": state.replace("# State of fixer", "# State of the fixer")}))
            path.write_text(path.read_text().replace("# State of the fixer", "# By hand"))
            clash = said(await one.call_tool("state_write", {"content": state.replace("# State of fixer", "# By an agent")}))
            budget, findings = said(await one.call_tool("budget_left", {})), said(await one.call_tool("findings", {}))
            return names, unread, wrote, clash, budget, findings

    names, unread, wrote, clash, budget, findings = asyncio.run(work())
    assert "ask_operator" not in names
    assert unread[1]
    assert not wrote[1], wrote
    assert clash[1]
    text = path.read_text()
    assert "# By hand" in text
    assert "- by hand" in text
    assert "## Verdict" in text, "what the checks wrote is still there"
    assert "has ended: done" in budget[0]
    assert "no open findings" in findings[0]


def test_which_loop_is_meant_must_be_known(front):
    door: Seat = front(fixer(), fixer("other"))
    for words in ([], ["--loop", "nonesuch"]):
        done = door.run("mcp", *words)
        assert done.code == 2
        assert "fixer, other" in done.err
