"""A `codex app-server` that misbehaves as FAKE says; what it is answered it writes into FAKE_LOG, one JSON document a line.

It needs nothing but the standard library, and is a program of its own.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]
MODE = os.environ.get("FAKE", "good")
LOG = os.environ.get("FAKE_LOG", "")
TREE = str(Path.cwd())


def out(message: Json) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def log(message: object) -> None:
    if LOG:
        with Path(LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")


def tell(method: str, **params: Any) -> None:
    out({"method": method, "params": {"threadId": "t1", "turnId": "u1", **params}})


def read() -> Json:
    line = sys.stdin.readline()
    if not line:
        raise SystemExit(0)
    message: Json = json.loads(line)
    log(message)
    return message


def used(total: int, last: int = 100, **more: Any) -> None:
    figures = {
        "inputTokens": last - 10,
        "cachedInputTokens": 20,
        "cacheWriteInputTokens": 5,
        "outputTokens": 10,
        "reasoningOutputTokens": 3,
    }
    tell("thread/tokenUsage/updated", tokenUsage={"last": figures | {"totalTokens": last}, "total": {"totalTokens": total}}, **more)


def done(status: str = "completed", **more: Any) -> None:
    tell("turn/completed", turn={"id": "u1", "status": status, "items": [], "error": None, **more})


def say(words: str) -> None:
    tell("item/completed", item={"type": "agentMessage", "id": f"m{time.monotonic_ns()}", "text": words})


def command(id_: str, line: str, output: str = "out\n", cwd: str = TREE, **asked: Any) -> str:
    """Ask for a command and report what came of it; the decision."""
    item = {"type": "commandExecution", "id": id_, "command": line, "cwd": cwd, "status": "inProgress", "commandActions": []}
    tell("item/started", item=item)
    decision = ask("item/commandExecution/requestApproval", itemId=id_, command=line, cwd=cwd, startedAtMs=1, **asked)
    if decision == "accept":
        tell("item/completed", item=item | {"status": "completed", "aggregatedOutput": output, "exitCode": 0})
    elif decision == "decline":
        tell("item/completed", item=item | {"status": "declined"})
    return decision


def ask(method: str, number: Any = 7, **params: Any) -> str:
    out({"method": method, "id": number, "params": {"threadId": "t1", "turnId": "u1", **params}})
    while True:
        message = read()
        if message.get("id") == number and "method" not in message:
            return str(message.get("result", {}).get("decision", "error"))
        common(message)


def change(id_: str, *changes: Json) -> str:
    item = {"type": "fileChange", "id": id_, "changes": list(changes), "status": "inProgress"}
    tell("item/started", item=item)
    decision = ask("item/fileChange/requestApproval", itemId=id_, startedAtMs=1)
    if decision != "cancel":
        tell("item/completed", item=item | {"status": "completed" if decision == "accept" else "declined"})
    return decision


def common(message: Json) -> None:
    """Answer what may come at any time."""
    match message.get("method"):
        case "turn/interrupt":
            out({"id": message["id"], "result": {}})
            done("interrupted")
        case "turn/steer" | "thread/backgroundTerminals/clean":
            out({"id": message["id"], "result": {}})
        case _:
            pass


def opened(message: Json) -> None:
    """Answer thread/start or thread/resume."""
    if MODE == "forgotten" and message["method"] == "thread/resume":
        out({"id": message["id"], "error": {"code": -32600, "message": "no rollout found for thread id t1"}})
        return
    out({"id": message["id"], "result": {"thread": {"id": "t1"}, "model": "gpt-5"}})
    if message["method"] == "thread/resume":
        used(100, turnId="u0")


def good() -> None:
    say("I look.")
    command("c1", "/bin/bash -lc 'cat calc.py'", "def add...\n")
    used(100)
    change(
        "f1",
        {
            "path": f"{TREE}/calc.py",
            "kind": {"type": "update"},
            "diff": "@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a - b\n+    return a + b\n",
        },
    )
    used(200)
    say("Done.")
    used(300)
    used(300)
    done()


def denied() -> None:
    decision = command("c1", "/bin/bash -lc 'git push'")
    if decision == "cancel":
        done("interrupted")
        return
    say("Then not.")
    done()


def edited() -> None:
    command("c1", "/bin/bash -lc 'rm -rf build'")
    command("c2", "/bin/bash -lc 'rm -r build/tmp'")
    done()


def files() -> None:
    change(
        "f1",
        {"path": f"{TREE}/new.txt", "kind": {"type": "add"}, "diff": "hello\n"},
        {"path": f"{TREE}/old.txt", "kind": {"type": "delete"}, "diff": "bye\n"},
        {"path": f"{TREE}/a.txt", "kind": {"type": "update", "move_path": f"{TREE}/b.txt"}, "diff": "@@ -1 +1 @@\n-a\n+b\n"},
        {"path": "/etc/passwd", "kind": {"type": "add"}, "diff": "root\n"},
    )
    done()


def strange() -> None:
    """Everything that it does not say properly."""
    ask("item/fileChange/requestApproval", number="a", itemId="unknown", startedAtMs=1)
    ask("item/commandExecution/requestApproval", number="b", itemId="unknown", startedAtMs=1)
    ask("item/permissions/requestApproval", number="c", itemId="x", permissions={"network": {"enabled": True}})
    ask("item/tool/requestUserInput", number="d", itemId="x", questions=[])
    ask("mcpServer/elicitation/request", number="e", serverName="s")
    ask("attestation/generate", number="f")
    out({"method": "item/completed", "params": {"item": None}})
    out({"method": "item/completed", "params": {"item": {"type": 7, "id": []}}})
    out({"method": "thread/tokenUsage/updated", "params": {"turnId": "u1", "tokenUsage": {"last": "no"}}})
    out({"id": 4711, "result": {}})
    sys.stdout.write("[1, 2]\n\nnull\nnot json at all\n")
    sys.stdout.write('{"method": "item/started", "params": ' + "[" * 5000 + "\n")
    tell(
        "item/completed",
        item={
            "type": "commandExecution",
            "id": "c9",
            "command": "ls",
            "cwd": TREE,
            "status": "completed",
            "aggregatedOutput": "x",
            "exitCode": 3,
        },
    )
    tell("item/commandExecution/terminalInteraction", itemId="c9", processId="1", stdin="echo typed\n")
    tell("item/commandExecution/terminalInteraction", itemId="c9", processId="1", stdin="")
    done()


def hold() -> None:
    ask("item/commandExecution/requestApproval", itemId="c1", command="/bin/bash -lc 'make'", cwd=TREE, startedAtMs=1)
    while True:
        common(read())


def failing(info: object, message: str) -> Callable[[], None]:
    def play() -> None:
        tell("error", error={"message": message, "codexErrorInfo": info}, willRetry=False)
        done("failed", error={"message": message, "codexErrorInfo": info, "additionalDetails": None})

    return play


def retried() -> None:
    for n in range(3):
        error = {"message": f"Reconnecting... {n + 1}/5", "codexErrorInfo": {"responseStreamDisconnected": {"httpStatusCode": 529}}}
        tell("error", error=error | {"additionalDetails": "overloaded"}, willRetry=True)
    done()


def big() -> None:
    command("c1", "/bin/bash -lc 'yes'", "y" * 1_000_000)
    done()


def cut() -> None:
    say("half a")
    command("c1", "/bin/bash -lc 'make'", "")
    sys.stderr.write("thread 'main' panicked\n")
    raise SystemExit(3)


def running() -> None:
    item = {"type": "commandExecution", "id": "c1", "command": "sleep 99", "cwd": TREE, "status": "inProgress", "commandActions": []}
    tell("item/started", item=item)
    ask("item/commandExecution/requestApproval", itemId="c1", command="sleep 99", cwd=TREE, startedAtMs=1)
    done()


def tool() -> None:
    item = {"type": "mcpToolCall", "id": "x1", "server": "s", "tool": "shout", "arguments": {"word": "x"}, "status": "inProgress"}
    tell("item/started", item=item)
    ask("mcpServer/elicitation/request", serverName="s", message="Allow?", mode="form")
    tell("item/completed", item=item | {"status": "completed", "result": {"content": [{"type": "text", "text": "LOUD"}]}})
    done()


def stuck() -> None:
    """Never ends its turn, whatever it is told, and does not even end."""
    while True:
        read()


REFUSED = json.dumps({"error": {"message": "loopdeck: this run's budget (cost_usd) is used up, so no further model call is made."}})
PLAYS: dict[str, Callable[[], None]] = {
    "good": good, "denied": denied, "edited": edited, "files": files, "strange": strange, "hold": hold, "retried": retried, "big": big,
    "cut": cut, "running": running, "tool": tool, "stuck": stuck, "forgotten": good,
    "budget": failing("other", REFUSED),
    "context": failing("contextWindowExceeded", "too long"),
    "auth": failing({"responseTooManyFailedAttempts": {"httpStatusCode": 401}}, "no key"),
    "busy": failing({"responseTooManyFailedAttempts": {"httpStatusCode": 529}}, "busy"),
    "lost": failing("other", "stream disconnected before completion: error sending request"),
}  # fmt: skip


def lines() -> Iterator[Json]:
    while True:
        yield read()


def main() -> None:
    match MODE:
        case "exit":
            sys.stderr.write("codex: cannot start\n")
            raise SystemExit(1)
        case "rubbish":
            sys.stdout.write("Welcome!\n" * 5000)
            sys.stdout.flush()
            time.sleep(60)
        case "silent":
            time.sleep(60)
        case _:
            pass
    log({"argv": sys.argv[1:], "env": {name: os.environ.get(name) for name in ("CODEX_HOME", "OPENAI_API_KEY", "TMPDIR")}})
    for message in lines():
        match message.get("method"):
            case "initialize":
                out({"id": message["id"], "result": {"userAgent": "fake"}})
            case "thread/start" | "thread/resume":
                opened(message)
            case "turn/start":
                out({"id": message["id"], "result": {"turn": {"id": "u1"}}})
                tell("turn/started", turn={"id": "u1"})
                PLAYS[MODE]()
            case _:
                common(message)


if __name__ == "__main__":
    main()
