"""Tool calls of ACP agents as calls of ours, and their figures as ours.

Agents describe a call in pieces: a first word, updates, the request for permission; `merged` is all that is known of it. Invariant:
what is shown of a writing call names every path and text that would be written; a call that does not tell so much is not shown as
one of ours, and `shown` is empty.
"""

import json
import re
import shlex
from pathlib import Path

from loopdeck.agents.outside import patches
from loopdeck.agents.outside.codexcalls import unwrapped
from loopdeck.agents.outside.foreign import inside
from loopdeck.agents.outside.listening import Json, count, part, parts, text
from loopdeck.agents.outside.port import Shown
from loopdeck.core.usage import Usage

_COMMAND = ("command", "cmd", "script")
_CWD = ("cwd", "workdir", "directory", "dir_path")
_PATH = ("filePath", "file_path", "filepath", "absolute_path", "path", "notebook_path")
_OLD = ("oldString", "old_string", "old_str", "oldText")
_NEW = ("newString", "new_string", "new_str", "newText")
_CONTENT = ("content", "contents", "file_text")
_NAME, _PRINTED, _EXIT = "_name", "_printed", "_exit"
_MOST_PRINTED = 1_000_000
_STRANGE = re.compile(r"[^A-Za-z0-9_-]+")
_PREFERRED = ("once", "proceed_once", "allow_once", "allow", "approved", "reject", "reject_once", "cancel", "abort", "deny")


def merged(known: Json, more: Json) -> Json:
    """What is known of a call, with a later word on it: what the later one leaves empty stays, and its first title is its name."""
    named = dict(known) or {_NAME: text(more, "title")}
    meta = part(more, "_meta")
    if printed := text(part(meta, "terminal_output"), "data"):
        named[_PRINTED] = (text(named, _PRINTED) + printed)[-_MOST_PRINTED:]
    if code := count(part(meta, "terminal_exit"), "exit_code"):
        named[_EXIT] = code
    return named | {key: value for key, value in more.items() if value not in (None, "", [], {})}


def shown(agent: str, worktree: Path, call: Json, servers: tuple[str, ...] = ()) -> tuple[Shown, ...]:
    """A call as ours; several for one that changes several files, none if it does not say what it does.

    `servers` are the names of the MCP servers that it was given.
    """
    if tool := _of_server(call, servers):
        return (Shown(text(call, "toolCallId"), tool, _json(part(call, "rawInput")), native=text(call, _NAME)),)
    id_, given = text(call, "toolCallId"), part(call, "rawInput")
    native = _native(call)
    match text(call, "kind"):
        case "execute":
            return _execute(id_, worktree, call, given, native)
        case "edit" | "delete" | "move":
            found = _written(worktree, call, given)
            return tuple(
                Shown(id_ + (f":{n}" if n else ""), one.tool, one.arguments, native=native or "edit") for n, one in enumerate(found)
            )
        case "read":
            path = _first(given, _PATH) or next((text(one, "path") for one in parts(call, "locations")), "")
            if not path:
                return (Shown(id_, _named(agent, native or "read"), _json(given), native=native),)
            place = inside(worktree, path)
            outside = place.startswith("/")
            return (Shown(id_, "read_outside" if outside else "read_file", _json({"path": place}), native=native or "read"),)
        case "search":
            place = inside(worktree, _first(given, ("path", *_CWD, "dir_path")) or ".")
            pattern = _first(given, ("pattern", "query", "regex"))
            known = bool(pattern) and not place.startswith("/") and not pattern.startswith(("/", "~", ".."))
            if known and "glob" in native.lower():
                return (Shown(id_, "glob", _json({"pattern": pattern if place == "." else f"{place}/{pattern}"}), native=native),)
            tool = "grep" if known else _named(agent, native or "search")
            return (Shown(id_, tool, _json({"pattern": pattern, "path": place} if known else given), native=native or "search"),)
        case kind:
            return (Shown(id_, _named(agent, native or kind or "tool"), _json(given or {"title": text(call, "title")}), native=native),)


def outcome(call: Json) -> tuple[str, bool]:
    """What a call came to, as text, and whether that is a failure."""
    said = [text(part(one, "content"), "text") for one in parts(call, "content") if text(one, "type") == "content"]
    raw = call.get("rawOutput")
    if isinstance(raw, dict):
        raw = text(raw, "output") or text(raw, "text") or text(raw, "error")
    words = "\n".join(one for one in said if one) or (raw if isinstance(raw, str) else "") or text(call, _PRINTED)
    code = count(call, _EXIT)
    failed = text(call, "status") == "failed" or bool(code)
    words += f"\n[exit code {code}]" if code else ""
    return words or ("It failed." if failed else "Done."), failed


def plainest(options: list[Json], kind: str) -> str:
    """The id of the option of this kind that does nothing else besides; empty if there is none."""
    ids = [text(one, "optionId") for one in options if text(one, "kind") == kind]
    known = [one for one in _PREFERRED if one in ids]
    return known[0] if known else min(ids, key=len, default="")


def usage(told: Json) -> Usage:
    """Figures of any agent's as disjoint ones; whether its input has the cached tokens inside is seen from its sum."""
    fresh, output = count(told, "inputTokens"), count(told, "outputTokens")
    read, write, thought = count(told, "cachedReadTokens"), count(told, "cachedWriteTokens"), count(told, "thoughtTokens")
    total = count(told, "totalTokens")
    if total == fresh + output + read + write + thought:
        return Usage(fresh, output + thought, read, write)
    if total == fresh + output + read + write:
        return Usage(fresh, output, read, write)
    cached = min(read + write, fresh)
    read = min(read, cached)
    return Usage(fresh - cached, output + (thought if total == fresh + output + thought else 0), read, cached - read)


def _execute(id_: str, worktree: Path, call: Json, given: Json, native: str) -> tuple[Shown, ...]:
    line = _first(given, _COMMAND)
    for key in _COMMAND:
        words = given.get(key)
        if not line and isinstance(words, list) and all(isinstance(one, str) for one in words):
            line = shlex.join(words)
    # Gemini says its command nowhere else.
    line = line or text(call, "title")
    if not line.strip():
        return ()
    line = unwrapped(line)
    cwd = _first(given, _CWD)
    there = inside(worktree, cwd) if cwd else "."
    if there != ".":
        line = f"cd {shlex.quote(there)} && {line}"
    return (Shown(id_, "bash", _json({"command": line}), native=native or "execute"),)


def _written(worktree: Path, call: Json, given: Json) -> list[patches.FileCall]:
    """The changes of a call that writes: by the texts that it shows, else by its arguments; empty if neither tells them."""
    found = []
    for one in parts(call, "content"):
        path = text(one, "path")
        if text(one, "type") != "diff" or not path:
            continue
        old, new = text(one, "oldText"), text(one, "newText")
        current = patches.read(worktree, path)
        if not old or current is None:
            found.append(patches.written(worktree, path, new))
        elif current in (old, new):
            found.append(patches.replaced(worktree, path, old, new))
        else:
            found.append(patches.edited(worktree, path, old, new))
    path = _first(given, _PATH)
    if not found and path and any(key in given for key in _NEW):
        found = [patches.edited(worktree, path, _first(given, _OLD), _first(given, _NEW))]
    elif not found and path and any(key in given for key in _CONTENT):
        found = [patches.written(worktree, path, _first(given, _CONTENT))]
    elif not found and text(call, "kind") in ("delete", "move"):
        places = [text(one, "path") for one in parts(call, "locations")] or [path]
        found = [patches.deleted(worktree, one, "") for one in places if one]
    # A place that is named, and that no shown text covers, would be changed unseen.
    covered = {inside(worktree, json.loads(one.arguments)["path"]) for one in found}
    places = [inside(worktree, text(one, "path")) for one in parts(call, "locations") if text(one, "path")]
    return found if all(one in covered for one in places) else []


def _native(call: Json) -> str:
    """The agent's own name of the tool, as far as it tells one."""
    named = text(part(call, "_meta"), "toolName") or text(part(part(call, "_meta"), "claudeCode"), "toolName")
    return named or text(call, "toolCallId").partition("__")[0] * ("__" in text(call, "toolCallId"))


def _of_server(call: Json, servers: tuple[str, ...]) -> str:
    """A tool of one of these servers as `server.tool`, by the ways in which agents name such tools; empty for any other."""
    if text(call, "kind") not in ("", "other", "fetch", "think"):
        return ""
    for name in (_native(call), text(call, _NAME)):
        for server in servers:
            for form in (f"mcp__{server}__", f"mcp_{server}_", f"{server}__", f"{server}_", f"{server}."):
                tool = name.removeprefix(form)
                if tool != name and tool and not _STRANGE.search(tool):
                    return f"{server}.{tool}"
            tool = name.removesuffix(f" ({server} MCP Server)")
            if tool != name and tool and not _STRANGE.search(tool):
                return f"{server}.{tool}"
    return ""


def _named(agent: str, name: str) -> str:
    """A tool that we have none for: `agent.tool`, as rules name a connector's."""
    return f"{agent}.{_STRANGE.sub('_', name)[:64] or 'tool'}"


def _first(given: Json, keys: tuple[str, ...]) -> str:
    return next((found for key in keys if (found := text(given, key))), "")


def _json(arguments: Json) -> str:
    return json.dumps(arguments, ensure_ascii=False)
