"""An MCP server over two streams: a few tools, each a function from arguments to text.

Invariant: every request gets exactly one answer, and nothing but messages is ever written to the stream. A tool that takes its time
holds up nobody: each call has a thread of its own, and signs of life are answered meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, BinaryIO

from msgspec import Struct

from loopdeck import __version__
from loopdeck.connectors import wire
from loopdeck.errors import LoopdeckError

MOST_AT_ONCE = 8


class Failed(Exception):
    """A tool can't do what it was asked; the message is for the agent."""


class Tool(Struct, frozen=True):
    """A tool. `takes` maps each argument, all of them texts, to its description; every one is needed."""

    name: str
    description: str
    run: Callable[[Mapping[str, str]], str]
    takes: Mapping[str, str] = {}

    @property
    def listed(self) -> dict[str, Any]:
        """As a client sees it."""
        properties = {name: {"type": "string", "description": text} for name, text in self.takes.items()}
        schema = {"type": "object", "properties": properties, "required": list(self.takes), "additionalProperties": False}
        return {"name": self.name, "description": self.description, "inputSchema": schema}


class Server:
    """Serves `tools` until its input ends."""

    def __init__(self, tools: Sequence[Tool], instructions: str, reads: BinaryIO, writes: BinaryIO) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._instructions = instructions
        self._reads = reads
        self._writes = writes
        self._one_at_a_time = Lock()

    def serve(self) -> None:
        """Until the client closes its side, or no longer listens."""
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            try:
                while line := self._reads.readline(wire.MOST + 1):
                    if line.strip():
                        self._met(line, pool)
            except BrokenPipeError:
                pass
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _met(self, line: bytes, pool: ThreadPoolExecutor) -> None:
        try:
            message = wire.decode(line)
        except wire.Garbled as garbled:
            self._say(wire.refusal(None, wire.UNREADABLE, str(garbled)))
            return
        number = message.id
        if number is None or not message.method:
            return
        match message.method:
            case "initialize":
                self._say(wire.answer(number, self._greeting(message.params)))
            case "ping":
                self._say(wire.answer(number, {}))
            case "tools/list":
                self._say(wire.answer(number, {"tools": [tool.listed for tool in self._tools.values()]}))
            case "tools/call":
                pool.submit(self._called, number, message.params)
            case method:
                self._say(wire.refusal(number, wire.NO_METHOD, f"there is no method {method[:80]!r}"))

    def _greeting(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        wanted = asked.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in wire.VERSIONS else wire.VERSIONS[0],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "loopdeck", "version": __version__},
            "instructions": self._instructions,
        }

    def _called(self, number: wire.Id, asked: Mapping[str, Any]) -> None:
        tool, given = self._tools.get(str(asked.get("name"))), asked.get("arguments") or {}
        if tool is None:
            self._say(wire.refusal(number, wire.BAD_PARAMS, f"there is no tool {str(asked.get('name'))[:80]!r}"))
            return
        if not isinstance(given, dict) or set(given) != set(tool.takes) or not all(isinstance(one, str) for one in given.values()):
            wanted = ", ".join(tool.takes) or "nothing"
            self._result(number, f"{tool.name} takes {wanted}, as text.", failed=True)
            return
        try:
            self._result(number, tool.run(given))
        except (Failed, LoopdeckError, OSError) as error:
            self._result(number, str(error), failed=True)

    def _result(self, number: wire.Id, text: str, *, failed: bool = False) -> None:
        self._say(wire.answer(number, {"content": [{"type": "text", "text": text}], "isError": failed}))

    def _say(self, message: bytes) -> None:
        with self._one_at_a_time:
            self._writes.write(message + b"\n")
            self._writes.flush()
