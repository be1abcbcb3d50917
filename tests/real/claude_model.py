"""A model for the real Claude Code: it fixes a small bug by reading, editing and running, each scenario by what the goal says."""

import json
import re

from tests.kit.model_talk import Answer, Call, Cut, ErrorEvent, Hang, Request, overloaded

BROKEN = "def add(a, b):\n    return a - b\n"
TEST = "from calc import add\n\nassert add(1, 2) == 3\nprint('all fine')\n"


def fixer(request: Request) -> Answer:
    """Reads, edits, runs, says so. Calls that did not come to what they should are made again in another way."""
    tree = folder(request)
    match request.turns:
        case 0:
            return Answer("I look.", calls=(call("Read", file_path=f"{tree}/calc.py"),))
        case 1:
            edit = call("Edit", file_path=f"{tree}/calc.py", old_string="a - b", new_string="a + b")
            return Answer("I mend it.", calls=(edit,))
        case 2:
            return Answer("I try it.", calls=(call("Bash", command="python3 try_calc.py", description="Try it"),))
        case 3:
            return Answer("I tidy up.", calls=(call("Bash", command="rm -rf calc.py", description="Tidy"),))
        case _:
            heard = "\n".join(request.texts)
            tried = "all fine" if "all fine" in heard else "untried"
            return Answer(f"Mended: it adds now; {tried}; {'not tidied' if 'it is needed' in heard else 'tidied'}.")


def spender(request: Request) -> Answer:
    """Never comes to an end by itself."""
    return Answer("On and on. " * 40, calls=(call("Bash", command=f"echo {request.turns}", description="Count"),))


def lingerer(request: Request) -> Answer:
    """Starts things that want to stay: in the background, in a session of their own, deaf; then takes its time."""
    if request.turns == 0:
        line = "(trap '' INT TERM; setsid sleep 4242 & sleep 4242 & echo started > begun.txt; wait)"
        return Answer("I start something.", calls=(call("Bash", command=line, description="Start", timeout=600000),))
    return Answer("So.", fault=Hang(events=3))


def slow(request: Request) -> Answer:
    """Half a dozen steps that take a moment each, to be killed among."""
    if request.turns >= 6:
        return Answer("Done.")
    line = f"setsid sleep 0.4 & sleep 0.{request.turns + 1}; echo {request.turns} >> steps.txt"
    return Answer("A step.", calls=(call("Bash", command=line, description="Step"),), delay_s=0.05)


def connected(request: Request) -> Answer:
    """Uses a server's tool."""
    if request.turns == 0:
        tool = next((name for name in request.tools if name.startswith("mcp__") and name.endswith("add")), "")
        return Answer("I add.", calls=(Call(tool, json.dumps({"a": 19, "b": 23})),)) if tool else Answer("There is no such tool.")
    return Answer(f"It is {request.results[-1] if request.results else 'unknown'}.")


def toucher(request: Request) -> Answer:
    """Makes one call, and again whenever it is told to go on."""
    if request.results:
        return Answer("Then not.")
    return Answer("I touch.", calls=(call("Bash", command="touch touched.txt", description="Touch"),))


def storm(request: Request) -> Answer:
    """Busy twice, then there."""
    return overloaded() if request.n < 3 else Answer("Here I am.")


def cut(request: Request) -> Answer:
    """Hangs up in the middle of its first answer."""
    return Answer("One two three four five. " * 9, fault=Cut(events=4)) if request.n == 1 else Answer("Here I am.")


def error_event(request: Request) -> Answer:
    """Fails in the middle of its first answer, with status 200 long sent."""
    return Answer("One two three four five. " * 9, fault=ErrorEvent()) if request.n == 1 else Answer("Here I am.")


def away(request: Request) -> Answer:
    """Busy for good."""
    return overloaded()


def wordy(request: Request) -> Answer:
    """Has a command say a million bytes, and then looks where the agent has put them."""
    if request.turns == 0:
        return Answer("I ask.", calls=(call("Bash", command="python3 -c \"print('x' * 1000000)\"", description="Ask"),))
    place = re.search(r"saved to: (\S+)", "\n".join(request.results))
    if request.turns == 1:
        return Answer("I look.", calls=(call("Read", file_path=place[1] if place else "/nowhere", limit=1),))
    return Answer("I have seen it.")


def folder(request: Request) -> str:
    """Where it works, as the agent says."""
    found = re.search(r"working directory: (\S+)", request.said)
    return found[1] if found else "."


def call(tool: str, **arguments: object) -> Call:
    """A call of one of its tools."""
    return Call(tool, json.dumps(arguments))
