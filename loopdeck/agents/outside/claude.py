"""Claude Code, by its stdio control protocol: every call is put before us first, and may wait as long as it must.

Each turn is a process of its own that resumes the session, so that nothing of it runs between turns. Through the gateway it has a
folder of its own for settings and sessions; by its own login it has the operator's, where that login is.

Invariant: nothing in the worktree configures it: its settings come from its own folder, its servers from the loop file. Permissions
are never skipped.
"""

import asyncio
import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import structs

from loopdeck.agents.outside.claudeends import vanished
from loopdeck.agents.outside.claudeturn import ClaudeTurn
from loopdeck.agents.outside.claudewire import Wire
from loopdeck.agents.outside.playing import played
from loopdeck.agents.outside.port import Caps, Ended, Host, Server, Task

START_S = 30.0
_TOOLS = "Bash,Edit,Glob,Grep,MultiEdit,NotebookEdit,Read,Skill,Task,TodoWrite,WebFetch,Write"
"""What it may have. The rest asks people, schedules itself, makes worktrees, or is run by the provider (WebSearch)."""
_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1", "CLAUDE_CODE_DISABLE_BUNDLED_SKILLS": "1",
    "CLAUDE_CODE_DISABLE_CRON": "1", "CLAUDE_CODE_DISABLE_WORKFLOWS": "1", "CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1",
}  # fmt: skip
_RETRIES = {"CLAUDE_CODE_MAX_RETRIES": "4"}
"""Some seconds: a provider that is busy for longer is waited for where everybody can see it."""
_HELD = {"CLAUDE_BASH_MAINTAIN_PROJECT_WORKING_DIR": "1", "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1"}
"""So that a command is run where it is shown to be run, and is over when it says so."""
_OTHER_WAYS = ("ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX",
               "CLAUDE_CODE_USE_FOUNDRY", "CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT")  # fmt: skip


_NO_KEY = "log in with `claude`, or put a key into ANTHROPIC_API_KEY"
_NO_LOGIN = (
    "the sandbox hides its login: put a key into ANTHROPIC_API_KEY, or show the login to it by "
    '`write = ["~/.claude", "~/.claude.json"]` and `network = true` in `[sandbox]`'
)


class ClaudeAgent:
    """The `claude` on the PATH of the task's environment."""

    kind = "claude"
    caps = Caps(approvals="all", usage="request", edit=True, note=True, resume=True, cancel=True)

    def __init__(self, *, start_s: float = START_S) -> None:
        self._start_s = start_s

    async def turn(self, task: Task, host: Host) -> Ended:
        """Run one turn; see the port."""
        line = argv(task)
        await asyncio.to_thread(_make, task)
        async with host.open(line, environment(task)) as talk:
            turn = ClaudeTurn(task, host, self._start_s)
            wire = Wire(talk, turn.answer, turn.heard, turn.rubbish)
            try:
                ended = await played(self.kind, talk, wire, turn.play(wire), turn.leave)
            finally:
                turn.close()
        ended = vanished(ended, resumed=bool(task.resume))
        if ended.failure == "auth" and not task.gateway:
            return structs.replace(ended, message=f"{ended.message} ({_NO_LOGIN if task.confined else _NO_KEY})")
        return ended


def argv(task: Task) -> tuple[str, ...]:
    """The command line: a session of its own or one gone on with, that talks over its stdin and stdout."""
    return (
        "claude", "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose", "--include-partial-messages",
        "--permission-prompt-tool", "stdio", "--setting-sources", "user", "--strict-mcp-config", "--tools", _TOOLS,
        "--disallowedTools", "WebSearch", *_given(task),
    )  # fmt: skip


def environment(task: Task) -> Mapping[str, str]:
    """The environment of the process."""
    env = {**task.env, **_QUIET, **_RETRIES, **_HELD}
    if not task.gateway:
        return env
    kept = {name: value for name, value in env.items() if name not in _OTHER_WAYS}
    return kept | {"CLAUDE_CONFIG_DIR": str(_home(task)), "ANTHROPIC_BASE_URL": task.gateway, "ANTHROPIC_API_KEY": task.token}


def _given(task: Task) -> Iterator[str]:
    yield from ("--resume", task.resume) if task.resume else ("--session-id", str(uuid.uuid4()))
    if task.model:
        yield from ("--model", task.model)
    if task.system:
        yield from ("--append-system-prompt-file", str(_system(task)))
    if task.servers:
        yield from ("--mcp-config", str(_servers(task)))
    if task.max_requests is not None:
        yield from ("--max-turns", str(task.max_requests))
    if task.max_cost_usd is not None and not task.gateway:
        # It makes up prices of models that it does not know, and would end too soon where the gateway holds it anyway.
        yield from ("--max-budget-usd", f"{max(task.max_cost_usd, 0.000001):.6f}")
    if task.schema:
        yield from ("--json-schema", task.schema)


def _home(task: Task) -> Path:
    return task.home / "claude"


def _system(task: Task) -> Path:
    return task.home / "system.md"


def _servers(task: Task) -> Path:
    return task.home / "servers.json"


def _make(task: Task) -> None:
    _home(task).mkdir(mode=0o700, parents=True, exist_ok=True)
    if task.system:
        _system(task).write_text(task.system, "utf-8", "replace")
    if task.servers:
        servers = {one.name: _server(one) for one in task.servers}
        _servers(task).write_text(json.dumps({"mcpServers": servers}), "utf-8")


def _server(server: Server) -> dict[str, object]:
    if server.url:
        return {"type": "http", "url": server.url}
    return {"type": "stdio", "command": server.argv[0], "args": list(server.argv[1:]), "env": dict(server.env)}
