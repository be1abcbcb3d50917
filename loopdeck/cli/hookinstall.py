"""Putting the hook into an agent's settings: shown first, asked for, added to what is there and never written over it."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from loopdeck.cli import here, out
from loopdeck.core.hooks import Agent
from loopdeck.errors import UsageError
from loopdeck.store.files import write_atomic

_PLACES: dict[Agent, str] = {"claude": ".claude/settings.local.json", "codex": ".codex/hooks.json"}
_EVENTS: dict[Agent, tuple[str, ...]] = {
    "claude": ("PreToolUse", "PostToolUse", "UserPromptSubmit", "SessionStart", "Stop", "SessionEnd"),
    "codex": ("PreToolUse", "PermissionRequest", "PostToolUse", "UserPromptSubmit", "SessionStart", "Stop", "SessionEnd"),
}
_OF_TOOLS = frozenset({"PreToolUse", "PostToolUse", "PermissionRequest"})
_NOTES: dict[Agent, str] = {
    "claude": "It counts from the next session in this folder.",
    "codex": "Codex runs a project's hooks only once you have trusted them: it asks at the start of its next session here.",
}
_PATIENCE_S = 10


def install(agent: Agent, *, yes: bool) -> int:
    """Add it to the settings of `agent` for this project. Raises UsageError if those can't be read; then nothing is changed."""
    deck = here.deck()
    file = deck.root / _PLACES[agent]
    settings = _settings(file)
    added = _added(settings, _command(agent), agent)
    if not added:
        out.say(f"{_PLACES[agent]} has it already; nothing was changed.")
        return 0
    out.say(f"To be added to {file}:\n{json.dumps({'hooks': added}, indent=2)}")
    if not yes and not _agreed():
        out.say("Nothing was changed. With --yes it is added without a question.")
        return 0
    hooks = settings.setdefault("hooks", {})
    for event, groups in added.items():
        hooks[event] = [*hooks.get(event, []), *groups]
    file.parent.mkdir(exist_ok=True)
    write_atomic(file, (json.dumps(settings, indent=2, ensure_ascii=False) + "\n").encode())
    out.say(f"Added to {_PLACES[agent]}. {_NOTES[agent]}")
    return 0


def _settings(file: Path) -> dict[str, Any]:
    try:
        settings = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"it can't be read: {error}", where=str(file), remedy="Mend it first; nothing was changed.") from error
    hooks = settings.get("hooks", {}) if isinstance(settings, dict) else None
    if not isinstance(hooks, dict) or not all(isinstance(groups, list) for groups in hooks.values()):
        raise UsageError("it holds no settings as this agent has them", where=str(file), remedy="Mend it first; nothing was changed.")
    return dict(settings)


def _added(settings: dict[str, Any], command: str, agent: Agent) -> dict[str, Any]:
    """The hooks that the settings lack."""
    group = {"hooks": [{"type": "command", "command": command, "timeout": _PATIENCE_S}]}
    lacking = [event for event in _EVENTS[agent] if f"hook {agent}" not in json.dumps(settings.get("hooks", {}).get(event, []))]
    return {event: [{"matcher": "*", **group} if event in _OF_TOOLS else group] for event in lacking}


def _command(agent: Agent) -> str:
    """`loopdeck hook` as the agent will find it, wherever it is started."""
    program = shutil.which("loopdeck")
    start = f"'{program}'" if program else f"'{sys.executable}' -P -m loopdeck"
    return f"{start} hook {agent}"


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    out.say("Add it? [y/N] ")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
