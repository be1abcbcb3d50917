"""Tools of other agents by our names, and their arguments in ours: for the gate's rules, and for a person to read and edit.

A foreign call is shown as the call of our own tool that does the same, because rules are written for those. Invariant: it is shown as
one of ours only if it stays where ours would stay, in the worktree; a path that leads out of it, by a link too, makes it a tool of
another name (`read_outside`), which no default allows. What a person edited is put onto the agent's own arguments, and nothing else.
"""

import json
import math
import os
import posixpath
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from loopdeck.agents.outside.port import Shown

Json = dict[str, Any]
_MCP = "mcp__"
_OUTSIDE = "_outside"
_BLANKS = (
    string.whitespace + "\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
)
_WRITING = ("write_file", "edit_file")


class Unfit(Exception):
    """What a person edited can't be put onto the agent's own arguments; the message says why."""


class Tool(Struct, frozen=True):
    """An agent's tool that does what one of ours does. `fields` are ours with theirs; `kept` are theirs that are shown as they are.

    `path` is our field that holds a path, `milliseconds` that its time is in those, where ours is in seconds.
    """

    ours: str
    fields: Mapping[str, str]
    path: str = ""
    kept: tuple[str, ...] = ()
    milliseconds: bool = False


CLAUDE: Mapping[str, Tool] = {
    "Bash": Tool("bash", {"command": "command", "timeout_s": "timeout"}, kept=("run_in_background",), milliseconds=True),
    "Read": Tool("read_file", {"path": "file_path", "offset": "offset", "limit": "limit"}, "path"),
    "Write": Tool("write_file", {"path": "file_path", "content": "content"}, "path"),
    "Edit": Tool("edit_file", {"path": "file_path", "old": "old_string", "new": "new_string", "replace_all": "replace_all"}, "path"),
    "MultiEdit": Tool("edit_file", {"path": "file_path", "edits": "edits"}, "path"),
    "NotebookEdit": Tool(
        "edit_file", {"path": "notebook_path", "new": "new_source"}, "path", kept=("cell_id", "cell_type", "edit_mode")
    ),
    "Glob": Tool("glob", {"pattern": "pattern", "path": "path"}, "path"),
    "Grep": Tool("grep", {"pattern": "pattern", "path": "path", "glob": "glob"}, "path"),
    "Skill": Tool("skill", {"name": "skill", "args": "args"}),
}  # fmt: skip
"""Claude Code's, and those of agents that name theirs like it."""


class Tongue:
    """How an agent names its tools. `servers` are the MCP servers it was given, by the names that the loop file has for them."""

    def __init__(self, worktree: Path, tools: Mapping[str, Tool] = CLAUDE, servers: tuple[str, ...] = ()) -> None:
        self._worktree = worktree
        self._tools = tools
        self._servers = {_as_named(name): name for name in servers}

    def shown(self, call: str, name: str, given: Mapping[str, Any]) -> Shown:
        """A call of its as the gate gets to see it."""
        tool = self._tools.get(name)
        if tool is None:
            return Shown(call, self._named(name), _text(given), name)
        arguments: Json = {}
        for ours, theirs in tool.fields.items():
            if theirs in given and given[theirs] is not None:
                arguments[ours] = self._ours(tool, ours, given[theirs])
        arguments |= {key: given[key] for key in tool.kept if given.get(key)}
        if tool.ours == "bash" and not arguments.get("timeout_s"):
            arguments.pop("timeout_s", None)
        ours_too = self._stays(tool, arguments)
        return Shown(call, tool.ours if ours_too else f"{name.lower()}{_OUTSIDE}", _text(arguments), name)

    def given_back(self, name: str, given: Mapping[str, Any], arguments: str) -> Json:
        """Its own arguments with what a person edited. Raises Unfit."""
        try:
            edited = json.loads(arguments)
        except (ValueError, RecursionError) as error:
            raise Unfit("the edited arguments are no JSON") from error
        if not isinstance(edited, dict):
            raise Unfit("the edited arguments are no JSON object")
        tool = self._tools.get(name)
        if tool is None:
            return edited
        strange = edited.keys() - tool.fields.keys() - set(tool.kept)
        if strange:
            raise Unfit(f"{tool.ours} of this agent takes no {', '.join(sorted(strange))}")
        # What the person took out is gone from theirs too; what was never shown stays.
        own = {key: value for key, value in given.items() if key not in tool.fields.values() and key not in tool.kept}
        for ours, theirs in tool.fields.items():
            if ours in edited:
                own[theirs] = self._theirs(tool, ours, edited[ours])
        return own | {key: edited[key] for key in tool.kept if key in edited}

    def _named(self, name: str) -> str:
        """An MCP server's tool as `server.tool`; any other in lower case."""
        if not name.startswith(_MCP):
            return name.lower()
        rest = name.removeprefix(_MCP)
        known = [one for one in self._servers if rest.startswith(f"{one}__")]
        if known:
            server = max(known, key=len)
            return f"{self._servers[server]}.{rest.removeprefix(f'{server}__')}"
        return rest.replace("__", ".", 1)

    def _ours(self, tool: Tool, field: str, value: object) -> object:
        if field == "timeout_s" and tool.milliseconds and isinstance(value, int | float):
            return value / 1000
        return inside(self._worktree, value) if field == tool.path and isinstance(value, str) else value

    def _theirs(self, tool: Tool, field: str, value: object) -> object:
        if field == "timeout_s" and tool.milliseconds and isinstance(value, int | float):
            if not math.isfinite(value):
                raise Unfit("a time without end is none")
            return int(value * 1000)
        # Agents want their paths whole.
        return str(self._worktree / value) if field == tool.path and isinstance(value, str) else value

    def _stays(self, tool: Tool, arguments: Json) -> bool:
        """True if what it touches lies in the worktree, wherever links lead."""
        if tool.ours == "glob" and _leads_out(str(arguments.get("pattern", ""))):
            return False
        if tool.ours == "grep" and _leads_out(str(arguments.get("glob", ""))):
            return False
        path = arguments.get(tool.path)
        if not tool.path or path is None:
            return True
        # Of a path out of the worktree that is to be written the gate says that it is one.
        return isinstance(path, str) and (tool.ours in _WRITING or not _leads_out(path))


def inside(worktree: Path, path: str) -> str:
    """The place that a path leads to, links followed: relative to the worktree, with `/`; as it is if it leads out of there.

    Read as agents read one: without blanks around it, `~` as a home.
    """
    path = path.strip(_BLANKS)
    if "\0" in path:
        return f"/{path}"
    if path.startswith("~"):
        path = os.path.expanduser(path)  # noqa: PTH111 - that of Path raises where there is no such user
        path = path if path.startswith("/") else f"/{path}"
    root = os.path.realpath(worktree)
    real = os.path.realpath(worktree / path)
    if real == root:
        return "."
    return real[len(root) + 1 :] if real.startswith(f"{root}/") else real


def _leads_out(pattern: str) -> bool:
    pattern = pattern.strip(_BLANKS)
    return "\0" in pattern or pattern.startswith(("/", "~")) or posixpath.normpath(pattern or ".").startswith("..")


def _as_named(server: str) -> str:
    """A server's name as it stands in the names of its tools."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in server)


def _text(arguments: Mapping[str, Any]) -> str:
    return json.dumps(dict(arguments), ensure_ascii=False)
