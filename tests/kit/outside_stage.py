"""What an outside agent's turn is given in tests: real processes, answers by a function, everything written down in lists.

Invariant: when a stage's context ends, no process of the agent is left; `left` says how many had to be ended.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from loopdeck.agents.outside.port import Allowed, Denied, Shown, Task
from loopdeck.core.usage import Usage
from loopdeck.sandbox.port import Finished

REPO = Path(__file__).resolve().parents[2]
Answering = Callable[[Shown], Allowed | Denied | None]
"""What is answered to a call; None: nothing, ever."""


class Talking:
    """A conversation with a plain subprocess."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._errors = bytearray()
        self._gathering = asyncio.ensure_future(self._gather())

    async def _gather(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(65536):
            self._errors += data

    async def close(self) -> None:
        """Let go of what a dead process leaves."""
        await asyncio.wait((self._gathering,), timeout=5)
        # asyncio closes it by itself, but not always before the loop is gone.
        self._process._transport.close()  # type: ignore[attr-defined]

    async def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        if self._process.stdin.is_closing():
            raise BrokenPipeError
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    def close_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def line(self) -> bytes | None:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        return line.rstrip(b"\n") if line else None

    async def finished(self) -> Finished:
        code = await self._process.wait()
        await self._gathering
        ended_by = f"signal {-code}" if code < 0 else ""
        return Finished(None if ended_by else code, bytes(self._errors), "", len(self._errors), 0.0, ended_by)


@dataclass
class Stage:
    """A Host. `answering` decides each call; `delay_s` is how long that takes."""

    tree: Path
    answering: Answering = lambda call: Allowed()
    delay_s: float = 0.0
    sessions: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    asked: list[Shown] = field(default_factory=list)
    seen: list[Shown] = field(default_factory=list)
    results: dict[str, tuple[str, bool]] = field(default_factory=dict)
    figures: dict[str, tuple[str, Usage]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)

    @property
    def used_in_all(self) -> Usage:
        """The agent's own figures, each once."""
        return sum((usage for _, usage in self.figures.values()), Usage())

    def open(self, argv: tuple[str, ...], env: Mapping[str, str]) -> AbstractAsyncContextManager[Talking]:
        return self._open(argv, env)

    @asynccontextmanager
    async def _open(self, argv: tuple[str, ...], env: Mapping[str, str]) -> AsyncIterator[Talking]:
        process = await asyncio.create_subprocess_exec(
            *argv, env=dict(env), cwd=self.tree, stdin=-1, stdout=-1, stderr=-1, limit=1 << 26, start_new_session=True
        )
        self.pids.append(process.pid)
        talking = Talking(process)
        try:
            yield talking
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            await talking.close()

    def session(self, conversation: str) -> None:
        self.sessions.append(conversation)

    def said(self, text: str) -> None:
        self.texts.append(text)

    async def ask(self, call: Shown) -> Allowed | Denied:
        self.asked.append(call)
        await asyncio.sleep(self.delay_s)
        answer = self.answering(call)
        if answer is None:
            await asyncio.Event().wait()
        assert answer is not None
        return answer

    def met(self, call: Shown) -> None:
        self.seen.append(call)

    def returned(self, call: str, output: str, *, is_error: bool = False) -> None:
        self.results.setdefault(call, (output, is_error))

    def used(self, request: str, model: str, usage: Usage, cost_usd: float | None = None) -> None:
        self.figures.setdefault(request, (model, usage))

    def note(self, text: str) -> None:
        self.notes.append(text)


def arguments(call: Shown) -> dict[str, object]:
    """The arguments of a call."""
    given: dict[str, object] = json.loads(call.arguments)
    return given


def fake(folder: Path, name: str, program: str, **told: str) -> dict[str, str]:
    """The environment in which `name` is the kit's fake `program`; `told` is what it reads of how to behave."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    script = place / name
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{REPO / "tests/kit" / program}" "$@"\n')
    script.chmod(0o755)
    return {"PATH": f"{place}:{os.environ['PATH']}", "HOME": str(folder), **told}


def task(folder: Path, env: Mapping[str, str], **more: object) -> Task:
    """A task in `folder`."""
    tree, home = folder / "tree", folder / "home"
    tree.mkdir(exist_ok=True)
    home.mkdir(exist_ok=True)
    given = {"prompt": "Fix it.", "worktree": tree, "home": home, "env": env, "model": "gpt-5"} | more
    return Task(**given)  # type: ignore[arg-type]
