"""The agent `command`: any program. It gets the instruction on its stdin and in a file, and says what it does as it likes.

A line of its output that is a JSON object with an `event` tells of something; every other line is what it says. It ends its turn by
ending; an exit code other than 0 is a failed turn. What it does itself it can't put before the gate, so its start is: a call of `bash`
with its command line, allowed where a sandbox holds it and asked for where none does.

    {"event": "text", "text": "…"}                               what it says
    {"event": "tool_call", "id": "1", "tool": "bash", "input": {}}   a call it makes; tools by our names, or its own
    {"event": "tool_result", "id": "1", "output": "…", "is_error": false}
    {"event": "usage", "id": "1", "model": "…", "input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "cost_usd": 0.0}
    {"event": "session", "id": "…"}                              to be found in LOOPDECK_SESSION when it goes on
    {"event": "done", "text": "…"}                               its last message
"""

import asyncio
import contextlib
import shlex
import shutil

import msgspec
from msgspec import Struct

from loopdeck.agents.outside.port import Allowed, Caps, Denied, Ended, Host, Shown, Task
from loopdeck.core.usage import Usage
from loopdeck.errors import WorkspaceError
from loopdeck.sandbox.port import Conversation

PROMPT = "prompt.md"
_MOST_SAID = 20_000
_START = "start"


class _Event(Struct):
    """A line that tells of something; which fields count depends on `event`."""

    event: str
    id: str = ""
    text: str = ""
    tool: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")
    output: str | int | float | bool | list[object] | dict[str, object] | None = ""
    is_error: bool = False
    model: str = ""
    cost_usd: float | None = None


class _Tokens(Struct):
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


class CommandAgent:
    """Runs the loop file's `command` once for each turn."""

    kind = "command"
    caps = Caps(approvals="none", usage="request", resume=True)

    async def turn(self, task: Task, host: Host) -> Ended:
        """One run of the program. Raises WorkspaceError if it can't be started."""
        argv = tuple(shlex.split(task.command))
        if shutil.which(argv[0], path=task.env.get("PATH")) is None:
            raise WorkspaceError(f"there is no program {argv[0]!r}", remedy="Mend `command` in `[maker]`, or install it.")
        answer = await host.ask(Shown(_START, "bash", msgspec.json.encode({"command": task.command}).decode(), "command"))
        if isinstance(answer, Denied):
            return Ended("cancelled" if answer.stop else "denied", message=answer.why)
        return await self._run(argv, task, host, answer)

    async def _run(self, argv: tuple[str, ...], task: Task, host: Host, answer: Allowed) -> Ended:
        if answer.arguments:
            argv = tuple(shlex.split(str(msgspec.json.decode(answer.arguments).get("command", task.command))))
        prompt = f"{task.system}\n\n{task.prompt}".strip() if task.system else task.prompt
        (task.home / PROMPT).write_text(prompt, "utf-8", "replace")
        env = {
            **task.env,
            "LOOPDECK_PROMPT_FILE": str(task.home / PROMPT),
            "LOOPDECK_MODEL": task.model,
            "LOOPDECK_SESSION": task.resume,
            "LOOPDECK_HOME_OF_AGENT": str(task.home),
        }
        heard = _Heard(host)
        async with host.open(argv, env) as talk:
            # Beside reading: a program may well speak before it listens.
            feeding = asyncio.ensure_future(_feed(talk, prompt.encode("utf-8", "replace")))
            try:
                while (line := await talk.line()) is not None:
                    heard.line(line)
                finished = await talk.finished()
            finally:
                feeding.cancel()
                await asyncio.wait((feeding,))
        heard.flush()
        tail = finished.text.strip()[-2000:]
        host.returned(_START, tail or heard.last or "it said nothing", is_error=finished.exit_code != 0)
        if finished.exit_code == 0:
            return Ended("ended", heard.last)
        how = f"exit code {finished.exit_code}" if finished.exit_code is not None else f"ended by {finished.ended_by}"
        said = f": {tail.splitlines()[-1]}" if tail else ""
        return Ended("failed", heard.last, "server", f"{argv[0]} came to {how}{said}")


async def _feed(talk: Conversation, prompt: bytes) -> None:
    # A program that reads its file instead may have closed its input already.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await talk.send(prompt)
    talk.close_input()


class _Heard:
    """What the program said: lines of plain text are gathered until it tells of something else."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._plain: list[str] = []
        self._size = 0
        self._requests = 0
        self.last = ""

    def line(self, raw: bytes) -> None:
        """Take one line of its output."""
        if raw.lstrip()[:1] == b"{":
            try:
                event = msgspec.json.decode(raw, type=_Event)
            except (msgspec.DecodeError, UnicodeDecodeError):
                event = None
            if event is not None:
                self.flush()
                self._tell(event, raw)
                return
        self._plain.append(raw.decode("utf-8", "replace"))
        self._size += len(raw)
        if self._size > _MOST_SAID:
            self.flush()

    def flush(self) -> None:
        """Hand over what was gathered."""
        text = "\n".join(self._plain).strip()
        self._plain, self._size = [], 0
        if text:
            self.last = text
            self._host.said(text)

    def _tell(self, event: _Event, raw: bytes) -> None:
        match event.event:
            case "text" | "done":
                self.last = event.text or self.last
                if event.text:
                    self._host.said(event.text)
            case "tool_call":
                self._host.met(Shown(event.id, event.tool, bytes(event.input).decode("utf-8", "replace"), event.tool))
            case "tool_result":
                output = event.output if isinstance(event.output, str) else msgspec.json.encode(event.output).decode()
                self._host.returned(event.id, output, is_error=event.is_error)
            case "usage":
                self._requests += 1
                tokens = msgspec.json.decode(raw, type=_Tokens)
                usage = Usage(tokens.input, tokens.output, tokens.cache_read, tokens.cache_write)
                self._host.used(event.id or f"u{self._requests}", event.model, usage, event.cost_usd)
            case "session":
                self._host.session(event.id)
            case other:
                self._host.note(f"the agent tells of something unknown: {other[:60]!r}")
