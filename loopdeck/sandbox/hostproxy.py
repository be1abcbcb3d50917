"""The proxy that holds commands to a list of hosts: HTTP, and CONNECT for all that is encrypted.

It looks names up itself, and only those that are listed, so that a look-up tells nobody anything; it connects to the very address
that it has found, and to none in this machine or a network of one's own unless that address is listed. What it refuses it says in a
sentence.

Invariant: every connection is told of once, when it is over, whatever came of it. What is within TLS it can't see: a host that serves
many customers serves them all.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import h11

from loopdeck.core import hosts
from loopdeck.core.hosts import Address, Listed
from loopdeck.sandbox.inlets import End, Serve, joined
from loopdeck.sandbox.port import OnReached, Reached, Role

PORT = 61_080
"""Of the proxy within a sandbox, where nothing else listens that was not started there; above the ports that a system gives out."""
_HEAD_S = 60.0
_CONNECT_S = 20.0
_PIECE = 1 << 16
_LONGEST_HEAD = 1 << 16
_MOST_REFUSALS = 8
_MOST_TOLD = 300
_OURS = frozenset({b"connection", b"proxy-connection", b"proxy-authorization", b"keep-alive", b"upgrade", b"te", b"host"})
Verdict = Literal["allowed", "refused", "failed"]
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


async def resolved(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host, as this machine finds them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    every = (hosts.address(str(one[4][0]).partition("%")[0]) for one in found)
    return list(dict.fromkeys(one for one in every if one is not None))


def variables() -> dict[str, str]:
    """What tells programs of the proxy."""
    url = f"http://127.0.0.1:{PORT}"
    own = "localhost,127.0.0.1,::1"
    spelled = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "ALL_PROXY": url, "NO_PROXY": own}
    # Node reads them only if it is told to.
    return {**spelled, **{name.lower(): value for name, value in spelled.items()}, "NODE_USE_ENV_PROXY": "1"}


class _Refused(Exception):
    """It does not go further. `status` and the sentence are what the client is told."""

    def __init__(self, status: int, why: str, verdict: str = "refused") -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.failed = verdict == "failed"


@dataclass(slots=True)
class _Way:
    """A connection under way: where it is to go, and what has passed."""

    host: str = ""
    port: int = 0
    sent: int = 0
    received: int = 0

    def count_sent(self, size: int) -> None:
        """From the command on."""
        self.sent += size

    def count_received(self, size: int) -> None:
        """Back to the command."""
        self.received += size


class HostProxy:
    """Lets one command's connections through to what is `listed` under `key` of `[sandbox]`; each is told to `tell`."""

    def __init__(self, listed: Sequence[Listed], key: str, role: Role, tell: OnReached, resolve: Resolve = resolved) -> None:
        self._listed = tuple(listed)
        self._key = key
        self._role = role
        self._tell = tell
        self._resolve = resolve
        self._refusals: dict[str, None] = {}
        self._times = 0

    @property
    def refusals(self) -> tuple[str, ...]:
        """What was refused so far, each once."""
        return tuple(self._refusals)

    def straight(self) -> dict[int, Serve]:
        """Ports of this machine's own that are listed: served under their numbers, since programs ask no proxy for what is local."""
        own = [one for one in self._listed if hosts.is_local(one)]
        return {port: self._through(one.name, port) for one in own for port in ((one.port,) if one.port else hosts.WEB)}

    def _through(self, host: str, port: int) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            began = time.monotonic()
            way, why = _Way(host, port), ""
            try:
                far = await asyncio.open_connection(host, port, limit=_PIECE)
                await joined((reader, writer), far, way.count_sent, way.count_received)
            except OSError as error:
                why = f"network: {host}:{port} can't be reached: {_said(error)}"
                if not way.received:
                    self._refuse(why)
            finally:
                self._told(way, "failed" if why and not way.received else "allowed", why, began)

        return serve

    def _refuse(self, why: str) -> None:
        if len(self._refusals) < _MOST_REFUSALS:
            self._refusals[why] = None

    def _told(self, way: _Way, verdict: Verdict, why: str, began: float) -> None:
        self._times += 1
        if self._times > _MOST_TOLD:
            # A program that tries again and again must not fill the record: from here on each doubling is told.
            if self._times & (self._times - 1):
                return
            why = f"{why or 'allowed'}; the {self._times}th connection of this command, and not each is told any more"
        self._tell(Reached(way.host, way.port, verdict, self._role, why, way.sent, way.received, time.monotonic() - began))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        began = time.monotonic()
        way = _Way()
        verdict: Verdict = "allowed"
        why = ""
        client = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_HEAD)
        try:
            await self._lead(client, (reader, writer), way)
        except _Refused as refused:
            verdict, why = ("failed" if refused.failed else "refused"), refused.why
            await _say(client, writer, refused)
        except (OSError, asyncio.IncompleteReadError, h11.ProtocolError) as error:
            broke = way.host and not way.received
            verdict, why = ("failed", f"network: {way.host}:{way.port}: {error}") if broke else ("allowed", "")
        finally:
            if verdict != "allowed" and why:
                self._refuse(why)
            if way.host:
                self._told(way, verdict, why, began)

    async def _lead(self, client: h11.Connection, near: End, way: _Way) -> None:
        request = await _request(client, near[0])
        if request is None:
            return
        target = request.target.decode("ascii", "replace")
        if request.method == b"CONNECT":
            far = await self._reach(target, 443, way)
            near[1].write(client.send(h11.Response(status_code=200, headers=[], reason=b"Connection established")))
            ahead = client.trailing_data[0]
            if ahead:
                way.count_sent(len(ahead))
                far[1].write(ahead)
            await joined(near, far, way.count_sent, way.count_received)
            return
        scheme, mark, rest = target.partition("://")
        if not mark or scheme.lower() != "http":
            raise _Refused(400, "network: this is a proxy for http:// addresses and for CONNECT")
        authority, path = _parted(rest)
        far = await self._reach(authority, 80, way)
        await _pass_on(client, near, far, (request, authority, path), way)

    async def _reach(self, authority: str, default: int, way: _Way) -> End:
        """Connect to what is asked for, if that may be. Raises _Refused."""
        found = hosts.split(authority, default)
        if found is None:
            raise _Refused(400, f"network: not a host: {authority[:100]!r}")
        way.host, way.port = found
        if why := hosts.complaint(self._listed, *found, key=self._key):
            raise _Refused(403, why)
        literal = hosts.address(way.host)
        try:
            addresses = [literal] if literal is not None else await asyncio.wait_for(self._resolve(*found), _CONNECT_S)
        except OSError as error:
            raise _Refused(502, f"network: {way.host} can't be looked up: {_said(error)}", "failed") from error
        near = {one: hosts.near(self._listed, way.host, one) for one in addresses}
        open_ones = [one for one, why in near.items() if not why]
        if near and not open_ones:
            raise _Refused(403, next(iter(near.values())))
        problem = "no address"
        for one in open_ones:
            try:
                return await asyncio.wait_for(asyncio.open_connection(str(one), way.port, limit=_PIECE), _CONNECT_S)
            except OSError as error:
                problem = _said(error)
        raise _Refused(502, f"network: {way.host}:{way.port} can't be reached: {problem}", "failed")


async def _request(client: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    async with asyncio.timeout(_HEAD_S):
        event = await _event(client, reader)
    return event if isinstance(event, h11.Request) else None


async def _event(client: h11.Connection, reader: asyncio.StreamReader) -> object:
    while (event := client.next_event()) is h11.NEED_DATA:
        client.receive_data(await reader.read(_PIECE))
    return event


async def _pass_on(client: h11.Connection, near: End, far: End, asked: tuple[h11.Request, str, str], way: _Way) -> None:
    """One plain request, and whatever comes back. Another on the same connection would be another's: it is not read."""
    request, authority, path = asked
    headers = [(name, value) for name, value in request.headers if name not in _OURS]
    server = h11.Connection(h11.CLIENT)
    own = [(b"host", authority.encode()), *headers, (b"connection", b"close")]

    async def send(event: h11.Event) -> None:
        piece = server.send(event) or b""
        way.count_sent(len(piece))
        far[1].write(piece)
        await far[1].drain()

    async def body() -> None:
        while isinstance(event := await _event(client, near[0]), h11.Data | h11.EndOfMessage):
            await send(event)
            if isinstance(event, h11.EndOfMessage):
                return

    await send(h11.Request(method=request.method, target=path.encode("ascii", "replace"), headers=own))
    sending = asyncio.ensure_future(body())
    try:
        while piece := await far[0].read(_PIECE):
            way.count_received(len(piece))
            near[1].write(piece)
            await near[1].drain()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        far[1].close()


async def _say(client: h11.Connection, writer: asyncio.StreamWriter, refused: _Refused) -> None:
    body = f"loopdeck: {refused.why}\n".encode()
    headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body))), ("connection", "close")]
    with contextlib.suppress(h11.LocalProtocolError, OSError):
        head = client.send(h11.Response(status_code=refused.status, headers=headers, reason=b"Refused by loopdeck")) or b""
        writer.write(head + body)
        await writer.drain()


def _said(error: OSError) -> str:
    return error.strerror or str(error) or "no answer"


def _parted(rest: str) -> tuple[str, str]:
    """Authority and path of what follows `http://`. Users in it are left to be refused as no host."""
    for at, char in enumerate(rest):
        if char in "/?#":
            path = rest[at:].partition("#")[0]
            return rest[:at], path if path.startswith("/") else f"/{path}"
    return rest, "/"
