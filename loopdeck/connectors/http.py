"""MCP over streamable HTTP: each message is a request of its own, answered by one message or a stream of them.

The connection is the runner's own and no sandbox holds it, which is why calls over it ask unless a rule allows them. Invariant: nothing
is followed that the operator did not name, and no answer is read beyond its bound.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from loopdeck.agents import tls
from loopdeck.agents.sse import EventSplitter
from loopdeck.connectors import wire
from loopdeck.connectors.session import ConnectorFailed

if TYPE_CHECKING:
    import httpx2

_FAREWELL_S = 2.0
_CONNECT_S = 10.0
_READY = 64
"""Messages of a stream that are kept until somebody reads them; the server waits meanwhile."""
_OPEN_SESSION = b"mcp-session-id"


class HttpChannel:
    """Messages to and from a server at `url`."""

    def __init__(self, url: str) -> None:
        """Loads the HTTP client."""
        import httpx2  # half a second, and only where a connector has an address

        self._url = url
        timeout = httpx2.Timeout(None, connect=_CONNECT_S)
        self._client = httpx2.AsyncClient(verify=tls.trusted(), timeout=timeout, follow_redirects=False)
        self._headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        self._said: asyncio.Queue[bytes | ConnectorFailed] = asyncio.Queue(_READY)
        self._asking: asyncio.Task[None] | None = None

    async def send(self, message: bytes) -> None:
        """A request is answered through `receive`; what needs no answer has arrived when this returns."""
        if wire.decode(message).method and wire.decode(message).id is not None:
            await self._stop()
            self._said = asyncio.Queue(_READY)
            self._asking = asyncio.create_task(self._ask(message, self._said))
            return
        # What answers a server's question goes beside the stream that it came with.
        await self._exchange(message, None)

    async def receive(self) -> bytes:
        """The next message of the answer under way."""
        said = await self._said.get()
        if isinstance(said, ConnectorFailed):
            raise said
        return said

    def agreed(self, version: str) -> None:
        """To be said with each request from now on."""
        self._headers["mcp-protocol-version"] = version

    async def close(self) -> None:
        """Let the server forget the session, and let go of the connection."""
        await self._stop()
        if _OPEN_SESSION.decode() in self._headers:
            with contextlib.suppress(Exception):
                # A courtesy that nothing depends on.
                async with asyncio.timeout(_FAREWELL_S):
                    await self._client.delete(self._url, headers=self._headers)
        await self._client.aclose()

    async def _stop(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait((self._asking,))
            self._asking = None

    async def _ask(self, message: bytes, said: "asyncio.Queue[bytes | ConnectorFailed]") -> None:
        try:
            await self._exchange(message, said)
        except ConnectorFailed as failed:
            await said.put(failed)
        else:
            await said.put(ConnectorFailed("it ended its answer before it was complete"))

    async def _exchange(self, message: bytes, said: "asyncio.Queue[bytes | ConnectorFailed] | None") -> None:
        import httpx2

        try:
            async with self._client.stream("POST", self._url, content=message, headers=self._headers) as response:
                self._look_at(response)
                if said is not None:
                    await self._read(response, said)
        except httpx2.HTTPError as error:
            raise ConnectorFailed(f"{self._url} can't be reached: {str(error) or type(error).__name__}") from error

    def _look_at(self, response: "httpx2.Response") -> None:
        status = response.status_code
        if status in {401, 403}:
            raise ConnectorFailed(f"{self._url} asks for a login ({status}), which a connector by `url` can't give")
        if 300 <= status < 400:
            raise ConnectorFailed(
                f"{self._url} sends on to {response.headers.get('location', 'elsewhere')[:200]}: name that as its `url`"
            )
        if status == 404 and _OPEN_SESSION.decode() in self._headers:
            raise ConnectorFailed(f"{self._url} has forgotten the session")
        if status >= 400:
            raise ConnectorFailed(f"{self._url} answers {status}")
        if session := response.headers.get(_OPEN_SESSION.decode()):
            self._headers[_OPEN_SESSION.decode()] = session

    async def _read(self, response: "httpx2.Response", said: "asyncio.Queue[bytes | ConnectorFailed]") -> None:
        streamed = response.headers.get("content-type", "").startswith("text/event-stream")
        splitter, body, pending = EventSplitter(), bytearray(), 0
        async for chunk in response.aiter_bytes():
            if streamed:
                found = splitter.feed(chunk)
                pending = 0 if found else pending + len(chunk)
                for one in found:
                    await said.put(one)
            else:
                body += chunk
            if max(pending, len(body)) > wire.MOST:
                raise ConnectorFailed(f"it sent an answer of more than {wire.MOST} bytes")
        if streamed and (last := splitter.close()):
            await said.put(last)
        elif body:
            await said.put(bytes(body))
