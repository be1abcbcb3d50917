"""A `claude` that speaks the stdio control protocol and misbehaves as FAKE says; what it is sent it writes into FAKE_LOG.

It needs nothing but the standard library, and is a program of its own.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = dict[str, Any]
MODE = os.environ.get("FAKE", "good")
LOG = os.environ.get("FAKE_LOG", "")
TREE = str(Path.cwd())
ARGS = sys.argv[1:]
numbers = itertools.count(1)


def flag(name: str) -> str:
    return ARGS[ARGS.index(name) + 1] if name in ARGS else ""


SESSION = flag("--resume") or flag("--session-id")


def log(message: object) -> None:
    if LOG:
        with Path(LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")


def out(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def read() -> Json:
    line = sys.stdin.readline()
    if not line:
        raise SystemExit(0)
    message: Json = json.loads(line)
    log(message)
    return message


def answered(request: str) -> Json:
    """The answer to a request of ours; an interrupt ends the turn."""
    while True:
        message = read()
        if message["type"] == "control_response" and message["response"]["request_id"] == request:
            return message["response"].get("response") or {"error": message["response"].get("error")}
        if message["type"] == "control_request" and message["request"]["subtype"] == "interrupt":
            out(type="control_response", response={"subtype": "success", "request_id": message["request_id"]})
            result("error_during_execution", is_error=True, terminal_reason="aborted_tools")
            raise SystemExit(0)


def ask(subtype: str, **request: Any) -> Json:
    number = f"r{next(numbers)}"
    out(type="control_request", request_id=number, request={"subtype": subtype, **request})
    return answered(number)


def event(lane: str | None = None, **told: Any) -> None:
    out(type="stream_event", event=told, parent_tool_use_id=lane, session_id=SESSION)


def begin(id_: str, lane: str | None = None, **figures: int) -> None:
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 1} | figures
    event(lane, type="message_start", message={"id": id_, "model": "m-1", "usage": usage})


def delta(text: str, lane: str | None = None) -> None:
    event(lane, type="content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def end(output: int | None = 20, lane: str | None = None) -> None:
    event(lane, type="message_delta", delta={"stop_reason": "end_turn"}, **({"usage": {"output_tokens": output}} if output else {}))
    event(lane, type="message_stop")


def block(id_: str, content: Json, **more: Any) -> None:
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 1}
    out(type="assistant", message={"id": id_, "model": "m-1", "role": "assistant", "content": [content], "usage": usage}, **more)


def say(text: str) -> None:
    """A reply of words alone."""
    id_ = f"msg_{next(numbers)}"
    begin(id_)
    delta(text)
    block(id_, {"type": "text", "text": text})
    end()


def call(name: str, id_: str, **given: Any) -> None:
    """A reply that makes a call."""
    message = f"msg_{next(numbers)}"
    begin(message)
    block(message, {"type": "text", "text": f"I use {name}."})
    block(message, {"type": "tool_use", "id": id_, "name": name, "input": given})
    end()


def came(id_: str, content: object, *, is_error: bool = False) -> None:
    out(type="user", message={"role": "user", "content": [{"type": "tool_result", "tool_use_id": id_, "content": content,
                                                          "is_error": is_error}]})  # fmt: skip


def before(name: str, id_: str, given: Json) -> tuple[str, Json]:
    """The hook: what it decides, and the arguments that count then."""
    told = {"hook_event_name": "PreToolUse", "tool_name": name, "tool_input": given, "tool_use_id": id_}
    reply = ask("hook_callback", callback_id="before-a-call", input=told, tool_use_id=id_)
    decided = reply.get("hookSpecificOutput", {})
    return decided.get("permissionDecision", ""), decided.get("updatedInput") or given


def permitted(name: str, id_: str, given: Json) -> Json:
    return ask("can_use_tool", tool_name=name, input=given, tool_use_id=id_)


def use(name: str, id_: str, **given: Any) -> bool:
    """A call as the real one makes it; False if it was denied in a way that ends the turn."""
    call(name, id_, **given)
    decision, arguments = before(name, id_, given)
    if decision == "ask":
        reply = permitted(name, id_, given)
        if reply["behavior"] == "deny":
            came(id_, reply["message"], is_error=True)
            return not reply.get("interrupt")
        arguments = reply["updatedInput"]
    elif decision == "deny":
        came(id_, "not by the hook", is_error=True)
        return True
    log({"ran": name, "input": arguments})
    came(id_, f"{name} ran")
    return True


def account(**figures: int) -> Json:
    told = {"inputTokens": 0, "outputTokens": 0, "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0}
    return {"m-1": told | figures}


def result(subtype: str = "success", **more: Any) -> None:
    told = {"is_error": False, "result": "Done.", "session_id": SESSION, "uuid": "res-1", "terminal_reason": "completed",
            "permission_denials": []}  # fmt: skip
    out(type="result", subtype=subtype, **(told | more))


# The ways


def good() -> None:
    use("Read", "c1", file_path=f"{TREE}/calc.py")
    use("Bash", "c2", command="make test", description="Test it", timeout=5000)
    say("Done.")
    result(modelUsage=account(inputTokens=30, outputTokens=60, cacheReadInputTokens=300, cacheCreationInputTokens=15))


def denied() -> None:
    if use("Bash", "c1", command="rm -rf /"):
        say("Then not.")
        result(result="Then not.", permission_denials=[{"tool_name": "Bash", "tool_use_id": "c1"}])
    else:
        result("error_during_execution", is_error=True, terminal_reason="aborted_tools")


def self_denied() -> None:
    call("Bash", "c9", command="x")
    came("c9", "This command requires approval", is_error=True)
    result(permission_denials=[{"tool_name": "Bash", "tool_use_id": "c9"}])


def unasked() -> None:
    call("Bash", "c1", command="echo hi")
    came("c1", [{"type": "text", "text": "hi"}, {"type": "image", "source": {}}])
    call("Edit", "c2", file_path="x")
    came("c2", "<tool_use_error>InputValidationError: no</tool_use_error>", is_error=True)
    result()


def changed() -> None:
    call("Bash", "c1", command="ls")
    before("Bash", "c1", {"command": "ls"})
    reply = permitted("Bash", "c1", {"command": "rm -rf ."})
    log({"reply": reply})
    result()


def bookkeeping() -> None:
    for name, id_, given in (
        ("TodoWrite", "c1", {"todos": []}),
        ("Read", "c2", {"file_path": f"{os.environ['CLAUDE_CONFIG_DIR']}/projects/x/tool-results/1.txt"}),
        ("Read", "c3", {"file_path": f"{os.environ['CLAUDE_CONFIG_DIR']}/../../outside"}),
    ):
        call(name, id_, **given)
        log({"decided": before(name, id_, given)[0]})
        came(id_, "ok")
    result()


def taken_back() -> None:
    number = f"r{next(numbers)}"
    call("Bash", "c1", command="ls")
    before("Bash", "c1", {"command": "ls"})
    request = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "ls"}, "tool_use_id": "c1"}
    out(type="control_request", request_id=number, request=request)
    time.sleep(0.2)
    out(type="control_cancel_request", request_id=number)
    time.sleep(0.2)
    result()


def odd_requests() -> None:
    log({"reply": ask("make_coffee")})
    log({"reply": ask("elicitation", message="Which one?")})
    result()


def retries() -> None:
    for attempt in range(1, 3):
        out(type="system", subtype="api_retry", attempt=attempt, max_retries=4, error_status=529)
    failed("API Error: Repeated 529 Overloaded errors", 529)


def failed(words: str, status: int | None) -> None:
    block("msg_e", {"type": "text", "text": words}, isApiErrorMessage=True, error="server_error")
    result(is_error=True, api_error_status=status, result=words, stop_reason="stop_sequence")


def gateway() -> None:
    failed("API Error: 400 loopdeck: the budget of this run does not allow it.", 400)


def gateway_other() -> None:
    failed("API Error: 400 loopdeck: this key is not the one that the gateway gave out.", 400)


def cut() -> None:
    begin("msg_1")
    delta("x" * 400)
    begin("msg_2")
    delta("whole")
    end()
    result()


def no_figures() -> None:
    begin("msg_1", cache_read_input_tokens=0)
    delta("é" * 50)
    end(None)
    say("And again.")
    result()


def unstreamed() -> None:
    block("msg_1", {"type": "text", "text": "In one piece."})
    figures = account(inputTokens=500, outputTokens=50, cacheReadInputTokens=1, cacheCreationInputTokens=2)
    whole = account(inputTokens=9500, outputTokens=950)
    result(model_usage_since_last_result=figures, modelUsage=whole, total_cost_usd=9.0)


def resumed() -> None:
    say("Going on.")
    once = account(inputTokens=10, outputTokens=20, cacheReadInputTokens=100, cacheCreationInputTokens=5)
    result(model_usage_since_last_result=once, modelUsage=account(inputTokens=9000, outputTokens=900))


def old_account() -> None:
    say("Going on.")
    result(modelUsage=account(inputTokens=9000, outputTokens=900))


def lanes() -> None:
    begin("msg_1")
    begin("msg_s", "c1", cache_read_input_tokens=7)
    delta("sub", "c1")
    delta("main")
    end(3, "c1")
    end(4)
    result()


def twice() -> None:
    begin("msg_1")
    event(type="message_delta", delta={}, usage={"output_tokens": 7})
    event(type="message_delta", delta={}, usage={"output_tokens": 9, "input_tokens": 11})
    event(type="message_stop")
    for number in range(3):
        block("msg_1", {"type": "text", "text": f"{number}"})
    result()


def big() -> None:
    call("Bash", "c1", command="cat big")
    before("Bash", "c1", {"command": "cat big"})
    came("c1", "x" * 1_000_000)
    result()


def chatty_rubbish() -> None:
    print("npm notice: there is a new version", flush=True)  # noqa: T201 - this is what is tested
    print("[1, 2]\n{}\n" + '{"type": 3}', flush=True)  # noqa: T201
    good()


def hangs() -> None:
    begin("msg_1")
    delta("z" * 400)
    while True:
        message = read()
        if message["type"] == "control_request":
            answer = {"subtype": "success", "request_id": message["request_id"]}
            out(type="control_response", response=answer)
            result("error_during_execution", is_error=True, terminal_reason="aborted_streaming")


def deaf() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    subprocess.Popen(["sleep", os.environ["FAKE_NAP"]], start_new_session=True)
    say("I am here.")
    while True:
        time.sleep(1)


def dies() -> None:
    say("So far.")
    print("out of memory", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(137)


def refused() -> None:
    result(stop_reason="refusal", result="")


def structured() -> None:
    result(structured_output={"passed": True}, result="prose")


def lingers() -> None:
    """It has said its last, and does not leave."""
    say("Done.")
    result()
    time.sleep(3600)


WAYS: dict[str, Callable[[], None]] = {
    one.__name__: one
    for one in (
        good, denied, self_denied, unasked, changed, bookkeeping, taken_back, odd_requests, retries, gateway, gateway_other, cut,
        no_figures, unstreamed, resumed, old_account, lanes, twice, big, chatty_rubbish, hangs, deaf, dies, refused, structured,
        lingers,
    )
}  # fmt: skip
WAYS["turns"] = lambda: result("error_max_turns", is_error=True, terminal_reason="max_turns")
WAYS["budget"] = lambda: result("error_max_budget_usd", is_error=True)
WAYS["form"] = lambda: result("error_max_structured_output_retries", is_error=True)
WAYS["execution"] = lambda: result("error_during_execution", is_error=True, errors=["the disk is full"])
WAYS["strange"] = lambda: result("error_of_another_kind", is_error=True, result="")
WAYS["login"] = lambda: failed("Not logged in · Please run /login", None)


def main() -> None:
    log({"argv": ARGS, "env": dict(os.environ)})
    match MODE:
        case "exits":
            sys.exit(3)
        case "missing":
            print(f"No conversation found with session ID: {SESSION}", file=sys.stderr)  # noqa: T201
            sys.exit(1)
        case "silent":
            time.sleep(3600)
        case "rubbish":
            for _ in range(1000):
                print("Usage: claude [options]", flush=True)  # noqa: T201
            time.sleep(3600)
    first = read()
    if MODE == "refuses":
        out(type="control_response", response={"subtype": "error", "request_id": first["request_id"], "error": "no hooks here"})
    else:
        out(type="control_response", response={"subtype": "success", "request_id": first["request_id"], "response": {}})
    read()
    out(type="system", subtype="init", session_id=SESSION, model="m-1", tools=[])
    WAYS[MODE]()
    while True:
        read()


if __name__ == "__main__":
    main()
