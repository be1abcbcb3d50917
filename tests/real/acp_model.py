"""A model for the real agents that speak ACP: each has tools of its own names; what was done so far says what comes next."""

import json
import re

from tests.kit.model_talk import Answer, Call, Request

_TOOLS = {
    "opencode": {"read": "read", "edit": "edit", "run": "bash", "path": "filePath", "old": "oldString", "new": "newString"},
    "pi": {"read": "read", "edit": "edit", "run": "bash", "path": "path", "old": "oldText", "new": "newText"},
    "gemini": {
        "read": "read_file",
        "edit": "replace",
        "run": "run_shell_command",
        "path": "file_path",
        "old": "old_string",
        "new": "new_string",
    },
    "qwen": {
        "read": "read_file",
        "edit": "edit",
        "run": "run_shell_command",
        "path": "file_path",
        "old": "old_string",
        "new": "new_string",
    },
}


def fixer(request: Request) -> Answer:
    """Reads, edits, runs, tidies, says so; takes a denial for an answer."""
    if not request.tools:
        return Answer("A title")
    names = _TOOLS[
        "pi"
        if len(request.tools) == 4
        else "opencode"
        if "bash" in request.tools
        else "gemini"
        if "replace" in request.tools
        else "qwen"
    ]
    if names["run"] not in request.tools:
        # A request on the side, such as a look at whether it is done.
        return Answer("Done.")
    said = request.raw.decode("utf-8", "replace")
    found = re.search(r"(/[^\s\"'\\]*worktrees/mend-[^\s\"'\\/]+)", said)
    path = f"{found[1] if found else '.'}/calc.py"
    made = calls(request)
    if names["read"] not in made:
        return Answer("I look.", calls=(call(names["read"], **{names["path"]: path}),))
    if names["edit"] not in made:
        edit = {names["path"]: path, names["old"]: "a - b", names["new"]: "a + b", "instruction": "mend it"}
        return Answer("I mend it.", calls=(call(names["edit"], **edit),))
    for words, line in (("I try it.", "python3 try_calc.py"), ("I tidy up.", "rm -rf calc.py")):
        if line not in made:
            return Answer(words, calls=(call(names["run"], command=line, description="Step", is_background=False),))
    heard = "\n".join(request.texts)
    return Answer(f"Mended: it adds now; {'not tidied' if 'it is needed' in heard else 'tidied'}.")


def slow(request: Request) -> Answer:
    """Steps that take a moment each, to be killed among."""
    if not request.tools:
        return Answer("A title")
    run = next((one["run"] for one in _TOOLS.values() if one["run"] in request.tools), "")
    number = len(calls(request)) // 2
    if not run or number >= 6:
        return Answer("Done.")
    line = f"setsid sleep 0.4 & sleep 0.{number + 1}; echo {number} >> steps.txt"
    return Answer("A step.", calls=(call(run, command=line, description="Step", is_background=False),), delay_s=0.05)


def calls(request: Request) -> list[str]:
    """What it has called so far: of each call its tool, and its command if it has one."""
    body = request.body
    if "contents" in body:
        parts = [part for one in body["contents"] for part in one.get("parts") or () if "functionCall" in part]
        made = [(one["functionCall"]["name"], one["functionCall"].get("args") or {}) for one in parts]
    else:
        asked = [one["function"] for message in body.get("messages") or () for one in message.get("tool_calls") or ()]
        made = [(one["name"], json.loads(one["arguments"] or "{}")) for one in asked]
    return [word for name, given in made for word in (name, str(given.get("command", "")))]


def call(tool: str, **arguments: object) -> Call:
    """A call of one of its tools."""
    return Call(tool, json.dumps(arguments))
