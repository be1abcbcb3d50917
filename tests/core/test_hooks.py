"""Events of sessions and the answers they take: anything in, and out only what its agent understands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.hooks import Agent, Happening, Verdict, answer, patched, read, session_name

AGENTS: tuple[Agent, ...] = ("claude", "codex")
VERDICTS: tuple[Verdict, ...] = ("allow", "ask", "deny", "none", "unknown")
EVENTS = ("PreToolUse", "PermissionRequest", "PostToolUse", "Stop", "SessionStart", "x")
MODES = ("", "default", "bypassPermissions", "dontAsk")


@given(
    st.binary(max_size=60)
    | st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers(), max_size=4).map(lambda one: json.dumps(one).encode())
)
def test_any_bytes_are_an_event_or_none(data):
    found = read(data)
    assert found is None or found.hook_event_name
    assert found is None or "/" not in session_name(found)


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("mode", MODES)
def test_an_answer_is_one_that_its_agent_understands(agent, verdict, event, mode):
    told = answer(agent, Happening("s", event, permission_mode=mode), verdict, "so")
    if not told:
        return
    said = told["hookSpecificOutput"]
    assert said["hookEventName"] == event
    assert list(told) == ["hookSpecificOutput"]
    if event == "PermissionRequest":
        assert said["decision"] in ({"behavior": "allow"}, {"behavior": "deny", "message": said["decision"].get("message")})
        return
    assert event == "PreToolUse"
    known = {"claude": {"allow", "ask", "deny"}, "codex": {"deny"}}[agent]
    assert said["permissionDecision"] in known
    assert said["permissionDecisionReason"].startswith("loopdeck: so")


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("mode", MODES)
def test_what_is_denied_or_unknown_never_goes_through_unseen(agent, mode):
    for verdict in ("deny", "unknown"):
        told = answer(agent, Happening("s", "PreToolUse", permission_mode=mode), verdict, "so")
        assert told["hookSpecificOutput"]["permissionDecision"] in (("deny",) if verdict == "deny" or agent == "codex" else ("ask",))


def test_every_path_of_a_patch_is_seen():
    patch = "*** Begin Patch\n*** Add File: a b.py\n+x\n*** Update File: c.py\n*** Move to: d/e.py\n"
    patch += "@@\n-*** Delete File: no\n*** Delete File: f\n"
    assert patched(Happening(tool_name="apply_patch", tool_input={"command": patch})) == ("a b.py", "c.py", "d/e.py", "f")
    assert patched(Happening(tool_name="Bash", tool_input={"command": patch})) == ()
