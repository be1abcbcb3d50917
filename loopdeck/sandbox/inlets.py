"""Ports that a command finds within its sandbox, and that lead out of it: each served by this process, none by anything in there.

A sandbox's loopback interface is its own. So the sockets are made in the sandbox (by the opener, before the command begins) and
listened to out here: no forwarder runs within, nothing is mounted, and a connection can go nowhere but where it is led.

Invariant: when a command is over its ports are closed, and so is every connection that came through them.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from loopdeck.errors import LoopdeckError, WorkspaceError
from loopdeck.sandbox.port import Forward

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_PROGRAM = Path(__file__).with_name("opener.py")
_PATIENCE_S = 10.0
_PIECE = 1 << 16
_MOST_OPEN = 256
"""Connections of one command at a time; one more is closed at once."""


class Opener:
    """The program that opens ports in sandboxes, started when it is first needed, ended with `close` or with this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._end: socket.socket | None = None
        self._turn = asyncio.Lock()

    def start(self) -> None:
        """Have it ready. Raises WorkspaceError if it can't be started."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_PROGRAM), str(theirs.fileno())],
                    pass_fds=[theirs.fileno()], env={}, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                ours.close()
                raise _shut(error.strerror or str(error)) from error
        ours.setblocking(False)
        self._end = ours

    async def opened(self, pid: int, ports: list[int]) -> list[socket.socket]:
        """Listening sockets at `ports` of 127.0.0.1, as process `pid` sees it. Raises WorkspaceError."""
        async with self._turn:
            self.start()
            assert self._end is not None
            try:
                namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise _shut(error.strerror or str(error)) from error
            try:
                socket.send_fds(self._end, [json.dumps(ports).encode()], [namespace])
            except OSError as error:
                self.close()
                raise _shut(error.strerror or str(error)) from error
            finally:
                os.close(namespace)
            return await self._answer(len(ports))

    async def _answer(self, count: int) -> list[socket.socket]:
        assert self._end is not None
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._end, lambda: None if readable.done() else readable.set_result(None))
        try:
            await asyncio.wait_for(readable, _PATIENCE_S)
            said, handles, _, _ = socket.recv_fds(self._end, 4096, count)
        except BaseException as error:
            # An answer that is still to come would be taken for the next one's.
            loop.remove_reader(self._end)
            self.close()
            if isinstance(error, OSError):  # a timeout is one
                raise _shut(str(error) or "no answer") from error
            raise
        loop.remove_reader(self._end)
        found = [socket.socket(fileno=handle) for handle in handles]
        if said != b"ok" or len(found) != count:
            for one in found:
                one.close()
            raise _shut(said.decode("utf-8", "replace") or "no answer")
        return found

    def close(self) -> None:
        """End it."""
        if self._end is not None:
            self._end.close()
            self._end = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Inlets:
    """The ports of one command: each number with what serves it."""

    def __init__(self, opener: Opener, served: Mapping[int, Serve]) -> None:
        self._opener = opener
        self._served = dict(served)
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.Task[None]] = set()
        self._error: Exception | None = None

    async def open(self, pid: int) -> None:
        """Listen in the sandbox of process `pid`. Raises WorkspaceError."""
        listeners = await self._opener.opened(pid, list(self._served))
        with contextlib.ExitStack() as stack:
            for listener in listeners:
                stack.callback(listener.close)
            for serve, listener in zip(self._served.values(), listeners, strict=True):
                self._servers.append(await asyncio.start_server(self._taken(serve), sock=listener, limit=_PIECE))
            stack.pop_all()

    def _taken(self, serve: Serve) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # A task of our own: the one that the server would make can't be cancelled without noise.
            if len(self._open) >= _MOST_OPEN:
                writer.transport.abort()
                return
            task = asyncio.ensure_future(self._attended(serve, reader, writer))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

        return take

    async def _attended(self, serve: Serve, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # somebody has hung up
        except Exception as error:  # the record can't be kept, or our own bug: whoever closes the ports gets it
            self._error = self._error or error
        finally:
            writer.transport.abort() if self._error else writer.close()

    async def close(self) -> None:
        """Close them all. Raises what kept a connection from being told of."""
        for server in self._servers:
            server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._error is not None:
            raise self._error


def onward(forward: Forward) -> Serve:
    """Leads every connection to the forward's target."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*forward.target, limit=_PIECE)
        await joined((reader, writer), (there, back))

    return serve


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def joined(
    one: End, other: End, sent: Callable[[int], None] | None = None, received: Callable[[int], None] | None = None
) -> None:
    """Hand on what either end says until both have said all, or one has gone. `sent` hears the sizes of what goes from `one` on."""
    ways = [asyncio.ensure_future(_hand_on(one[0], other[1], sent)), asyncio.ensure_future(_hand_on(other[0], one[1], received))]
    try:
        await asyncio.gather(*ways)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        other[1].transport.abort() if any(way.cancelled() or way.exception() for way in ways) else other[1].close()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: Callable[[int], None] | None) -> None:
    while piece := await reader.read(_PIECE):
        if told is not None:
            told(len(piece))
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def _shut(why: str) -> LoopdeckError:
    return WorkspaceError(
        f"no port can be opened within a sandbox here: {why}",
        remedy="Without `[sandbox] network` as a list of hosts, and with an agent that needs no port, none is needed.",
    )
