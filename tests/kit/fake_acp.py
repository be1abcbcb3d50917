"""An ACP agent that misbehaves as FAKE says; what it is answered it writes into FAKE_LOG, one JSON document a line.

It needs nothing but the standard library, and is a program of its own.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = dict[str, Any]
MODE = os.environ.get("FAKE", "good")
LOG = os.environ.get("FAKE_LOG", "")
TREE = str(Path.cwd())
OPTIONS = [
    {"optionId": "always", "name": "Always", "kind": "allow_always"},
    {"optionId": "proceed_once_and_change_mode", "name": "Allow, and edits too", "kind": "allow_once"},
    {"optionId": "once", "name": "Allow", "kind": "allow_once"},
    {"optionId": "never", "name": "Never", "kind": "reject_always"},
    {"optionId": "no", "name": "Reject", "kind": "reject_once"},
]
prompts = 0


def out(message: Json) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def log(message: object) -> None:
    if LOG:
        with Path(LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")


def read() -> Json:
    line = sys.stdin.readline()
    if not line:
        raise SystemExit(0)
    message: Json = json.loads(line)
    log(message)
    return message


def tell(what: str, /, **update: Any) -> None:
    out({"method": "session/update", "params": {"sessionId": "s1", "update": {"sessionUpdate": what, **update}}})


def say(words: str, **more: Any) -> None:
    tell("agent_message_chunk", content={"type": "text", "text": words}, **more)


def ask(call: Json, options: list[Json] | None = None, number: Any = 100) -> str:
    """Ask for permission: the chosen option, or `cancelled`."""
    options = OPTIONS if options is None else options
    out({"id": number, "method": "session/request_permission", "params": {"sessionId": "s1", "toolCall": call, "options": options}})
    while True:
        message = read()
        if message.get("id") == number and "method" not in message:
            outcome = message.get("result", {}).get("outcome", {})
            return str(outcome.get("optionId") or outcome.get("outcome"))


def command(id_: str, line: str, **more: Any) -> str:
    call = {"toolCallId": id_, "title": line, "kind": "execute", "status": "pending", "rawInput": {"command": line}} | more
    tell("tool_call", **call)
    chosen = ask(call)
    if chosen == "once":
        tell(
            "tool_call_update",
            toolCallId=id_,
            status="completed",
            content=[{"type": "content", "content": {"type": "text", "text": "out"}}],
        )
    else:
        tell("tool_call_update", toolCallId=id_, status="failed")
    return chosen


def good() -> str:
    say("I ")
    say("look.")
    tell("tool_call", toolCallId="r1", title="read", kind="read", status="pending", rawInput={}, locations=[])
    tell(
        "tool_call_update",
        toolCallId="r1",
        status="in_progress",
        rawInput={"filePath": f"{TREE}/calc.py"},
        locations=[{"path": f"{TREE}/calc.py"}],
    )
    # The request says less than what was told before.
    ask({"toolCallId": "r1", "title": "read", "kind": "read", "status": "pending", "rawInput": {}, "locations": []})
    tell("tool_call_update", toolCallId="r1", status="completed", rawOutput={"output": "def add"})
    command("c1", "make test")
    say("Done.")
    return "end_turn"


def stops() -> str:
    return "end_turn" if command("c1", "git push") != "once" else "refusal"


def goes_on() -> str:
    command("c1", "git push")
    say("Then not.")
    return "end_turn"


def edited() -> str:
    if prompts == 1:
        command("c1", "rm -rf build")
        return "end_turn"
    command("c2", "rm -r build/tmp")
    return "end_turn"


def files() -> str:
    def diff(path: str, old: str | None, new: str) -> Json:
        return {"type": "diff", "path": path, "oldText": old, "newText": new}

    new = [
        diff(f"{TREE}/new.txt", None, "hello\n"),
        diff(f"{TREE}/calc.py", "def add(a, b):\n    return a - b\n", "def add(a, b):\n    return a + b\n"),
    ]
    ask({"toolCallId": "e1", "kind": "edit", "title": "edit", "content": new, "locations": []})
    raw = {"file_path": f"{TREE}/calc.py", "old_string": "a - b", "new_string": "a + b"}
    ask({"toolCallId": "e2", "kind": "edit", "title": "edit", "rawInput": raw, "locations": [{"path": f"{TREE}/calc.py"}]})
    ask({"toolCallId": "e3", "kind": "edit", "title": "edit", "rawInput": {}, "locations": [{"path": f"{TREE}/calc.py"}]})
    ask({"toolCallId": "e4", "kind": "edit", "title": "edit", "content": new[:1], "locations": [{"path": "/etc/passwd"}]})
    ask({"toolCallId": "e5", "kind": "delete", "title": "delete", "locations": [{"path": f"{TREE}/calc.py"}]})
    ask({"toolCallId": "r1", "kind": "read", "title": "read", "locations": [{"path": "/etc/passwd"}]})
    ask({"toolCallId": "x1", "kind": "fetch", "title": "Fetch it", "rawInput": {"url": "http://x"}, "_meta": {"toolName": "web fetch"}})
    return "end_turn"


def strange() -> str:
    ask({}, number="a")
    ask({"toolCallId": "c1", "kind": "execute", "rawInput": {}}, number="b")
    ask({"toolCallId": "c2", "kind": "execute", "rawInput": {"command": ["git", "log"], "cwd": "/tmp"}}, [OPTIONS[0]], number="c")
    for number, method in (("d", "fs/write_text_file"), ("e", "fs/read_text_file"), ("f", "terminal/create"), ("g", "craft/x")):
        out(
            {
                "id": number,
                "method": method,
                "params": {"sessionId": "s1", "path": f"{TREE}/pwned", "content": "x", "command": "touch pwned"},
            }
        )
    sys.stdout.write("Loading...\n[1]\n")
    tell("tool_call_update", toolCallId=7, status=[])
    out(
        {
            "method": "session/update",
            "params": {
                "sessionId": "other",
                "update": {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "not mine"}},
            },
        }
    )
    out({"method": "session/update", "params": {"update": None}})
    tell("tool_call", toolCallId="k1", kind="execute", title="ls", status="completed", rawInput={"command": "ls"}, rawOutput="files")
    return "end_turn"


def big() -> str:
    tell("tool_call", toolCallId="c1", kind="execute", title="yes", status="pending", rawInput={"command": "yes"})
    text = "y" * 1_000_000
    tell(
        "tool_call_update",
        toolCallId="c1",
        status="completed",
        content=[{"type": "content", "content": {"type": "text", "text": text}}],
    )
    return "end_turn"


def figures() -> str:
    for _ in range(2):
        usage = {"inputTokens": 100, "outputTokens": 10, "totalTokens": 110, "thoughtTokens": 0, "cachedReadTokens": 60}
        say("", _meta={"usage": usage})
    return "end_turn"


def hold() -> str:
    ask({"toolCallId": "c1", "kind": "execute", "title": "make", "rawInput": {"command": "make"}})
    while True:
        read()


def cut() -> str:
    say("half a")
    sys.stderr.write("Segmentation fault\n")
    raise SystemExit(139)


def fail(error: Json) -> Callable[[], str]:
    def play() -> str:
        raise Failing(error)

    return play


class Failing(Exception):
    """The prompt is answered with an error."""


BUDGET = "loopdeck: this run's budget (cost_usd) is used up, so no further model call is made."
PLAYS: dict[str, Callable[[], str]] = {
    "good": good, "stops": stops, "goes_on": goes_on, "edited": edited, "files": files, "strange": strange, "big": big,
    "figures": figures, "hold": hold, "cut": cut, "forgetful": good, "replays": good, "version": good, "login": good,
    "budget": fail({"code": -32603, "message": "Internal error", "data": {"details": f"400 {BUDGET}"}}),
    "budget2": fail({"code": 400, "message": json.dumps({"error": {"code": 400, "message": BUDGET}})}),
    "busy": fail({"code": -32603, "message": "Internal error", "data": {"details": "529 overloaded"}}),
    "failing": fail({"code": -32603, "message": "Internal error"}),
    "refusal": lambda: "refusal", "turns": lambda: "max_turn_requests", "cancelled": lambda: "cancelled", "odd": lambda: "??",
}  # fmt: skip


def open_session(message: Json) -> None:
    number, method = message["id"], message["method"]
    if MODE == "forgetful" and method == "session/load":
        out({"id": number, "error": {"code": -32602, "message": "no such session"}})
        return
    if MODE == "login":
        out({"id": number, "error": {"code": -32000, "message": "Authentication required"}})
        return
    if method == "session/load":
        say("What I said long ago.")
        tell("tool_call", toolCallId="old", kind="execute", title="x", status="completed", rawInput={"command": "old"})
        say("", _meta={"usage": {"inputTokens": 9, "outputTokens": 9, "totalTokens": 18}})
    modes = {"currentModeId": "auto", "availableModes": [{"id": "auto"}, {"id": "default"}]}
    models = {"currentModelId": "a", "availableModels": [{"modelId": "a"}, {"modelId": "m2"}]}
    out({"id": number, "result": {"sessionId": "s1", "modes": modes, "models": models}})


def main() -> None:
    global prompts
    match MODE:
        case "exit":
            sys.stderr.write("no such option\n")
            raise SystemExit(2)
        case "rubbish":
            sys.stdout.write("hello\n" * 5000)
            sys.stdout.flush()
            time.sleep(60)
        case "silent":
            time.sleep(60)
    log({"argv": sys.argv[1:], "env": dict(os.environ)})
    while True:
        message = read()
        number = message.get("id")
        match message.get("method"):
            case "initialize":
                able = {"loadSession": MODE != "unable"}
                out({"id": number, "result": {"protocolVersion": 9 if MODE == "version" else 1, "agentCapabilities": able}})
            case "session/new" | "session/load":
                open_session(message)
            case "session/prompt":
                prompts += 1
                try:
                    stop = PLAYS[MODE]()
                except Failing as failing:
                    out({"id": number, "error": failing.args[0]})
                    continue
                usage = {"inputTokens": 50, "outputTokens": 5, "totalTokens": 75, "cachedReadTokens": 20}
                quota = {"quota": {"token_count": {"input_tokens": 70, "output_tokens": 5}}}
                out({"id": number, "result": {"stopReason": stop, "usage": usage, "_meta": quota}})
            case "session/cancel":
                pass
            case _ if number is not None:
                out({"id": number, "result": {}})


if __name__ == "__main__":
    main()
