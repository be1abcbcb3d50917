"""ACP agents as makers, against a fake one that misbehaves on demand."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.agents.outside import acp, acpcalls, acpquirks
from loopdeck.agents.outside.acp import AcpAgent
from loopdeck.agents.outside.port import Allowed, Denied, Ended, Server, Shown, Task
from loopdeck.core.usage import Usage
from loopdeck.errors import WorkspaceError
from tests.kit.outside_stage import Stage, arguments, fake, task

GATEWAY = {"gateway": "http://127.0.0.1:9/secret", "token": "tok"}


def made(folder: Path, mode: str, name: str, **more: object) -> Task:
    """A task of an agent of this name, which is the fake in this mode."""
    env = fake(folder, name, "fake_acp.py", FAKE=mode, FAKE_LOG=str(folder / "log"))
    given = task(folder, env, **more)
    (given.worktree / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    return given


def play(folder: Path, mode: str, answer=lambda call: Allowed(), name: str = "qwen", **more: object) -> tuple[Ended, Stage]:
    """One turn of it."""
    one = made(folder, mode, name, **more)
    stage = Stage(one.worktree, answering=answer)
    ended = asyncio.run(asyncio.wait_for(AcpAgent(f"{name} --acp", start_s=20).turn(one, stage), 40))
    assert not any(Path(f"/proc/{pid}").exists() for pid in stage.pids)
    return ended, stage


def told(folder: Path) -> list[dict[str, Any]]:
    """What the fake was sent."""
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def sent(folder: Path, method: str) -> list[dict[str, Any]]:
    """The parameters of one method's messages that it was sent."""
    return [one["params"] for one in told(folder) if one.get("method") == method]


def chosen(folder: Path) -> list[str]:
    """The options that were chosen, or `cancelled`."""
    outcomes = [one["result"]["outcome"] for one in told(folder) if "outcome" in one.get("result", {})]
    return [one.get("optionId", one["outcome"]) for one in outcomes]


def test_a_turn_from_end_to_end(tmp_path):
    ended, stage = play(tmp_path, "good", system="Be brief.")
    assert ended == Ended("ended", "Done.")
    assert stage.sessions == ["s1"]
    assert stage.texts == ["I look.", "Done."]
    assert [(call.id, call.tool, arguments(call)) for call in stage.asked] == [
        ("r1", "read_file", {"path": "calc.py"}),
        ("c1", "bash", {"command": "make test"}),
    ]
    assert stage.results == {"r1": ("def add", False), "c1": ("out", False)}
    assert chosen(tmp_path) == ["once", "once"]
    assert sent(tmp_path, "session/prompt")[0]["prompt"] == [{"type": "text", "text": "Be brief.\n\nFix it."}]
    assert sent(tmp_path, "initialize")[0]["clientCapabilities"]["fs"] == {"readTextFile": False, "writeTextFile": False}


@pytest.mark.parametrize(("name", "needs"), [("opencode", True), ("pi-acp", True), ("claude-agent-acp", False), ("gemini", False)])
def test_one_that_the_gateway_leads_by_its_model_is_not_started_without(tmp_path, name, needs):
    ended, stage = play(tmp_path, "good", name=name, model="", **GATEWAY)
    if needs:
        assert (ended.failure, ended.message) == (
            "request",
            f"{acpquirks.quirks_of((name,)).name} is told no model: write `model = …` into `[maker]`",
        )
    assert bool(stage.sessions) != needs


def test_it_is_put_into_the_mode_in_which_it_asks(tmp_path):
    play(tmp_path, "good")
    assert sent(tmp_path, "session/set_mode") == [{"sessionId": "s1", "modeId": "default"}]


def test_the_model_is_chosen_by_the_protocol_where_the_gateway_does_not_lead(tmp_path):
    play(tmp_path, "good", model="m2")
    assert sent(tmp_path, "session/set_model") == [{"sessionId": "s1", "modelId": "m2"}]


def test_a_model_that_it_does_not_have_is_told(tmp_path):
    _, stage = play(tmp_path, "good", model="m9")
    assert any("no model 'm9'" in note for note in stage.notes)


def test_servers_are_handed_on(tmp_path):
    servers = (Server("s", ("prog", "x"), {"A": "b"}), Server("u", url="http://127.0.0.1:1/mcp"))
    play(tmp_path, "good", name="opencode", servers=servers)
    assert sent(tmp_path, "session/new")[0]["mcpServers"] == [
        {"name": "s", "command": "prog", "args": ["x"], "env": [{"name": "A", "value": "b"}]},
        {"type": "http", "name": "u", "url": "http://127.0.0.1:1/mcp", "headers": []},
    ]


@pytest.mark.parametrize(("mode", "how"), [("stops", "denied"), ("goes_on", "ended")])
def test_a_denial_may_end_the_turn_or_not(tmp_path, mode, how):
    ended, stage = play(tmp_path, mode, lambda call: Denied("not on a Friday"))
    assert ended.how == how
    assert chosen(tmp_path) == ["no"]
    assert stage.results["c1"][1]
    assert ended.message == ("not on a Friday" if how == "denied" else "")


def test_a_denial_that_stops_cancels(tmp_path):
    ended, _ = play(tmp_path, "stops", lambda call: Denied("enough", stop=True))
    assert (ended.how, ended.message) == ("denied", "enough")
    assert chosen(tmp_path) == ["cancelled"]
    assert sent(tmp_path, "session/cancel") == [{"sessionId": "s1"}]


def test_an_edited_call_is_rejected_and_made_as_it_was_edited(tmp_path):
    edited = json.dumps({"command": "rm -r build/tmp"})
    ended, stage = play(tmp_path, "edited", lambda call: Allowed(edited))
    assert ended.how == "ended"
    assert chosen(tmp_path) == ["no", "once"]
    assert edited in sent(tmp_path, "session/prompt")[1]["prompt"][0]["text"]
    assert [call.id for call in stage.asked] == ["c1", "c1"]
    assert stage.results["c1"] == ("out", False)


def test_every_path_and_text_is_put_before_the_gate_or_nothing_is_written(tmp_path):
    _, stage = play(tmp_path, "files")
    assert [(call.id, call.tool, arguments(call)) for call in stage.asked] == [
        ("e1", "write_file", {"path": "new.txt", "content": "hello\n"}),
        (
            "e1:1",
            "edit_file",
            {"path": "calc.py", "old": "def add(a, b):\n    return a - b\n", "new": "def add(a, b):\n    return a + b\n"},
        ),
        ("e2", "edit_file", {"path": "calc.py", "old": "a - b", "new": "a + b"}),
        ("e5", "edit_file", {"path": "calc.py", "old": "def add(a, b):\n    return a - b\n", "new": ""}),
        ("r1", "read_outside", {"path": "/etc/passwd"}),
        ("x1", "qwen.web_fetch", {"url": "http://x"}),
    ]
    # Of e3 and e4 it does not say what would be written, or not of every place.
    assert chosen(tmp_path) == ["once", "once", "no", "no", "once", "once", "once"]


def test_what_it_does_not_say_properly_is_rejected_and_breaks_nothing(tmp_path):
    ended, stage = play(tmp_path, "strange")
    assert ended.how == "ended"
    assert [(call.id, arguments(call)) for call in stage.asked] == [("c2", {"command": "cd /tmp && git log"})]
    assert chosen(tmp_path) == ["no", "no", "cancelled"]
    assert {one["id"] for one in told(tmp_path) if "error" in one} == {"d", "e", "f", "g"}
    assert not (tmp_path / "tree/pwned").exists()
    assert [(call.id, call.tool) for call in stage.seen] == [("k1", "bash")]
    assert stage.results["k1"] == ("files", False)
    assert stage.texts == []


def test_a_loaded_session_is_not_heard_again(tmp_path):
    ended, stage = play(tmp_path, "figures", resume="s1")
    assert ended.how == "ended"
    assert sent(tmp_path, "session/load")[0]["sessionId"] == "s1"
    assert stage.texts == []
    assert stage.seen == []
    assert stage.used_in_all == Usage(80, 20, 120, 0)


@pytest.mark.parametrize("mode", ["forgetful", "unable"])
def test_a_session_that_is_gone_is_missing(tmp_path, mode):
    ended, stage = play(tmp_path, mode, resume="s1")
    assert (ended.how, ended.failure, stage.sessions) == ("failed", "missing", [])


@pytest.mark.parametrize(
    ("name", "usage"), [("gemini", Usage(70, 5)), ("codex-acp", Usage(50, 5, 20)), ("opencode", Usage()), ("qwen", Usage())]
)
def test_figures_are_read_where_each_agent_tells_them(tmp_path, name, usage):
    _, stage = play(tmp_path, "good", name=name)
    assert stage.used_in_all == usage


def test_a_cancelled_turn_with_nothing_reported(tmp_path):
    ended, stage = play(tmp_path, "cancelled", name="opencode")
    assert ended.how == "cancelled"
    assert stage.figures == {}


def test_stop_while_a_permission_is_open(tmp_path):
    one = made(tmp_path, "hold", "qwen")
    stage = Stage(one.worktree, answering=lambda call: None)

    async def run() -> None:
        turn = asyncio.ensure_future(AcpAgent("qwen --acp").turn(one, stage))
        while not stage.asked:
            await asyncio.sleep(0.01)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn

    asyncio.run(asyncio.wait_for(run(), 30))
    assert chosen(tmp_path) == ["cancelled"]
    assert sent(tmp_path, "session/cancel") == [{"sessionId": "s1"}]
    assert not Path(f"/proc/{stage.pids[0]}").exists()


@pytest.mark.parametrize(
    ("mode", "how", "failure", "words"),
    [
        ("exit", "failed", "cut", "no such option"),
        ("cut", "failed", "cut", "Segmentation fault"),
        ("rubbish", "failed", "malformed", "not its protocol"),
        ("version", "failed", "malformed", "version 9"),
        ("login", "failed", "auth", "log in"),
        ("busy", "failed", "overloaded", "529"),
        ("failing", "failed", "server", "Internal error"),
        ("odd", "failed", "malformed", "??"),
        ("budget", "budget", None, "loopdeck: this run's budget"),
        ("budget2", "budget", None, "loopdeck: this run's budget"),
        ("refusal", "refused", None, "refused"),
        ("turns", "max_turns", None, "limit"),
    ],
)
def test_whatever_goes_wrong_is_an_end_with_a_name(tmp_path, mode, how, failure, words):
    ended, _ = play(tmp_path, mode)
    assert (ended.how, ended.failure) == (how, failure)
    assert words in ended.message


def test_one_that_never_answers(tmp_path):
    one = made(tmp_path, "silent", "qwen")
    ended = asyncio.run(AcpAgent("qwen --acp", start_s=0.3).turn(one, Stage(one.worktree)))
    assert (ended.how, ended.failure) == ("failed", "timeout")


def test_a_result_of_a_megabyte_arrives_whole(tmp_path):
    _, stage = play(tmp_path, "big")
    assert len(stage.results["c1"][0]) == 1_000_000


def test_one_that_never_asks_is_asked_for_itself(tmp_path):
    ended, stage = play(tmp_path, "good", lambda call: Denied("no"), name="pi-acp")
    assert (ended.how, ended.message, stage.pids) == ("denied", "no", [])
    ended, stage = play(tmp_path, "good", name="unheard-of")
    assert (stage.asked[0].id, arguments(stage.asked[0])) == ("start", {"command": "unheard-of --acp"})
    assert stage.results["start"] == ("Done.", False)


def test_a_program_that_is_not_there(tmp_path):
    one = made(tmp_path, "good", "qwen")
    with pytest.raises(WorkspaceError, match="no program 'nowhere'"):
        asyncio.run(AcpAgent("nowhere acp").turn(one, Stage(one.worktree)))


@pytest.mark.parametrize("name", [one.words[0] for one in acpquirks.KNOWN if one.led])
def test_led_to_the_gateway_nothing_but_its_token_and_address_is_known(tmp_path, name):
    play(tmp_path, "good", name=name, model='odd"model', **GATEWAY)
    started = told(tmp_path)[0]
    texts = [*started["env"].values(), *started["argv"]]
    texts += [one.read_text() for one in (tmp_path / "home").rglob("*") if one.is_file()]
    assert any("http://127.0.0.1:9/secret" in one for one in texts)
    assert not [one for one in texts if "@gateway@" in one or "@token@" in one or "@model@" in one or "@home@" in one]
    assert started["env"]["HOME"].startswith(str(tmp_path / "home"))
    for one in texts:
        if one.startswith("{"):
            json.loads(one)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("opencode acp", "opencode"),
        ("/opt/x/gemini --acp", "gemini"),
        ("npx -y @zed-industries/codex-acp@2.6.0", "codex-acp"),
        ("npx @agentclientprotocol/claude-agent-acp", "claude"),
        ("vibe-acp", "acp"),
    ],
)
def test_agents_are_known_by_their_programs(command, name):
    assert acpquirks.quirks_of(tuple(command.split())).name == name


def test_whose_key_is_wanted():
    assert acp.vendor("opencode acp", "claude-sonnet-4-5") == "anthropic"
    assert acp.vendor("opencode acp", "gemini-2.5-pro") == "google"
    assert acp.vendor("opencode acp", "qwen3") == "openai"
    assert acp.vendor("gemini --acp", "whatever") == "google"
    assert acp.vendor("vibe-acp", "whatever") is None


def test_a_flag_of_the_operators_own_is_left(tmp_path):
    one = made(tmp_path, "good", "gemini", **GATEWAY)
    known = acpquirks.quirks_of(("gemini",))
    assert acp.arguments(known, ("gemini", "--acp"), one) == ("-m", "gpt-5")
    assert acp.arguments(known, ("gemini", "--acp", "-m", "x"), one) == ()


@given(st.integers(0, 9999), st.integers(0, 9999), st.integers(1, 9999), st.integers(0, 9999))
def test_figures_are_disjoint_whatever_the_agent_counts_into_its_input(fresh, read, write, output):
    disjoint = {"inputTokens": fresh, "outputTokens": output, "cachedReadTokens": read, "cachedWriteTokens": write}
    whole = fresh + read + write
    inclusive = disjoint | {"inputTokens": whole, "totalTokens": whole + output}
    expected = Usage(fresh, output, read, write)
    assert acpcalls.usage(disjoint | {"totalTokens": whole + output}) == expected
    assert acpcalls.usage(inclusive) == expected


@pytest.mark.parametrize(
    "told",
    [
        {"title": "kit_look_up", "kind": "other"},
        {"title": "x", "kind": "other", "_meta": {"toolName": "mcp__kit__look_up"}},
        {"title": "look_up (kit MCP Server)", "kind": "other"},
    ],
)
def test_a_servers_tool_by_whatever_name_is_the_servers(tmp_path, told):
    call = acpcalls.merged(acpcalls.merged({}, {"toolCallId": "1", **told}), {"title": "later", "rawInput": {"a": 1}})
    assert acpcalls.shown("opencode", tmp_path, call, ("kit",)) == (Shown("1", "kit.look_up", '{"a": 1}', native=told["title"]),)
    assert acpcalls.shown("opencode", tmp_path, call)[0].tool.startswith("opencode.")


def test_what_a_terminal_printed_is_the_output(tmp_path):
    call = acpcalls.merged({}, {"toolCallId": "1", "kind": "execute", "title": "make"})
    for meta in ({"terminal_output": {"data": "a\n"}}, {"terminal_output": {"data": "b\n"}}, {"terminal_exit": {"exit_code": 2}}):
        call = acpcalls.merged(call, {"toolCallId": "1", "status": "completed", "_meta": meta})
    assert acpcalls.outcome(call) == ("a\nb\n\n[exit code 2]", True)


def test_a_change_that_was_made_already_is_shown_as_what_changed(tmp_path):
    lines = [f"line {n}\n" for n in range(100)]
    old, new = "".join(lines), "".join([*lines[:50], "changed\n", *lines[51:]])
    (tmp_path / "x").write_text(new)
    diff = {"type": "diff", "path": str(tmp_path / "x"), "oldText": old, "newText": new}
    [shown] = acpcalls.shown("pi", tmp_path, {"toolCallId": "1", "kind": "edit", "content": [diff]})
    assert arguments(shown)["old"] == "".join(lines[47:54])


def test_an_option_that_does_more_is_not_taken():
    options = [{"optionId": one, "kind": "allow_once"} for one in ("proceed_once_and_auto", "x", "proceed_once")]
    assert acpcalls.plainest(options, "allow_once") == "proceed_once"
    assert acpcalls.plainest(options[:2], "allow_once") == "x"
    assert acpcalls.plainest(options, "allow_always") == ""


def test_a_failing_host_ends_the_turn(tmp_path):
    def raising(call: Shown) -> Allowed:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        play(tmp_path, "good", raising)
