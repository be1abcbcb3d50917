"""One streaming call over a vendor's SDK.

Its authentication, headers and connections; our own reading of the stream. The SDK is imported on first use,
in a thread, so that the runner goes on answering meanwhile. Its retries are off, and its events are left
aside: decoding them ourselves costs a third of the time, survives fields it doesn't know, and keeps malformed
arguments as the text they were.

Invariant: a call ends with a whole reply, or with ModelFailed; and its connection is closed or clean whatever
happens, also when the task is cancelled.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from loopdeck.agents import failures
from loopdeck.agents.dialect import Dialect, Reader, input_bound, speakable
from loopdeck.agents.sse import EventSplitter
from loopdeck.core.conversation import ModelFailed, ModelReply, ModelRequest, OnText

TIMEOUT_S = 600.0
"""Silence after which a call is given up.

The SDKs' own figure; a long prompt on a small local server needs minutes.
"""

CONNECT_S = 10.0
_DRAIN_S = 0.25


class Response(Protocol):
    """What we use of the HTTP client's response."""

    headers: Mapping[str, str]

    @property
    def content(self) -> bytes:
        """The body of an answer that is not streamed."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The body as it comes, without its transfer coding."""
        ...

    async def aclose(self) -> None:
        """Let go of the connection, or close it if the body was not read to its end."""
        ...


@dataclass(frozen=True)
class Line:
    """An open SDK: its client, the module that holds its errors, and where the key was found.

    Both SDKs were made by one generator and look alike.
    """

    client: Any
    errors: Any
    key_from: str


class SdkAgent:
    """A model behind an SDK. Implements `agents.port.ModelAgent`."""

    priced_as = ""

    def __init__(self, dialect: Dialect, connect: Callable[[], Line]) -> None:
        """`connect` imports the SDK and makes its client; it may raise ModelFailed (`auth`, `missing`)."""
        self._dialect = dialect
        self._connect = connect
        self._line: Line | None = None
        self._opening = asyncio.Lock()

    def input_bound(self, request: ModelRequest) -> int:
        """The most input tokens `request` can come to.

        The bytes that will be sent, and the provider's preamble.
        """
        return input_bound(encoded(self._dialect.body, request))

    async def count_input(self, request: ModelRequest) -> int | None:
        """No tighter figure here."""
        return None

    async def call(self, request: ModelRequest, on_text: OnText) -> ModelReply:
        """Make the call, streaming text to `on_text`. Raises ModelFailed."""
        line = await self._opened()
        while True:
            try:
                return await self._stream(line, request, on_text)
            except ModelFailed as failure:
                # Not a retry: a refused parameter is left out, at once and for good, and nothing was charged.
                if failure.kind != "request" or not self._dialect.concede(failure.message):
                    raise

    async def close(self) -> None:
        """Let go of connections."""
        line, self._line = self._line, None
        if line is not None:
            await line.client.close()

    async def _opened(self) -> Line:
        async with self._opening:
            if self._line is None:
                self._line = await asyncio.to_thread(self._connect)
            return self._line

    async def _ask(self, path: str, body: bytes, timeout_s: float) -> bytes:
        """The body of a plain answer. Raises ModelFailed."""
        response = await self._post(await self._opened(), path, body, timeout_s=timeout_s)
        return response.content

    async def _stream(self, line: Line, request: ModelRequest, on_text: OnText) -> ModelReply:
        reader = self._dialect.reader(request)
        body = encoded(self._dialect.body, request)
        response = await self._post(line, self._dialect.path, body, stream=True)
        try:
            await _read(response, reader, self._dialect, on_text)
        finally:
            await response.aclose()
        reply = reader.reply()
        request_id = response.headers.get("request-id") or response.headers.get("x-request-id") or reply.request_id
        return msgspec.structs.replace(reply, request_id=request_id, model=reply.model or request.model)

    async def _post(self, line: Line, path: str, body: bytes, *, stream: bool = False, timeout_s: float | None = None) -> Response:
        """The response, its status 200. Raises ModelFailed."""
        import httpx2  # loaded with the SDK; not before

        options: dict[str, Any] = {"headers": {"Content-Type": "application/json"}}
        if timeout_s is not None:
            options["timeout"] = timeout_s
        try:
            response: Response = await line.client.post(path, content=body, cast_to=httpx2.Response, stream=stream, options=options)
            return response
        except line.errors.APIStatusError as error:
            raise failures.from_status(error.status_code, error.response.headers, error.body, line.key_from) from error
        except line.errors.APIConnectionError as error:
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            raise failures.from_transport(cause, answered=False) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise failures.from_transport(error, answered=False) from error


def encoded(encode: Callable[[ModelRequest], bytes], request: ModelRequest) -> bytes:
    """The bytes of `request`, also where its text holds what UTF-8 can't."""
    try:
        return encode(request)
    except UnicodeEncodeError:
        return encode(speakable(request))


async def _read(response: Response, reader: Reader, dialect: Dialect, on_text: OnText) -> None:
    """Feed the body to `reader` until it has the whole reply."""
    import httpx2  # loaded with the SDK; not before

    chunks = response.aiter_bytes()
    try:
        begin = b""
        while not (begin := begin.lstrip()) and (chunk := await anext(chunks, None)) is not None:
            begin += chunk
        if begin.startswith(b"{"):
            # No event begins like this: the server doesn't stream.
            body = begin + b"".join([chunk async for chunk in chunks])
            for data in dialect.unstreamed(body):
                reader.feed(data)
        else:
            await _read_events(begin, chunks, reader, on_text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ModelFailed("malformed", f"the answer is no JSON: {error}", maybe_charged=True) from error
    except httpx2.HTTPError as error:
        # What breaks behind the end of a reply takes nothing from it.
        if not reader.whole:
            raise failures.from_transport(error, answered=True) from error
    if not reader.whole:
        kind = response.headers.get("content-type", "nothing")
        if not reader.started and "event-stream" not in kind:
            raise ModelFailed("malformed", f"the answer is neither an event stream nor a reply, but {kind}", maybe_charged=True)
        raise ModelFailed("cut", "the stream ended before the reply did", maybe_charged=True)


async def _read_events(begin: bytes, chunks: AsyncIterator[bytes], reader: Reader, on_text: OnText) -> None:
    """Feed a stream of events to `reader`, the first bytes of which have been read."""
    splitter = EventSplitter()
    chunk: bytes | None = begin
    while chunk is not None:
        for data in splitter.feed(chunk):
            if text := reader.feed(data):
                on_text(text)
        if reader.done:
            await _drain(chunks)
            return
        chunk = await anext(chunks, None)
    if data := splitter.close():
        # A last event without its blank line; if it is only half of one, the stream was cut.
        with contextlib.suppress(msgspec.DecodeError):
            reader.feed(data)


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read what follows the reply, which is the end of the body: only then can the connection be used again."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            async for _ in chunks:
                pass
    except TimeoutError:
        return
