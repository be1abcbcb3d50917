"""One connection of an agent: requests in, answers out, piece by piece as they come.

Invariant: work for a client that has hung up is cancelled at once, and nothing is done for it afterwards.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass

import h11

from loopdeck.agents.gateway.upstream import Headers

MOST_BODY = 64 * 1024 * 1024
"""Bytes; twice what any provider takes."""
_MOST_HEAD = 64 * 1024
_MOST_AHEAD = 1024 * 1024
"""Bytes a client may send beyond the request that is being answered, before it is no longer listened to."""


class Gone(Exception):
    """The client has hung up, or has said what is no HTTP."""


@dataclass(frozen=True)
class Incoming:
    """A request, whole. `headers` have lower-case names."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes

    def header(self, name: bytes) -> bytes:
        """The first value of that header, or nothing."""
        return next((value for key, value in self.headers if key == name), b"")


class Connection:
    """A client's end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEAD)
        self._head = False

    @property
    def begun(self) -> bool:
        """True once the status of the answer has been sent: nothing but its body can follow."""
        return self._http.our_state is not h11.SEND_RESPONSE

    async def next(self) -> Incoming | None:
        """The next request, or None if the client has no more. Raises Gone."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        elif self._http.our_state is not h11.IDLE:
            return None
        head: h11.Request | None = None
        pieces: list[bytes] = []
        size = 0
        while True:
            match await self._event():
                case h11.Request() as head:
                    self._head = head.method == b"HEAD"
                case h11.Data(data=data):
                    pieces.append(bytes(data))
                    size += len(data)
                    if size > MOST_BODY:
                        await self.answer(413, [(b"content-type", b"text/plain")], b"loopdeck: the request is too large")
                        raise Gone
                case h11.EndOfMessage() if head is not None:
                    path, _, query = head.target.decode("ascii", "replace").partition("?")
                    return Incoming(head.method.decode(), path, query, list(head.headers), b"".join(pieces))
                case h11.ConnectionClosed():
                    return None
                case _:
                    raise Gone

    async def _event(self) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    self._send(h11.InformationalResponse(status_code=100, headers=[]))
                self._http.receive_data(await self._reader.read(1 << 16))
        except (h11.RemoteProtocolError, ConnectionError) as error:
            raise Gone from error
        return event

    async def attend(self, work: Coroutine[None, None, None]) -> None:
        """Do `work`, and cancel it if the client hangs up meanwhile. Raises Gone then, or what `work` raised."""
        task = asyncio.ensure_future(work)
        listening = asyncio.ensure_future(self._listen())
        try:
            await asyncio.wait((task, listening), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Gone
        finally:
            for one in (task, listening):
                one.cancel()
            outcome, _ = await asyncio.gather(task, listening, return_exceptions=True)
            # What went wrong counts for more than that the client has gone, or that we were stopped.
            if isinstance(outcome, ConnectionError | h11.LocalProtocolError):
                raise Gone from outcome
            if isinstance(outcome, Exception):
                raise outcome

    async def _listen(self) -> None:
        """Return when the client has hung up; what it sends ahead is kept for later."""
        ahead = 0
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(1 << 16):
                self._http.receive_data(data)
                ahead += len(data)
                if ahead > _MOST_AHEAD:
                    await asyncio.Event().wait()

    async def begin(self, status: int, headers: Headers) -> None:
        """Send a status; without a length among `headers` the body is chunked."""
        self._send(h11.Response(status_code=status, headers=headers))
        await self._writer.drain()

    async def piece(self, data: bytes) -> None:
        """Send a piece of the body at once."""
        if data and not self._head:
            self._send(h11.Data(data=data))
            await self._writer.drain()

    async def end(self) -> None:
        """The answer is whole."""
        self._send(h11.EndOfMessage())
        await self._writer.drain()

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer, with its length."""
        kept = [(name, value) for name, value in headers if name.lower() not in (b"content-length", b"content-encoding")]
        await self.begin(status, [*kept, (b"content-length", str(len(body)).encode())])
        await self.piece(body)
        await self.end()

    def _send(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            self._writer.write(data)

    def cut(self) -> None:
        """Break off in the middle, so that the client sees that the answer is not whole."""
        self._writer.transport.abort()

    def close(self) -> None:
        """Let go; what was written still goes out."""
        self._writer.close()
