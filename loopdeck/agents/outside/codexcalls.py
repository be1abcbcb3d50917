"""Codex's items as calls of ours, for the gate and the trace.

Invariant: a command is shown as what its shell will run; only a wrapper that certainly is one (`bash -lc SCRIPT`) is taken off.
"""

import json
import shlex
from pathlib import Path

from loopdeck.agents.outside import patches
from loopdeck.agents.outside.foreign import inside
from loopdeck.agents.outside.listening import Json, part, parts, text
from loopdeck.agents.outside.port import Shown

_SHELLS = frozenset({"bash", "sh", "zsh"})
_SCRIPT = frozenset({"-lc", "-c"})


def command(worktree: Path, asked: Json, item: Json) -> Shown | None:
    """A command that it wants to run, or has run; None if it does not say which."""
    line = text(asked, "command") or text(item, "command")
    if not line or part(asked, "networkApprovalContext"):
        return None
    script = unwrapped(line)
    cwd = text(asked, "cwd") or text(item, "cwd")
    there = inside(worktree, cwd) if cwd else "."
    if there != ".":
        script = f"cd {shlex.quote(there)} && {script}"
    id_ = text(asked, "approvalId") or text(asked, "itemId") or text(item, "id")
    return Shown(id_, "bash", _json(command=script), native="exec_command")


def unwrapped(line: str) -> str:
    """The script of a shell that is started for it alone; any other command line as it is."""
    try:
        words = shlex.split(line)
    except ValueError:
        return line
    if len(words) == 3 and Path(words[0]).name in _SHELLS and words[1] in _SCRIPT:
        return words[2]
    return line


def changes(worktree: Path, item: Json) -> tuple[Shown, ...]:
    """A change of files, as a call for each path in it; empty if it can't be told what it changes."""
    shown: list[Shown] = []
    for one in parts(item, "changes"):
        path, diff, kind = text(one, "path"), text(one, "diff"), part(one, "kind")
        match text(kind, "type"):
            case "add" if path:
                found: tuple[patches.FileCall, ...] = (patches.written(worktree, path, diff),)
            case "delete" if path:
                found = (patches.deleted(worktree, path, diff),)
            case "update" if path:
                found = patches.patched(worktree, path, diff, text(kind, "move_path"))
            case _:
                return ()
        for call in found:
            id_ = text(item, "id") + (f":{len(shown)}" if shown else "")
            shown.append(Shown(id_, call.tool, call.arguments, native="apply_patch"))
    return tuple(shown)


def tool(item: Json) -> Shown | None:
    """A call of a server's tool."""
    server, name = text(item, "server") or "codex", text(item, "tool")
    given = item.get("arguments")
    arguments = json.dumps(given if isinstance(given, dict) else {}, ensure_ascii=False)
    return Shown(text(item, "id"), f"{server}.{name}", arguments, native=name) if name else None


def typed(id_: str, stdin: str) -> Shown:
    """Something typed into a command that runs."""
    return Shown(id_, "bash", _json(command=stdin), native="write_stdin")


def outcome(item: Json) -> tuple[str, bool]:
    """What a completed item came to, as text, and whether that is a failure."""
    status = text(item, "status")
    match text(item, "type"):
        case "commandExecution":
            code = item.get("exitCode")
            output = text(item, "aggregatedOutput")
            if status == "declined":
                return "Not run.", True
            return (output if code in (0, None) else f"{output}\n[exit code {code}]"), status != "completed" or code not in (0, None)
        case "fileChange":
            return {"completed": "Done.", "declined": "Not made."}.get(status, "It could not be made."), status != "completed"
        case _:
            error = text(part(item, "error"), "message")
            said = "\n".join(text(one, "text") for one in parts(part(item, "result"), "content"))
            return error or said, bool(error) or status != "completed"


def _json(**arguments: str) -> str:
    return json.dumps(arguments, ensure_ascii=False)
