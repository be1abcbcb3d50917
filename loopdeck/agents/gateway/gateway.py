"""The loopback proxy of one run: outside agents reach their provider through it, and only as far as the run's budget goes.

It listens on the loopback interface alone, below a random path; every request needs the run's token, which agents hold for their key.
The providers' keys stay here. Invariant: whoever lacks path or token learns nothing and spends nothing.
"""

import asyncio
import secrets
from typing import TYPE_CHECKING

from loopdeck.agents import keys
from loopdeck.agents.gateway import speech as speeches
from loopdeck.agents.gateway.address import Address
from loopdeck.agents.gateway.asked import Speech
from loopdeck.agents.gateway.connection import Connection, Gone, Incoming
from loopdeck.agents.gateway.exchange import Answers, Exchange, refuse
from loopdeck.agents.gateway.purse import Purse
from loopdeck.agents.gateway.speech import VENDORS, Route
from loopdeck.agents.gateway.upstream import Upstreams
from loopdeck.core.conversation import ModelFailed

if TYPE_CHECKING:
    import httpx2


class Gateway:
    """A gateway that spends from `purse`, at `upstreams`."""

    def __init__(self, purse: Purse, upstreams: Upstreams) -> None:
        self._purse = purse
        self._upstreams = upstreams
        self._answers = Answers()
        self._prefix = f"/{secrets.token_urlsafe(24)}"
        self._token = keys.hold(secrets.token_urlsafe(32))
        self._server: asyncio.Server | None = None
        self._client: httpx2.AsyncClient | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._error: Exception | None = None

    async def start(self) -> Address:
        """Listen, on a port of the system's choice. Raises OSError."""
        self._client = await asyncio.to_thread(self._upstreams.opened)
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=1 << 16, backlog=256)
        port = self._server.sockets[0].getsockname()[1]
        return Address(f"http://127.0.0.1:{port}{self._prefix}", self._token)

    async def stop(self) -> None:
        """Stop listening, break off what is under way and settle it. To be called before the run ends, since that is the last event.

        Raises what kept the purse from being asked or settled: nothing was let through after that.
        """
        if self._server is not None:
            self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
        if self._error is not None:
            raise self._error

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: the one that the server would make can't be cancelled without noise.
        task = asyncio.ensure_future(self._serve(Connection(reader, writer)))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, connection: Connection) -> None:
        try:
            while (incoming := await connection.next()) is not None:
                await connection.attend(self._answer(connection, incoming))
        except Gone:
            connection.cut()
        except asyncio.CancelledError:
            connection.cut()
            raise
        except Exception as error:  # the books can't be kept, or our own bug: whoever stops the gateway gets it
            self._error = self._error or error
            connection.cut()
        finally:
            connection.close()

    async def _answer(self, connection: Connection, incoming: Incoming) -> None:
        path = incoming.path.removeprefix(self._prefix)
        route = speeches.route(path)
        known = path != incoming.path and route is not None
        speech: Speech = route.speech if route is not None else "messages"
        if not known or route is None:
            await refuse(connection, speech, 404, "loopdeck: there is nothing here.")
        elif not self._is_ours(incoming):
            await refuse(connection, speech, 401, "loopdeck: this key is not the one that the gateway gave out.")
        elif incoming.method == "GET" and speech == "responses":
            # Codex tries a WebSocket first, and falls back when it is told that there is none.
            await connection.answer(426, [(b"content-type", b"text/plain")], b"loopdeck: no WebSocket here; POST instead")
        elif incoming.method != "POST":
            await refuse(connection, speech, 405, "loopdeck: POST here.")
        elif incoming.header(b"content-encoding") not in (b"", b"identity"):
            await refuse(connection, speech, 415, "loopdeck: send the request uncompressed.")
        else:
            await self._let_through(connection, Incoming("POST", path, incoming.query, incoming.headers, incoming.body), route)

    def _is_ours(self, incoming: Incoming) -> bool:
        given = [incoming.header(name) for name in (b"x-api-key", b"x-goog-api-key")]
        given.append(incoming.header(b"authorization").removeprefix(b"Bearer "))
        given += [part[4:].encode() for part in incoming.query.split("&") if part.startswith("key=")]
        return any(secrets.compare_digest(one, self._token.encode()) for one in given)

    async def _let_through(self, connection: Connection, incoming: Incoming, route: Route) -> None:
        if self._error is not None:
            await refuse(connection, route.speech, 400, "loopdeck: the run's books can't be kept any more; nothing goes through.")
            return
        assert self._client is not None
        try:
            upstream = self._upstreams.of(VENDORS[route.speech])
        except ModelFailed as failure:
            await refuse(connection, route.speech, 400, f"loopdeck: {failure.message}")
            return
        exchange = Exchange(self._purse, self._client, self._answers, upstream, route)
        if route.metered:
            await exchange.run(connection, incoming)
        else:
            await exchange.run_free(connection, incoming)
