"""Claude Code as a maker, against a fake one that misbehaves on demand."""

import asyncio
import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest

from loopdeck.agents.outside import claudeturn
from loopdeck.agents.outside.claude import ClaudeAgent, argv, environment
from loopdeck.agents.outside.port import Allowed, Denied, Ended, Server, Shown
from loopdeck.core.usage import Usage
from loopdeck.sandbox import family
from loopdeck.sandbox.plain import PlainDoor
from loopdeck.sandbox.port import Command
from tests.kit.outside_stage import Stage, arguments, fake, task
from tests.sandbox.test_contract import nap, running

GATEWAY = {"gateway": "http://127.0.0.1:9/secret", "token": "tok"}
ONE = Usage(10, 20, 100, 5)
"""What a reply of the fake takes."""


class Staged(Stage):
    """A stage whose programs go through a door."""

    def open(self, argv, env):
        return PlainDoor(self.run, grace_s=0.6).open(Command(argv, self.tree, env, 60, role="agent"))

    @property
    def run(self) -> str:
        """The marks of its processes."""
        return f"claude-{self.tree}"

    def left(self) -> list[int]:
        """Processes that are still there."""
        return list(family.members(family.Mark(self.run)))


def given_to(folder: Path, mode: str, **more: object) -> Any:
    env = fake(folder, "claude", "fake_claude.py", FAKE=mode, FAKE_LOG=str(folder / "log"), FAKE_NAP=str(more.pop("nap", "1")))
    return task(folder, env, **(GATEWAY | {"model": "m-1"} | more))


def play(
    folder: Path, mode: str, answering=lambda call: Allowed(), *, delay_s=0.0, start_s=20.0, **more: object
) -> tuple[Ended, Stage]:
    """One turn of the fake in this mode."""
    given = given_to(folder, mode, **more)
    stage = Staged(given.worktree, answering=answering, delay_s=delay_s)
    ended = asyncio.run(asyncio.wait_for(ClaudeAgent(start_s=start_s).turn(given, stage), 40))
    assert stage.left() == []
    return ended, stage


def told(folder: Path) -> list[dict[str, Any]]:
    """What the fake wrote down, what it was sent first of all."""
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def noted(folder: Path, key: str) -> list[Any]:
    return [one[key] for one in told(folder) if key in one]


def decisions(folder: Path) -> list[dict[str, Any]]:
    """How its hooks and permission requests were answered."""
    replies = [one["response"]["response"] for one in told(folder) if one.get("type") == "control_response"]
    return [one.get("hookSpecificOutput", one) for one in replies]


def test_a_turn_from_end_to_end(tmp_path):
    ended, stage = play(tmp_path, "good")
    assert ended == Ended("ended", "Done.")
    assert [(call.tool, arguments(call), call.native) for call in stage.asked] == [
        ("read_file", {"path": "calc.py"}, "Read"),
        ("bash", {"command": "make test", "timeout_s": 5}, "Bash"),
    ]
    assert stage.results == {"c1": ("Read ran", False), "c2": ("Bash ran", False)}
    assert stage.texts == ["I use Read.", "I use Bash.", "Done."]
    assert (stage.seen, stage.notes) == ([], [])
    [started] = noted(tmp_path, "argv")
    assert stage.sessions == [started[started.index("--session-id") + 1]]


def test_what_it_is_started_with(tmp_path):
    given = task(
        tmp_path, {"PATH": "p", "ANTHROPIC_AUTH_TOKEN": "x", "CLAUDE_CODE_USE_BEDROCK": "1"}, system="Be kind.", model="m-1",
        max_requests=7, max_cost_usd=1.5, schema="{}", servers=(Server("s", ("a",)),), **GATEWAY,
    )  # fmt: skip
    line = argv(given)
    assert " ".join(line).startswith("claude -p --input-format stream-json --output-format stream-json --verbose")
    pairs = dict(itertools.pairwise(line))
    assert pairs["--permission-prompt-tool"] == "stdio"
    assert pairs["--setting-sources"] == "user"
    assert "--strict-mcp-config" in line
    assert not [word for word in line if "dangerously" in word]
    assert "WebSearch" not in pairs["--tools"]
    assert (pairs["--max-turns"], pairs["--model"], pairs["--json-schema"]) == ("7", "m-1", "{}")
    assert "--max-budget-usd" not in line
    assert pairs["--append-system-prompt-file"] == str(given.home / "system.md")
    env = environment(given)
    assert (env["ANTHROPIC_BASE_URL"], env["ANTHROPIC_API_KEY"]) == (GATEWAY["gateway"], "tok")
    assert env["CLAUDE_CONFIG_DIR"] == str(given.home / "claude")
    assert env["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] == env["DISABLE_AUTOUPDATER"] == "1"
    assert not {"ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK"} & env.keys()


def test_by_its_own_login_it_has_the_operators_settings_and_no_gateway(tmp_path):
    given = task(tmp_path, {"PATH": "p", "HOME": "/h"}, max_cost_usd=1.5)
    assert argv(given)[-2:] == ("--max-budget-usd", "1.500000")
    env = environment(given)
    assert "CLAUDE_CONFIG_DIR" not in env
    assert "ANTHROPIC_BASE_URL" not in env


def test_its_system_prompt_and_its_servers_are_given_as_files(tmp_path):
    servers = (Server("one two", ("prog", "a"), {"K": "v"}), Server("far", url="http://127.0.0.1:1/mcp"))
    play(tmp_path, "refused", system="Be kind.", servers=servers)
    assert (tmp_path / "home/system.md").read_text() == "Be kind."
    assert json.loads((tmp_path / "home/servers.json").read_text())["mcpServers"] == {
        "one two": {"type": "stdio", "command": "prog", "args": ["a"], "env": {"K": "v"}},
        "far": {"type": "http", "url": "http://127.0.0.1:1/mcp"},
    }


def test_a_denied_call_does_not_run_and_the_agent_is_told_why(tmp_path):
    ended, stage = play(tmp_path, "denied", lambda call: Denied("not on a Friday"))
    # It says "success" all the same, and so it is: the turn went on without the call.
    assert ended == Ended("ended", "Then not.")
    assert noted(tmp_path, "ran") == []
    assert decisions(tmp_path)[0]["permissionDecision"] == "deny"
    assert decisions(tmp_path)[0]["permissionDecisionReason"] == "not on a Friday"
    assert stage.notes == []


def test_a_denial_may_end_the_turn(tmp_path):
    ended, _ = play(tmp_path, "denied", lambda call: Denied("enough", stop=True))
    assert ended == Ended("denied", "I use Bash.", message="enough")
    assert decisions(tmp_path)[-1] == {"behavior": "deny", "message": "enough", "interrupt": True}


@pytest.mark.parametrize("slow", [False, True], ids=["by a rule", "by a person"])
def test_edited_arguments_take_the_place_of_its_own(tmp_path, slow, monkeypatch):
    monkeypatch.setattr(claudeturn, "DECIDES_S", 0.05)
    edited = json.dumps({"command": "rm x", "timeout_s": 7})
    play(tmp_path, "good", lambda call: Allowed(edited if call.tool == "bash" else ""), delay_s=0.3 if slow else 0)
    assert noted(tmp_path, "input")[-1] == {"command": "rm x", "description": "Test it", "timeout": 7000}
    assert (decisions(tmp_path)[-1].get("behavior") == "allow") is slow


@pytest.mark.parametrize("slow", [False, True], ids=["by a rule", "by a person"])
def test_an_edit_that_makes_no_sense_does_not_run(tmp_path, slow, monkeypatch):
    monkeypatch.setattr(claudeturn, "DECIDES_S", 0.05)
    _, stage = play(tmp_path, "good", lambda call: Allowed('{"cmd": 1}' if call.tool == "bash" else ""), delay_s=0.3 if slow else 0)
    assert [one["ran"] for one in told(tmp_path) if "ran" in one] == ["Read"]
    assert stage.results["c2"][1] is True


def test_a_person_is_waited_for_in_the_permission_request_and_not_in_the_hook(tmp_path, monkeypatch):
    monkeypatch.setattr(claudeturn, "DECIDES_S", 0.05)
    ended, stage = play(tmp_path, "good", delay_s=0.6)
    assert ended.how == "ended"
    assert len(stage.asked) == 2
    assert [one.get("permissionDecision") or one.get("behavior") for one in decisions(tmp_path)] == ["ask", "allow", "ask", "allow"]
    assert decisions(tmp_path)[1]["updatedInput"] == {"file_path": f"{tmp_path}/tree/calc.py"}


def test_a_call_that_is_another_one_by_the_time_it_asks_is_denied(tmp_path, monkeypatch):
    monkeypatch.setattr(claudeturn, "DECIDES_S", 0.05)
    _, stage = play(tmp_path, "changed", delay_s=0.2)
    [reply] = noted(tmp_path, "reply")
    assert reply["behavior"] == "deny"
    assert [arguments(call) for call in stage.asked] == [{"command": "ls"}]


def test_what_it_did_without_asking_is_written_down_and_what_it_never_did_is_not(tmp_path):
    _, stage = play(tmp_path, "unasked")
    assert stage.asked == []
    assert [(call.id, call.tool, arguments(call)) for call in stage.seen] == [("c1", "bash", {"command": "echo hi"})]
    assert stage.results == {"c1": ("hi\n[image]", False)}
    assert any("Edit" in note and "did not run" in note for note in stage.notes)


def test_what_it_refused_itself_is_said(tmp_path):
    ended, stage = play(tmp_path, "self_denied")
    assert ended.how == "ended"
    assert any("refused a call by itself: Bash" in note for note in stage.notes)


def test_its_own_bookkeeping_asks_nobody_and_nothing_else_passes_for_it(tmp_path):
    _, stage = play(tmp_path, "bookkeeping", lambda call: Denied("no"))
    assert noted(tmp_path, "decided") == ["allow", "allow", "deny"]
    assert [(call.tool, call.id) for call in stage.asked] == [("read_outside", "c3")]
    assert [call.native for call in stage.seen] == ["TodoWrite", "Read"]


def test_a_request_that_it_takes_back_is_answered_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(claudeturn, "DECIDES_S", 0.05)
    ended, _ = play(tmp_path, "taken_back", lambda call: None)
    assert ended.how == "ended"
    assert [one.get("permissionDecision") for one in decisions(tmp_path)] == ["ask"]


def test_what_it_may_not_ask_for_is_refused(tmp_path):
    ended, stage = play(tmp_path, "odd_requests")
    assert ended.how == "ended"
    replies = noted(tmp_path, "reply")
    assert replies[0]["error"]
    assert replies[1] == {"action": "cancel"}
    assert len(stage.notes) == 2


# What it took


def test_usage_is_taken_from_the_end_of_each_reply_and_once(tmp_path):
    _, stage = play(tmp_path, "good")
    assert list(stage.figures.values()) == [("m-1", ONE)] * 3


def test_figures_that_come_more_than_once_are_counted_once(tmp_path):
    _, stage = play(tmp_path, "twice")
    assert stage.figures == {"msg_1": ("m-1", Usage(11, 9, 100, 5))}


def test_replies_of_sub_agents_are_told_apart(tmp_path):
    _, stage = play(tmp_path, "lanes")
    assert stage.figures == {"msg_s": ("m-1", Usage(10, 3, 7, 5)), "msg_1": ("m-1", Usage(10, 4, 100, 5))}


@pytest.mark.parametrize("mode", ["resumed", "old_account"])
def test_usage_is_not_counted_again_after_resuming(tmp_path, mode):
    ended, stage = play(tmp_path, mode, resume="11111111-2222-4333-8444-555555555555")
    assert ended.how == "ended"
    assert stage.used_in_all == ONE
    [started] = noted(tmp_path, "argv")
    assert "--session-id" not in started
    assert started[started.index("--resume") + 1] == stage.sessions[0] == "11111111-2222-4333-8444-555555555555"


def test_a_reply_that_was_cut_off_is_not_for_nothing(tmp_path):
    _, stage = play(tmp_path, "cut")
    assert stage.figures["msg_1"] == ("m-1", Usage(10, 100, 100, 5))
    assert stage.figures["msg_2"] == ("m-1", ONE)


def test_a_reply_without_figures_is_estimated(tmp_path):
    _, stage = play(tmp_path, "no_figures")
    assert stage.figures["msg_1"] == ("m-1", Usage(10, 25, 0, 5))


def test_replies_in_one_piece_are_known_from_the_account_at_the_end(tmp_path):
    _, stage = play(tmp_path, "unstreamed")
    assert stage.figures == {"res-1:rest": ("m-1", Usage(500, 50, 1, 2))}


# How it ends


@pytest.mark.parametrize(
    ("mode", "how", "failure", "says"),
    [
        ("exits", "failed", "cut", "ended in the middle of the turn (exit code 3)"),
        ("dies", "failed", "cut", "exit code 137): out of memory"),
        ("rubbish", "failed", "malformed", "is it the right program"),
        ("refuses", "failed", "request", "no hooks here"),
        ("retries", "failed", "overloaded", "529"),
        ("login", "failed", "auth", "Please run /login"),
        ("execution", "failed", "server", "the disk is full"),
        ("strange", "failed", "server", "error_of_another_kind"),
        ("form", "failed", "malformed", "no answer of the form"),
        ("gateway", "budget", None, "loopdeck: the budget of this run"),
        ("gateway_other", "failed", "request", "loopdeck: this key"),
        ("turns", "max_turns", None, "limit of turns"),
        ("budget", "budget", None, "limit of cost"),
        ("refused", "refused", None, "refused"),
    ],
)
def test_an_end_is_told_for_what_it_was(tmp_path, mode, how, failure, says):
    ended, _ = play(tmp_path, mode)
    assert (ended.how, ended.failure) == (how, failure)
    assert says in ended.message


def test_one_that_never_answers_is_given_up(tmp_path):
    ended, _ = play(tmp_path, "silent", start_s=0.5)
    assert (ended.how, ended.failure) == ("failed", "timeout")
    assert "did not answer `initialize`" in ended.message


@pytest.mark.parametrize(("confined", "says"), [(True, 'write = ["~/.claude"'), (False, "log in with `claude`")])
def test_without_key_and_login_it_is_said_what_to_do(tmp_path, confined, says):
    ended, _ = play(tmp_path, "login", gateway="", token="", confined=confined)
    assert ended.failure == "auth"
    assert says in ended.message


def test_a_session_that_is_gone_is_told_apart(tmp_path):
    ended, stage = play(tmp_path, "missing", resume="11111111-2222-4333-8444-555555555555")
    assert (ended.how, ended.failure) == ("failed", "missing")
    assert stage.sessions == []
    ended, _ = play(tmp_path, "missing")
    assert ended.failure == "cut"


def test_lines_that_are_no_messages_are_passed_over(tmp_path):
    ended, stage = play(tmp_path, "chatty_rubbish")
    assert ended == Ended("ended", "Done.")
    assert any("npm notice" in note for note in stage.notes)


def test_a_storm_is_told_attempt_by_attempt(tmp_path):
    _, stage = play(tmp_path, "retries")
    assert stage.notes == ["claude tries again (1 of 4): 529", "claude tries again (2 of 4): 529"]
    assert stage.texts == []


def test_a_result_of_a_million_bytes(tmp_path):
    _, stage = play(tmp_path, "big")
    assert len(stage.results["c1"][0]) == 1_000_000


def test_a_structured_answer_is_its_text(tmp_path):
    ended, _ = play(tmp_path, "structured", schema='{"type": "object"}')
    assert json.loads(ended.text) == {"passed": True}


def test_one_that_does_not_leave_is_ended(tmp_path):
    ended, _ = play(tmp_path, "lingers")
    assert ended == Ended("ended", "Done.")


def cancelled(folder: Path, mode: str, until, answering=lambda call: Allowed(), **more: object) -> tuple[float, Stage]:
    """Cancel a turn once `until` holds; how long that takes."""
    given = given_to(folder, mode, **more)
    stage = Staged(given.worktree, answering=answering)

    async def whole() -> float:
        turn = asyncio.ensure_future(ClaudeAgent().turn(given, stage))
        deadline = time.monotonic() + 20
        while not until(stage):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        turn.cancel()
        begun = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await turn
        return time.monotonic() - begun

    took = asyncio.run(whole())
    assert stage.left() == []
    return took, stage


def test_cancelled_in_mid_reply_it_is_interrupted_and_the_reply_is_counted(tmp_path):
    took, stage = cancelled(tmp_path, "hangs", lambda stage: stage.sessions)
    assert took < 2
    assert stage.used_in_all == Usage(10, 100, 100, 5)
    assert [one["request"]["subtype"] for one in told(tmp_path) if one.get("type") == "control_request"][-1] == "interrupt"


def test_cancelled_while_a_person_is_asked(tmp_path):
    took, stage = cancelled(tmp_path, "good", lambda stage: stage.asked, lambda call: None)
    assert took < 2
    assert noted(tmp_path, "ran") == []
    assert len(stage.asked) == 1


def test_cancelled_though_it_is_deaf(tmp_path):
    word = nap()
    took, _ = cancelled(tmp_path, "deaf", lambda stage: stage.texts, nap=word)
    assert took < 2
    assert not running(f"sleep {word}")


def test_what_the_host_raises_ends_the_turn(tmp_path):
    def broken(call: Shown) -> Allowed:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        play(tmp_path, "good", broken)
