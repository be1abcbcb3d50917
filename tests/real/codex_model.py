"""A model for the real Codex: it fixes a small bug by reading, patching and running, each scenario by what was done so far."""

import json
import re

from tests.kit.model_talk import Answer, Call, Hang, Request

BROKEN = "def add(a, b):\n    return a - b\n"
PATCH = """apply_patch <<'EOF'
*** Begin Patch
*** Update File: calc.py
@@
 def add(a, b):
-    return a - b
+    return a + b
*** End Patch
EOF"""


def fixer(request: Request) -> Answer:
    """Reads, patches, runs, tidies, says so; a call that the operator allows in place of another is made."""
    made = commands(request)
    for said, line in (("I look.", "cat calc.py"), ("I mend it.", PATCH), ("I try it.", "python3 try_calc.py")):
        if line not in made:
            return Answer(said, calls=(run(line),))
    heard = "\n".join(request.texts)
    instead = re.search(r'"command": "(python3 -B [^"]+)"', heard)
    if instead is not None and instead[1] not in made:
        return Answer("As allowed.", calls=(run(instead[1]),))
    if "rm -rf calc.py" not in made:
        return Answer("I tidy up.", calls=(run("rm -rf calc.py"),))
    tried = "all fine" if "all fine" in heard else "untried"
    return Answer(f"Mended: it adds now; {tried}; {'not tidied' if 'it is needed' in heard else 'tidied'}.")


def mender(request: Request) -> Answer:
    """The same without the tidying."""
    made = commands(request)
    for line in ("cat calc.py", PATCH, "python3 try_calc.py"):
        if line not in made:
            return Answer("On.", calls=(run(line),), delay_s=0.2)
    return Answer("Mended.")


def spender(request: Request) -> Answer:
    """Never comes to an end by itself."""
    return Answer("On and on. " * 40, calls=(run(f"echo {len(commands(request))}"),))


def lingerer(request: Request) -> Answer:
    """Starts things that want to stay: in the background, in a session of their own, deaf; then takes its time."""
    if not commands(request):
        return Answer(
            "I start it.", calls=(run("(trap '' INT TERM; setsid sleep 4242 & sleep 4242 & echo started > begun.txt; wait)"),)
        )
    return Answer("So.", fault=Hang(events=3))


def slow(request: Request) -> Answer:
    """Half a dozen steps that take a moment each, to be killed among."""
    number = len(commands(request))
    if number >= 6:
        return Answer("Done.")
    line = f"setsid sleep 0.4 & sleep 0.{number + 1}; echo {number} >> steps.txt"
    return Answer("A step.", calls=(run(line),), delay_s=0.05)


def typist(request: Request) -> Answer:
    """Asks for a shell with a terminal, and types a command into it."""
    outputs = [str(item.get("output")) for item in request.body.get("input") or () if item.get("type") == "function_call_output"]
    if not outputs:
        return Answer(
            "A shell.", calls=(Call("exec_command", json.dumps({"cmd": "cat > typed.txt", "tty": True, "yield_time_ms": 400})),)
        )
    if len(outputs) == 1:
        plain = {"cmd": "cat > typed.txt", "yield_time_ms": 400}
        return Answer("A shell without one.", calls=(Call("exec_command", json.dumps(plain)),))
    if len(outputs) == 2:
        number = re.search(r"session ID (\d+)", outputs[1])
        typed = {"session_id": int(number[1]) if number else 1, "chars": "typed\n", "yield_time_ms": 300}
        return Answer("I type.", calls=(Call("write_stdin", json.dumps(typed)),))
    return Answer("Done.")


def idle(request: Request) -> Answer:
    """Says that it is done."""
    return Answer("Done.")


def commands(request: Request) -> list[str]:
    """The commands that it has asked for so far."""
    calls = [item for item in request.body.get("input") or () if item.get("type") == "function_call"]
    return [str(json.loads(one["arguments"]).get("cmd")) for one in calls]


def run(line: str) -> Call:
    """A call of its shell."""
    return Call("exec_command", json.dumps({"cmd": line}))
