"""Codex CLI, by its own app-server: every command and every change of a file is put before us first, and may wait as long as it must.

Each turn is a process of its own that resumes the thread, so that nothing of it runs between turns. Through the gateway it has a
home of its own (settings, threads, no login); by its own login it has the operator's, where that login is.

Invariant: the worktree is marked untrusted, whatever it holds: Codex would start the programs that a trusted one's settings name.
"""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import structs

from loopdeck.agents.outside.codexturn import CodexTurn
from loopdeck.agents.outside.playing import START_S, played
from loopdeck.agents.outside.port import Caps, Ended, Host, Task
from loopdeck.agents.outside.rpc import Peer

_TOKEN = "OPENAI_API_KEY"
_PROVIDER = "loopdeck"
_KEYS = ("OPENAI_API_KEY", "CODEX_API_KEY")
_NO_LOGIN = "no key for OpenAI was found, and codex is not logged in: set OPENAI_API_KEY, or run `codex login` once"
_FROM_WITHIN = (
    "codex goes by its own login from within the sandbox: that works only if `[sandbox]` lets it have the network, and its folder "
    "(~/.codex) in `write`"
)
_SETTINGS = ("check_for_update_on_startup=false", "analytics.enabled=false", 'web_search="disabled"')
_UNWANTED = (
    "apps", "browser_use", "browser_use_external", "computer_use", "enable_request_compression", "goals", "hooks", "image_generation",
    "in_app_browser", "multi_agent", "plugins", "remote_plugin", "skill_mcp_dependency_install", "tool_suggest",
    "unbounded_connection_retries", "unified_exec_tty",
)  # fmt: skip
"""What would act without being asked for, bring tools that the provider runs, or go on by itself after the turn.

With a terminal it could type into a command that was allowed, and nobody would be asked what.
"""


class CodexAgent:
    """The `codex` on the PATH of the task's environment."""

    kind = "codex"
    caps = Caps(approvals="all", usage="request", note=True, resume=True, cancel=True)

    def __init__(self, *, start_s: float = START_S) -> None:
        self._start_s = start_s

    async def turn(self, task: Task, host: Host) -> Ended:
        """Run one turn; see the port."""
        if not task.gateway and not _has_login(task.env):
            return Ended("failed", failure="auth", message=_NO_LOGIN)
        if not task.gateway and task.confined:
            host.note(_FROM_WITHIN)
        await asyncio.to_thread(_make, task)
        async with host.open(argv(task), environment(task)) as talk:
            turn = CodexTurn(task, host, self._start_s)
            peer = Peer(talk, turn.answer, turn.heard, turn.rubbish, stamp={})
            ended = await played(self.kind, talk, peer, turn.play(peer), turn.leave)
        if task.resume and not turn.opened and ended.failure == "request":
            return structs.replace(ended, failure="missing")
        return ended


def argv(task: Task) -> tuple[str, ...]:
    """The command line: an app-server that talks over its stdin and stdout."""
    return ("codex", "app-server", *(word for setting in _settings(task) for word in ("-c", setting)))


def environment(task: Task) -> Mapping[str, str]:
    """The environment of the process. Its home can't be below its temporary folder: it puts no programs into such a one."""
    if not task.gateway:
        return task.env
    env = {**task.env, "CODEX_HOME": str(_home(task)), _TOKEN: task.token}
    temporary = Path(os.path.realpath(env.get("TMPDIR", "/tmp")))
    if Path(os.path.realpath(task.home)).is_relative_to(temporary):
        env["TMPDIR"] = str(_temporary(task))
    return env


def _settings(task: Task) -> Iterator[str]:
    yield from _SETTINGS
    yield from (f"features.{name}=false" for name in _UNWANTED)
    places = dict.fromkeys((str(task.worktree), os.path.realpath(task.worktree)))
    yield "projects={" + ",".join(f'{json.dumps(one)}={{trust_level="untrusted"}}' for one in places) + "}"
    if task.gateway:
        yield f'model_provider="{_PROVIDER}"'
        address = json.dumps(f"{task.gateway}/v1")
        yield f'model_providers.{_PROVIDER}={{name="{_PROVIDER}",base_url={address},env_key="{_TOKEN}",wire_api="responses"}}'


def _has_login(env: Mapping[str, str]) -> bool:
    own = Path(env.get("CODEX_HOME") or Path(env.get("HOME", "/")) / ".codex")
    return any(env.get(name) for name in _KEYS) or (own / "auth.json").exists()


def _home(task: Task) -> Path:
    return task.home / "codex"


def _temporary(task: Task) -> Path:
    return task.home / "tmp"


def _make(task: Task) -> None:
    for place in (_home(task), _temporary(task)):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
