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
