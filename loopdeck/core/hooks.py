"""What a Claude Code or Codex session says to its hooks, and what it takes as an answer. Pure.

Both send one JSON object for each event. Their answers differ: before a call Claude Code takes allow, deny and ask, Codex only a
denial, and an allowance where it would have asked somebody. Invariant: an answer is one its agent understands, because one it doesn't
lets the call through.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

Agent = Literal["claude", "codex"]
Verdict = Literal["allow", "ask", "deny", "none", "unknown"]
"""`none`: we say nothing, and the agent's own permissions decide. `unknown`: the rules can't be told, so a person has to look."""
BEFORE, ASKED = "PreToolUse", "PermissionRequest"
_UNASKED = frozenset({"bypassPermissions", "dontAsk"})
_PATCHED = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+)$", re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")


class Happening(Struct, frozen=True):
    """One event of a session, as far as it concerns us; whatever else is in it is let be."""

    session_id: str = ""
    hook_event_name: str = ""
    cwd: str = ""
    tool_name: str = ""
    tool_input: dict[str, Any] = {}
    permission_mode: str = ""
    reason: str = ""


def read(data: bytes) -> Happening | None:
    """The event in `data`; None if it is none."""
    try:
        found = msgspec.json.decode(data, type=Happening)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return found if found.hook_event_name else None


def session_name(found: Happening) -> str:
    """The session's id as the name of a file; empty if it can't be one."""
    return found.session_id if _PLAIN.fullmatch(found.session_id) else ""


def asks_leave(found: Happening) -> bool:
    """True if the session waits for our word."""
    return found.hook_event_name in (BEFORE, ASKED)


def patched(found: Happening) -> tuple[str, ...]:
    """The paths that a call of Codex's `apply_patch` would change; nothing for any other call."""
    if found.tool_name != "apply_patch":
        return ()
    return tuple(_PATCHED.findall(str(found.tool_input.get("command") or found.tool_input.get("input") or "")))


def answer(agent: Agent, found: Happening, verdict: Verdict, why: str) -> Mapping[str, Any]:
    """What the session is told; nothing if there is nothing to be said to it, or nothing that it would understand."""
    event = found.hook_event_name
    if verdict == "unknown":
        verdict = "deny" if agent == "codex" else "ask"
    if verdict == "ask" and agent == "codex":
        # Its hooks can't ask. Where it asks somebody itself that is as good; where it asks nobody it is not.
        verdict = "deny" if found.permission_mode in _UNASKED else "none"
        why = f"{why}; nobody would be asked in this session"
    if verdict == "none" or not asks_leave(found):
        return {}
    if event == ASKED:
        if verdict == "ask":
            return {}
        decision = {"behavior": "allow"} if verdict == "allow" else {"behavior": "deny", "message": f"loopdeck: {why}"}
        return {"hookSpecificOutput": {"hookEventName": event, "decision": decision}}
    if verdict == "allow" and agent == "codex":
        return {}
    said = {"permissionDecision": verdict, "permissionDecisionReason": f"loopdeck: {why}"}
    return {"hookSpecificOutput": {"hookEventName": event, **said}}


def encoded(told: Mapping[str, Any]) -> str:
    """An answer as it is printed."""
    return json.dumps(told) if told else ""
