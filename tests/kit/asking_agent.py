"""An outside agent that asks: it talks with `loopdeck mcp`, started in its worktree as a client would. Standard library only.

`python asking_agent.py QUESTION`; what it learns goes into answer.txt.
"""

import itertools
import json
import subprocess
import sys
from pathlib import Path

numbers = itertools.count(1)


def call(server, method, **params):
    """One request and its answer."""
    number = next(numbers)
    server.stdin.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n")
    server.stdin.flush()
    for line in server.stdout:
        message = json.loads(line)
        if message.get("id") == number:
            return message["result"]
    raise SystemExit("the server is gone")


def tool(server, name, **arguments):
    """The text of a tool's result."""
    result = call(server, "tools/call", name=name, arguments=arguments)
    return "\n".join(one["text"] for one in result["content"])


sys.stdin.read()
command = [sys.executable, "-P", "-m", "loopdeck", "mcp"]
with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as loopdeck:
    call(loopdeck, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "asking", "version": "1"})
    state = tool(loopdeck, "state_read")
    budget = tool(loopdeck, "budget_left")
    said = [tool(loopdeck, "ask_operator", question=question) for question in sys.argv[1:]]
    tool(loopdeck, "state_write", content=state + "\n- asked\n")
    Path("answer.txt").write_text("\n".join(["fixed", budget, *said]))
    loopdeck.terminate()
