"""A model for sessions that only a hook ties to the deck: it runs a command that is denied, one that isn't, and says what it saw."""

import json

from tests.kit.model_talk import Answer, Call, Request

COMMANDS = ("git push origin main", "echo through > made.txt")


def tries(request: Request) -> Answer:
    """Each command in turn, by the name and the words that the agent offers for a shell."""
    done = request.turns
    if done >= len(COMMANDS) or not request.tools:
        return Answer("I have seen: " + " | ".join(request.results))
    line = COMMANDS[done]
    if "Bash" in request.tools:
        return Answer("So.", calls=(Call("Bash", json.dumps({"command": line, "description": "Try"})),))
    tool = next((name for name in ("exec_command", "shell_command", "shell") if name in request.tools), request.tools[0])
    given = {"cmd": line} if tool == "exec_command" else {"command": ["bash", "-lc", line] if tool == "shell" else line}
    return Answer("So.", calls=(Call(tool, json.dumps(given)),))


def asker(request: Request) -> Answer:
    """Asks the operator by loopdeck's own server, and writes down what it was told."""
    tool = next((name for name in request.tools if name.endswith("ask_operator")), "")
    match request.turns:
        case 0 if tool:
            return Answer("I ask.", calls=(Call(tool, json.dumps({"question": "Which port?"})),))
        case 1:
            line = f"printf '%s' {json.dumps(request.results[-1] if request.results else 'nothing')} > answer.txt"
            shell = (
                "Bash" if "Bash" in request.tools else next(one for one in ("exec_command", "shell_command") if one in request.tools)
            )
            given = {"cmd": line} if shell == "exec_command" else {"command": line}
            return Answer("So.", calls=(Call(shell, json.dumps(given | ({"description": "Write"} if shell == "Bash" else {}))),))
        case _:
            return Answer("Done." if tool else f"There is nobody to ask: {request.tools}")
