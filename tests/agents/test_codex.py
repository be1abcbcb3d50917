"""Codex as a maker, against a fake one that misbehaves on demand."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from loopdeck.agents.outside.codex import CodexAgent, argv, environment
from loopdeck.agents.outside.port import Allowed, Denied, Ended, Server, Shown
from loopdeck.core.usage import Usage
from tests.kit.outside_stage import Stage, arguments, fake, task

GATEWAY = {"gateway": "http://127.0.0.1:9/secret", "token": "tok"}


def play(folder: Path, mode: str, stage: Stage | None = None, **more: object) -> tuple[Ended, Stage]:
    """One turn of the fake in this mode."""
    env = fake(folder, "codex", "fake_codex.py", FAKE=mode, FAKE_LOG=str(folder / "log"))
    given = task(folder, env, **(GATEWAY | more))
    (given.worktree / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    stage = stage or Stage(given.worktree)
    ended = asyncio.run(asyncio.wait_for(CodexAgent(start_s=20).turn(given, stage), 40))
    assert not any(Path(f"/proc/{pid}").exists() for pid in stage.pids)
    return ended, stage


def stage_for(folder: Path, answer) -> Stage:
    """A stage that answers so."""
    return Stage(folder / "tree", answering=answer)


def told(folder: Path) -> list[dict[str, Any]]:
    """What the fake was sent."""
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def sent(folder: Path, method: str) -> list[dict[str, Any]]:
    """The requests of one method that the fake was sent."""
    return [one["params"] for one in told(folder) if one.get("method") == method]


def test_a_turn_from_end_to_end(tmp_path):
    ended, stage = play(tmp_path, "good")
    assert ended == Ended("ended", "Done.")
    assert stage.sessions == ["t1"]
    assert stage.texts == ["I look.", "Done."]
    assert [(call.tool, arguments(call)) for call in stage.asked] == [
        ("bash", {"command": "cat calc.py"}),
        ("edit_file", {"path": "calc.py", "old": "def add(a, b):\n    return a - b\n", "new": "def add(a, b):\n    return a + b\n"}),
    ]
    assert stage.results == {"c1": ("def add...\n", False), "f1": ("Done.", False)}
    assert stage.seen == []


def test_usage_is_disjoint_and_counted_once(tmp_path):
    _, stage = play(tmp_path, "good")
    assert stage.figures == {f"t1:{total}": ("gpt-5", Usage(65, 10, 20, 5)) for total in (100, 200, 300)}


@pytest.mark.req("S1-14")
def test_usage_that_is_repeated_after_resuming_is_not_counted_again(tmp_path):
    ended, stage = play(tmp_path, "good", resume="t1")
    assert ended.how == "ended"
    assert sent(tmp_path, "thread/resume")[0]["threadId"] == "t1"
    assert len(stage.figures) == 3
    assert stage.used_in_all == Usage(195, 30, 60, 15)


def test_what_it_is_started_with(tmp_path):
    play(tmp_path, "good", system="Be brief.", confined=True, schema='{"type": "object"}')
    thread = sent(tmp_path, "thread/start")[0]
    assert thread["approvalPolicy"] == "untrusted"
    assert thread["sandbox"] == "danger-full-access"
    assert thread["developerInstructions"] == "Be brief."
    assert sent(tmp_path, "initialize")[0]["capabilities"] == {"experimentalApi": True}
    assert sent(tmp_path, "turn/start")[0]["outputSchema"] == {"type": "object"}
    assert sent(tmp_path, "thread/backgroundTerminals/clean")


def test_its_own_walls_stand_where_ours_do_not(tmp_path):
    play(tmp_path, "good", confined=False)
    assert sent(tmp_path, "thread/start")[0]["sandbox"] == "workspace-write"


def test_through_the_gateway_it_has_a_home_of_its_own(tmp_path):
    given = task(tmp_path, {"PATH": "", "HOME": "/h", "TMPDIR": str(tmp_path)}, **GATEWAY)
    env, line = environment(given), " ".join(argv(given))
    assert env["CODEX_HOME"] == str(given.home / "codex")
    assert env["OPENAI_API_KEY"] == "tok"
    assert not env["CODEX_HOME"].startswith(env["TMPDIR"] + os.sep)
    assert 'base_url="http://127.0.0.1:9/secret/v1"' in line


def test_by_its_own_login_it_has_the_operators(tmp_path):
    given = task(tmp_path, {"PATH": "", "HOME": "/h"})
    assert "CODEX_HOME" not in environment(given)
    assert "model_provider" not in " ".join(argv(given))


def test_without_a_key_and_a_login_it_is_not_even_started(tmp_path):
    env = fake(tmp_path, "codex", "fake_codex.py", FAKE="good")
    given = task(tmp_path, env, confined=True)
    stage = Stage(given.worktree)
    ended = asyncio.run(CodexAgent().turn(given, stage))
    assert (ended.how, ended.failure, stage.pids) == ("failed", "auth", [])
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex/auth.json").write_text("{}")
    assert asyncio.run(CodexAgent().turn(given, stage)).how == "ended"
    assert any("from within the sandbox" in note for note in stage.notes)


def test_the_worktrees_own_settings_are_not_trusted(tmp_path):
    assert f'projects={{"{tmp_path / "tree"}"={{trust_level="untrusted"}}}}' in argv(task(tmp_path, {}))


def test_it_can_not_type_into_what_was_allowed(tmp_path):
    assert "features.unified_exec_tty=false" in argv(task(tmp_path, {}))


def test_servers_of_the_loop_ask_for_each_call(tmp_path):
    servers = (Server("s", argv=("prog", "x"), env={"A": "b"}), Server("u", url="http://127.0.0.1:1/mcp"))
    play(tmp_path, "good", servers=servers)
    given = sent(tmp_path, "thread/start")[0]["config"]["mcp_servers"]
    assert given["s"] == {"command": "prog", "args": ["x"], "env": {"A": "b"}, "default_tools_approval_mode": "prompt"}
    assert given["u"] == {"url": "http://127.0.0.1:1/mcp", "default_tools_approval_mode": "prompt"}


def test_a_denied_call_does_not_run_and_the_reason_reaches_the_agent(tmp_path):
    ended, stage = play(tmp_path, "denied", stage_for(tmp_path, lambda call: Denied("not on a Friday")))
    assert ended == Ended("ended", "Then not.")
    assert "not on a Friday" in sent(tmp_path, "turn/steer")[0]["input"][0]["text"]
    assert stage.results["c1"] == ("Not run.", True)


def test_a_denial_that_stops_ends_the_turn(tmp_path):
    ended, _ = play(tmp_path, "denied", stage_for(tmp_path, lambda call: Denied("enough", stop=True)))
    assert (ended.how, ended.message) == ("denied", "enough")


def test_an_edited_call_is_declined_and_made_as_it_was_edited(tmp_path):
    edited = json.dumps({"command": "rm -r build/tmp"})
    ended, stage = play(tmp_path, "edited", stage_for(tmp_path, lambda call: Allowed(edited)))
    assert ended.how == "ended"
    assert edited in sent(tmp_path, "turn/steer")[0]["input"][0]["text"]
    # The second call is the first one as a person allowed it: by the same id, so that nobody is asked again.
    assert [call.id for call in stage.asked] == ["c1", "c1"]
    assert stage.results == {"c1": ("out\n", False)}


def test_every_path_of_a_change_is_put_before_the_gate(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/a.txt").write_text("a\n")
    _, stage = play(tmp_path, "files")
    assert [(call.id, call.tool, arguments(call)) for call in stage.asked] == [
        ("f1", "write_file", {"path": "new.txt", "content": "hello\n"}),
        ("f1:1", "edit_file", {"path": "old.txt", "old": "bye\n", "new": ""}),
        ("f1:2", "edit_file", {"path": "a.txt", "old": "a\n", "new": ""}),
        ("f1:3", "write_file", {"path": "b.txt", "content": "b\n"}),
        ("f1:4", "write_file", {"path": "/etc/passwd", "content": "root\n"}),
    ]


def test_the_strictest_answer_holds_for_the_whole_change(tmp_path):
    _, stage = play(tmp_path, "files", stage_for(tmp_path, lambda call: Denied("no") if "old.txt" in call.arguments else Allowed()))
    assert [call.id for call in stage.asked] == ["f1", "f1:1"]
    assert stage.results["f1"][1]
    assert {one["result"]["decision"] for one in told(tmp_path) if "result" in one} == {"decline"}


def test_what_it_does_not_say_properly_is_declined_and_breaks_nothing(tmp_path):
    ended, stage = play(tmp_path, "strange")
    assert ended.how == "ended"
    assert stage.asked == []
    answers = {one["id"]: one for one in told(tmp_path) if "method" not in one and "id" in one}
    assert answers["a"]["result"] == answers["b"]["result"] == {"decision": "decline"}
    assert answers["c"]["result"] == {"permissions": {}}
    assert answers["e"]["result"] == {"action": "decline"}
    assert answers["f"]["error"]["code"] == -32601
    assert [(call.tool, arguments(call), call.native) for call in stage.seen] == [
        ("bash", {"command": "ls"}, "exec_command"),
        ("bash", {"command": "echo typed\n"}, "write_stdin"),
    ]
    assert stage.results["c9"] == ("x\n[exit code 3]", True)
    assert any("no message" in note for note in stage.notes)


def test_a_servers_tool_is_asked_for(tmp_path):
    _, stage = play(tmp_path, "tool")
    assert [(call.id, call.tool, arguments(call)) for call in stage.asked] == [("x1", "s.shout", {"word": "x"})]
    assert stage.results == {"x1": ("LOUD", False)}


def test_stop_while_an_approval_is_open(tmp_path):
    stage = stage_for(tmp_path, lambda call: None)
    env = fake(tmp_path, "codex", "fake_codex.py", FAKE="hold", FAKE_LOG=str(tmp_path / "log"))
    given = task(tmp_path, env, **GATEWAY)

    async def run() -> None:
        turn = asyncio.ensure_future(CodexAgent().turn(given, stage))
        while not stage.asked:
            await asyncio.sleep(0.01)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn

    asyncio.run(asyncio.wait_for(run(), 30))
    assert {"decision": "cancel", "action": "cancel"} in [one.get("result") for one in told(tmp_path)]
    assert sent(tmp_path, "turn/interrupt") == [{"threadId": "t1", "turnId": "u1"}]
    assert not Path(f"/proc/{stage.pids[0]}").exists()


def test_stop_of_one_that_does_not_listen(tmp_path):
    stage = stage_for(tmp_path, lambda call: Allowed())
    given = task(tmp_path, fake(tmp_path, "codex", "fake_codex.py", FAKE="stuck", FAKE_LOG=str(tmp_path / "log")), **GATEWAY)

    async def run() -> float:
        turn = asyncio.ensure_future(CodexAgent().turn(given, stage))
        while not sent_so_far(tmp_path, "turn/start"):
            await asyncio.sleep(0.01)
        clock = asyncio.get_running_loop().time
        begun = clock()
        turn.cancel()
        await asyncio.wait((turn,))
        return clock() - begun

    assert asyncio.run(asyncio.wait_for(run(), 30)) < 5
    assert not Path(f"/proc/{stage.pids[0]}").exists()


def sent_so_far(folder: Path, method: str) -> bool:
    """True once the fake has been sent one."""
    return (folder / "log").exists() and f'"{method}"' in (folder / "log").read_text()


@pytest.mark.parametrize(
    ("mode", "failure", "words"),
    [
        ("exit", "cut", "cannot start"),
        ("cut", "cut", "panicked"),
        ("rubbish", "malformed", "not its protocol"),
        ("context", "context", "too long"),
        ("auth", "auth", "no key"),
        ("busy", "overloaded", "busy"),
        ("lost", "cut", "disconnected"),
    ],
)
def test_whatever_goes_wrong_is_a_failure_with_a_name(tmp_path, mode, failure, words):
    ended, _ = play(tmp_path, mode)
    assert (ended.how, ended.failure) == ("failed", failure)
    assert words in ended.message


def test_one_that_never_answers(tmp_path):
    given = task(tmp_path, fake(tmp_path, "codex", "fake_codex.py", FAKE="silent"), **GATEWAY)
    ended = asyncio.run(CodexAgent(start_s=0.3).turn(given, Stage(given.worktree)))
    assert (ended.how, ended.failure) == ("failed", "timeout")
    assert "initialize" in ended.message


def test_what_the_gateway_refused_is_the_budget_and_no_crash(tmp_path):
    ended, _ = play(tmp_path, "budget")
    assert ended == Ended("budget", message="loopdeck: this run's budget (cost_usd) is used up, so no further model call is made.")


def test_a_thread_that_is_gone_is_missing(tmp_path):
    ended, stage = play(tmp_path, "forgotten", resume="t1")
    assert (ended.how, ended.failure) == ("failed", "missing")
    assert stage.sessions == []


def test_its_own_retries_are_told(tmp_path):
    _, stage = play(tmp_path, "retried")
    assert [note for note in stage.notes if "tries again" in note] == [
        f"codex tries again: Reconnecting... {n}/5; overloaded" for n in (1, 2, 3)
    ]


def test_a_result_of_a_megabyte_arrives_whole(tmp_path):
    _, stage = play(tmp_path, "big")
    assert len(stage.results["c1"][0]) == 1_000_000


def test_a_command_that_outlives_the_turn_is_ended_with_it(tmp_path):
    _, stage = play(tmp_path, "running")
    assert stage.results["c1"][1]


def test_a_failing_host_ends_the_turn(tmp_path):
    def raising(call: Shown) -> Allowed:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        play(tmp_path, "denied", stage_for(tmp_path, raising))
