"""`loopdeck hook`: a session started elsewhere is told of, judged by the deck's rules in its agent's own words, and can be braked."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loopdeck.core.hooks import Agent, Happening, answer, read
from loopdeck.hooked import judged
from loopdeck.store import sessions
from tests.cli.loops import fixer
from tests.kit.front import Front
from tests.kit.repos import write_files

DECK = """\
[gates]
allow = ["bash(pytest *)"]
ask = ["bash(git commit)"]
deny = ["bash(git push)", "docs.delete"]
[workspace]
protect = ["tests/**"]
"""


class Hook:
    """Lets an agent's hook tell of an event, in a deck with rules, and gives what it was answered."""

    def __init__(self, door: Front) -> None:
        self.door = door

    def __call__(self, agent: str, event: str, *, session: str = "s-1", cwd: Path | None = None, **more: Any) -> Any:
        given = {"session_id": session, "hook_event_name": event, "cwd": str(cwd or self.door.repo), "transcript_path": "/x", **more}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "loopdeck", "hook", agent],
            input=json.dumps(given).encode(), capture_output=True, cwd=self.door.repo, env=dict(self.door.env), timeout=30,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not done.stderr, done.stderr
        return json.loads(done.stdout)["hookSpecificOutput"] if done.stdout else None


@pytest.fixture
def hook(front) -> Hook:
    """Such a hook."""
    return Hook(front(fixer() | {".loopdeck/deck.toml": DECK}))


def bash(command, **more):
    return {"tool_name": "Bash", "tool_input": {"command": command}, **more}


CASES = [
    ("an allowed command", bash("pytest -q"), "allow", None),
    ("a command that is asked for", bash("git commit -m x"), "ask", None),
    ("a denied command", bash("git push origin main"), "deny", "deny"),
    ("a denied command, hidden", bash("cd x && git  push"), "deny", "deny"),
    ("a command that no rule names", bash("make"), None, None),
    ("reading", {"tool_name": "Read", "tool_input": {"file_path": "README.md"}}, None, None),
    ("writing", {"tool_name": "Write", "tool_input": {"file_path": "a.py", "content": "x"}}, None, None),
    ("a protected path", {"tool_name": "Edit", "tool_input": {"file_path": "tests/a.py"}}, "deny", "deny"),
    ("a path that configures tools", {"tool_name": "Write", "tool_input": {"file_path": ".github/workflows/x.yml"}}, "ask", None),
    ("a denied connector", {"tool_name": "mcp__docs__delete", "tool_input": {"id": 1}}, "deny", "deny"),
    ("a patch", {"tool_name": "apply_patch", "tool_input": {"command": "*** Begin Patch\n*** Update File: a.py\n"}}, None, None),
    ("a patch of a protected path",
     {"tool_name": "apply_patch", "tool_input": {"command": "*** Update File: a.py\n*** Move to: tests/b.py\n"}}, "deny", "deny"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "claude", "codex"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.req("S2-060")
def test_a_call_is_judged_by_the_decks_rules_in_the_agents_own_words(tmp_path, call, claude, codex):
    write_files(tmp_path, {".loopdeck/deck.toml": DECK})
    found = Happening("s", "PreToolUse", str(tmp_path), **call)
    word = judged(tmp_path, found)
    wanted: dict[Agent, str | None] = {"claude": claude, "codex": codex}
    for agent, expected in wanted.items():
        told = answer(agent, found, word.verdict, word.why).get("hookSpecificOutput")
        assert (told["permissionDecision"] if told else None) == expected
        assert told is None or (told["hookEventName"], told["permissionDecisionReason"][:10]) == ("PreToolUse", "loopdeck: ")


def test_a_path_is_the_same_path_from_wherever_the_session_is(hook):
    write_files(hook.door.repo, {"deep/x.txt": ""})
    for cwd, path in (("deep", "../tests/a.py"), (".", "tests/a.py"), (".", str(hook.door.repo / "tests/a.py"))):
        call = {"tool_name": "Write", "tool_input": {"file_path": path, "content": "x"}}
        assert hook("claude", "PreToolUse", cwd=hook.door.repo / cwd, **call)["permissionDecision"] == "deny", path


def test_where_nobody_would_be_asked_what_asks_is_refused(hook):
    told = hook("codex", "PreToolUse", **bash("git commit -m x", permission_mode="bypassPermissions"))
    assert told["permissionDecision"] == "deny"
    assert "nobody would be asked" in told["permissionDecisionReason"]
    assert hook("claude", "PreToolUse", **bash("git commit", permission_mode="bypassPermissions"))["permissionDecision"] == "ask"


def test_a_permission_that_an_agent_asks_for_is_answered_by_the_rules_alone(hook):
    assert hook("codex", "PermissionRequest", **bash("pytest -q")) == {
        "hookEventName": "PermissionRequest", "decision": {"behavior": "allow"},
    }  # fmt: skip
    assert hook("codex", "PermissionRequest", **bash("git push"))["decision"]["behavior"] == "deny"
    assert hook("codex", "PermissionRequest", **bash("git commit")) is None, "its own question goes on"
    assert hook("codex", "PermissionRequest", **bash("make")) is None


@pytest.mark.parametrize(("agent", "expected"), [("claude", "ask"), ("codex", "deny")])
def test_rules_that_can_not_be_read_let_nothing_through_unseen(hook, agent, expected):
    write_files(hook.door.repo, {".loopdeck/deck.toml": "[gates]\nallow = 3\n"})
    told = hook(agent, "PreToolUse", **bash("make"))
    assert told["permissionDecision"] == expected
    assert ".loopdeck/deck.toml:2" in told["permissionDecisionReason"]
    (hook.door.repo / ".loopdeck/deck.toml").unlink()
    assert hook(agent, "PreToolUse", **bash("make")) is None


def test_a_home_that_can_not_be_written_is_no_way_around_the_rules(hook):
    home = Path(hook.door.ok("where", "--json").json["home"])
    home.mkdir(parents=True, exist_ok=True)
    (home / "sessions").write_text("in the way")
    told = hook("claude", "PreToolUse", **bash("make"))
    assert told["permissionDecision"] == "ask"
    assert "the deck's hook failed" in told["permissionDecisionReason"]


@pytest.mark.req("S2-060")
def test_a_session_is_told_of_apart_from_the_loops_and_can_be_braked(hook):
    door = hook.door
    hook("claude", "SessionStart")
    hook("claude", "PreToolUse", **bash("make"))
    hook("claude", "PreToolUse", **bash("git push"))
    hook("claude", "PostToolUse", **bash("make"))
    [told] = door.ok("status", "--json").json["sessions"]
    assert (told["session"], told["agent"], told["cwd"]) == ("s-1", "claude", str(door.repo))
    assert (told["calls"], told["refused"], told["asked"], told["doing"]) == (2, 1, 0, "bash git push")
    assert [one["loop"] for one in door.ok("status", "--json").json["loops"]] == ["fixer"]
    assert "session s-1 (claude, not started here): 2 calls, 1 refused" in door.ok("status").out

    door.ok("hook", "--brake", "s-", "--why", "too fast")
    for agent, call in (("claude", bash("pytest -q")), ("codex", bash("pytest -q"))):
        told = hook(agent, "PreToolUse", **call)
        assert told["permissionDecision"] == "deny"
        assert told["permissionDecisionReason"] == "loopdeck: the operator has braked this session: too fast"
    assert hook("claude", "PreToolUse", session="s-2", **bash("pytest -q"))["permissionDecision"] == "allow"
    assert door.ok("status", "--json").json["sessions"][0]["braked"] in ("too fast", "")
    door.ok("hook", "--release", "s-1")
    assert hook("claude", "PreToolUse", **bash("pytest -q"))["permissionDecision"] == "allow"
    hook("claude", "SessionEnd", reason="exit")
    assert [one["session"] for one in door.ok("status", "--json").json["sessions"]] == ["s-2"]


def test_what_nobody_hears_of_any_more_is_not_shown_and_then_not_kept(hook):
    folder = Path(hook.door.ok("where", "--json").json["home"]) / "sessions"
    for session, age in (("old", 2), ("ancient", 40), ("new", 0)):
        hook("claude", "PreToolUse", session=session, **bash("make"))
        file = folder / f"{session}.jsonl"
        then = file.stat().st_mtime - age * 86_400
        os.utime(file, (then, then))
    assert [one["session"] for one in hook.door.ok("status", "--json").json["sessions"]] == ["new"]
    hook("claude", "SessionStart", session="new")
    assert sorted(file.stem for file in folder.glob("*.jsonl")) == ["new", "old"]


def test_a_sessions_id_is_never_a_path(hook):
    for session in ("../../evil", "", "a" * 200, "x y", "ü"):
        assert hook("claude", "PreToolUse", session=session, **bash("git push"))["permissionDecision"] == "deny"
        told = hook("claude", "PreToolUse", session=session, **bash("make"))
        assert told["permissionDecision"] == "ask", "nothing that nobody could brake goes unseen"
    assert hook.door.ok("status", "--json").json["sessions"] == []


def test_secrets_of_the_environment_do_not_get_into_the_record(hook):
    hook.door.env |= {"MY_API_KEY": "Zq81kXw0Lm27Vb55Rt"}
    hook("claude", "PreToolUse", **bash("curl -H Zq81kXw0Lm27Vb55Rt http://x"))
    [told] = hook.door.ok("status", "--json").json["sessions"]
    assert "Zq81k" not in told["doing"]
    assert "curl" in told["doing"]


def test_outside_of_a_deck_and_within_a_run_nothing_is_said_or_kept(hook, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert hook("claude", "PreToolUse", cwd=elsewhere, **bash("git push")) is None
    hook.door.env |= {"LOOPDECK_LOOP": "fixer"}
    assert hook("claude", "PreToolUse", **bash("git push")) is None
    assert hook.door.ok("status", "--json").json["sessions"] == []


def test_an_event_that_can_not_be_read_blocks(hook):
    for data in (b"", b"{}", b"[]", b"\xff", b"{" * 100_000, b'{"hook_event_name": 3}'):
        assert read(data) is None
    done = subprocess.run(
        [sys.executable, "-P", "-m", "loopdeck", "hook", "claude"], input=b"{}", capture_output=True, cwd=hook.door.repo, timeout=30
    )
    assert (done.returncode, done.stderr) == (2, b"loopdeck: the event can't be read\n")


def test_many_hooks_of_one_session_at_once_lose_no_line(tmp_path):
    line = "import sys; from loopdeck.store import sessions as s; from pathlib import Path\n"
    line += (
        'for n in range(50): s.append(Path(sys.argv[1]), "s", s.Line("2026", "PreToolUse", "claude", "/", "bash", "x" * 300, "none"))\n'
    )
    many = [subprocess.Popen([sys.executable, "-P", "-c", line, str(tmp_path)]) for _ in range(4)]
    assert [one.wait(30) for one in many] == [0] * 4
    with (tmp_path / "s.jsonl").open("ab") as file:
        file.write(b'{"torn')
    [told] = sessions.sessions(tmp_path)
    assert told.calls == 200


def test_it_takes_little_time(hook):
    """It runs at each call: its processor time is bounded, and what it imports is what it needs."""
    hook("claude", "PreToolUse", **bash("make"))
    code = "import sys, loopdeck.cli.app as a; a.main(['hook', 'claude']); sys.stderr.write(repr(list(sys.modules)))"
    given = json.dumps({"session_id": "s", "hook_event_name": "PreToolUse", "cwd": str(hook.door.repo), **bash("make")})
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], input=given, capture_output=True, text=True, cwd=hook.door.repo, timeout=30
    )
    for heavy in ("asyncio", "textual", "rich", "anthropic", "git", "jsonschema", "httpx2", "hypothesis"):
        assert f"'{heavy}'" not in done.stderr, heavy


def test_it_is_installed_beside_what_is_there_after_asking(hook):
    door, settings = hook.door, hook.door.repo / ".claude/settings.local.json"
    own: dict[str, Any] = {
        "model": "opus",
        "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "mine"}]}]},
    }
    write_files(door.repo, {".claude/settings.local.json": json.dumps(own)})
    assert "Nothing was changed" in door.ok("hook", "--install", "claude").out, "nobody is there to agree"
    assert json.loads(settings.read_text()) == own
    door.ok("hook", "--install", "claude", "--yes")
    made = json.loads(settings.read_text())
    assert made["model"] == "opus"
    mine, ours = made["hooks"]["PreToolUse"]
    assert mine == own["hooks"]["PreToolUse"][0]
    assert (ours["matcher"], ours["hooks"][0]["type"]) == ("*", "command")
    assert ours["hooks"][0]["command"].endswith("hook claude")
    assert set(made["hooks"]) == {"PreToolUse", "PostToolUse", "UserPromptSubmit", "SessionStart", "Stop", "SessionEnd"}
    assert "nothing was changed" in door.ok("hook", "--install", "claude", "--yes").out
    assert json.loads(settings.read_text()) == made
    settings.write_text("{broken")
    assert door.run("hook", "--install", "claude", "--yes").code == 2
    assert settings.read_text() == "{broken"
    assert "have trusted them" in door.ok("hook", "--install", "codex", "--yes").out
    assert "PermissionRequest" in json.loads((door.repo / ".codex/hooks.json").read_text())["hooks"]


def test_a_session_nobody_knows_is_said(hook):
    said = hook.door.run("hook", "--brake", "nonesuch")
    assert (said.code, "there is no session" in said.err) == (2, True)
    assert hook.door.run("hook").code == 2
