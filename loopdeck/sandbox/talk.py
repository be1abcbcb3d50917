"""Talking with a program under way: lines to its stdin, lines from its stdout, what it writes to stderr kept beside.

Invariant: memory is bounded whatever it says. No more than one line and `_AHEAD` bytes of others are held unread; a program that says
more waits, as at any full pipe, until somebody listens. Once its first process has ended, what that one left in the pipe is the last
there is: nobody waits for what its heirs may still say.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from loopdeck.sandbox.capture import Capture
from loopdeck.sandbox.frost import Frost
from loopdeck.sandbox.outlet import waiting_in
from loopdeck.sandbox.port import Conversation, Finished
from loopdeck.sandbox.waiting import undisturbed

LONGEST_LINE = 64 << 20
"""Bytes; of a longer line the head is given and the rest of it is left out."""
_AHEAD = 1 << 20
_PIECE = 1 << 18


class Lines:
    """Reads `pipe` line by line within the running event loop. The pipe stays its owner's."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._held = bytearray()
        self._looked_at = 0
        self._skips = False
        self._into: Capture | None = None
        self._reading = False
        self._open = True
        self._stirred = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        os.set_blocking(pipe, False)
        self._read_on()

    async def next(self) -> bytes | None:
        """The next line, None when there is none to come."""
        while True:
            self._stirred.clear()
            line = self._taken()
            if line is not None:
                return line
            if not self._open or self._into is not None:
                return None
            await self._stirred.wait()

    def pour(self, into: Capture) -> None:
        """From now on nobody reads lines: what is held and all that comes goes there."""
        if self._into is None:
            self._into = into
            into.add(bytes(self._held))
            self._held.clear()
            self._stirred.set()
            self._read_on()

    def last(self) -> None:
        """Take what is in the pipe now for the end of it. Once: the pipe may be closed after."""
        if not self._open:
            return
        with contextlib.suppress(OSError):
            left = waiting_in(self._pipe)
            while left > 0 and (chunk := os.read(self._pipe, min(left, _PIECE))):
                left -= len(chunk)
                self._add(chunk)
        self._end()

    def _end(self) -> None:
        self._open = False
        self._read_no_more()
        self._stirred.set()

    def _readable(self) -> None:
        try:
            chunk = os.read(self._pipe, _PIECE)
        except BlockingIOError:
            return
        if not chunk:
            self._end()
            return
        self._add(chunk)
        if self._into is None and len(self._held) >= _AHEAD and self._whole() >= 0:
            self._read_no_more()
        self._stirred.set()

    def _add(self, chunk: bytes) -> None:
        if self._into is not None:
            self._into.add(chunk)
            return
        if self._skips:
            at = chunk.find(b"\n")
            if at < 0:
                return
            chunk = chunk[at:]
            self._skips = False
        self._held += chunk
        if len(self._held) > LONGEST_LINE and self._whole() < 0:
            del self._held[LONGEST_LINE:]
            self._looked_at = LONGEST_LINE
            self._skips = True

    def _whole(self) -> int:
        """Where the first line that is held ends; -1 if none does. No byte is looked at twice."""
        at = self._held.find(b"\n", self._looked_at)
        self._looked_at = at if at >= 0 else len(self._held)
        return at

    def _taken(self) -> bytes | None:
        at = self._whole()
        if at < 0 and (self._open or not self._held):
            return None
        line = bytes(self._held[:at] if at >= 0 else self._held)
        del self._held[: len(line) + 1]
        self._looked_at = 0
        if len(self._held) < _AHEAD:
            self._read_on()
        return line

    def _read_on(self) -> None:
        if self._open and not self._reading:
            self._reading = True
            self._loop.add_reader(self._pipe, self._readable)

    def _read_no_more(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._pipe)


class Words:
    """Writes to `pipe`, and closes it."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._turn = asyncio.Lock()
        self._waits: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        os.set_blocking(pipe, False)

    async def send(self, data: bytes) -> None:
        """All of it, after what others send. Raises BrokenPipeError."""
        async with self._turn:
            left = memoryview(data)
            while left:
                if self._pipe < 0:
                    raise BrokenPipeError("its input is closed")
                try:
                    left = left[os.write(self._pipe, left[:_PIECE]) :]
                except BlockingIOError:
                    await self._room()

    async def _room(self) -> None:
        waits = self._waits = self._loop.create_future()
        self._loop.add_writer(self._pipe, lambda: None if waits.done() else waits.set_result(None))
        try:
            await waits
        finally:
            self._waits = None
            if self._pipe >= 0:
                self._loop.remove_writer(self._pipe)

    def close(self) -> None:
        """Once or more."""
        if self._pipe < 0:
            return
        self._loop.remove_writer(self._pipe)
        os.close(self._pipe)
        self._pipe = -1
        if self._waits is not None and not self._waits.done():
            self._waits.set_result(None)


class Talk:
    """A conversation over `stdin` (which it owns) and `stdout`. `kept` takes what nobody reads; `what` tells what came of it."""

    def __init__(self, stdin: int, stdout: int, kept: Capture, what: Callable[[], Finished]) -> None:
        self._words = Words(stdin)
        self._lines = Lines(stdout)
        self._kept = kept
        self._what = what
        self._ended = asyncio.Event()

    async def send(self, data: bytes) -> None:
        """See the port."""
        await self._words.send(data)

    def close_input(self) -> None:
        """See the port."""
        self._words.close()

    async def line(self) -> bytes | None:
        """See the port."""
        return await self._lines.next()

    async def finished(self) -> Finished:
        """See the port."""
        self._lines.pour(self._kept)
        await self._ended.wait()
        return self._what()

    def leave(self) -> None:
        """Nobody talks any more: it sees the end of its input, and is not held up by what it still says."""
        self._words.close()
        self._lines.pour(self._kept)

    def over(self) -> None:
        """Its first process has ended."""
        self._words.close()
        self._lines.last()
        self._ended.set()


class Running(Protocol):
    """A program under way, as a door holds it."""

    talk: Talk | None
    ended_by: str

    async def exit_or_timeout(self, frost: Frost) -> None:
        """Wait for its first process to end, for as long as it may take; `ended_by` then says if the clock was first."""
        ...


@contextlib.asynccontextmanager
async def talking(running: Running, frost: Frost, end: Callable[[], Awaitable[None]]) -> AsyncIterator[Conversation]:
    """Talk with a program that has been started; `end` ends all of it, and has when this is left or its time is up."""
    talk = running.talk
    assert talk is not None
    ending = _Once(end)

    async def watch() -> None:
        try:
            await running.exit_or_timeout(frost)
            if running.ended_by:
                await ending()
        except Exception:
            talk.over()
            raise
        talk.over()

    async def leave() -> None:
        talk.leave()
        if not watching.done():
            running.ended_by = running.ended_by or "its caller"
        watching.cancel()
        # What went wrong in there goes wrong for whoever waits for the beginning, or for the end.
        await asyncio.gather(watching, return_exceptions=True)
        await ending()

    watching = asyncio.ensure_future(watch())
    try:
        yield talk
    finally:
        await undisturbed(leave())


class _Once:
    """Does it once, however often it is asked to and whoever loses patience meanwhile."""

    def __init__(self, what: Callable[[], Awaitable[None]]) -> None:
        self._what = what
        self._done: asyncio.Future[None] | None = None

    async def __call__(self) -> None:
        if self._done is None:
            self._done = asyncio.ensure_future(self._what())
        await asyncio.shield(self._done)
