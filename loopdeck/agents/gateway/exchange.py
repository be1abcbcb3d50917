"""One metered request: asked for, reserved, sent on, read as it passes, settled.

Invariants: nothing is sent on before its worst case is set aside. Whatever becomes of it, the agent's hanging up included, it is
settled once; and an agent never has the end of an answer before its cost is written down.
"""

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from loopdeck.agents import failures
from loopdeck.agents.dialect import Reader
from loopdeck.agents.gateway import speech as speeches
from loopdeck.agents.gateway.asked import Asked, Speech, Unreadable, read
from loopdeck.agents.gateway.connection import Connection, Incoming
from loopdeck.agents.gateway.fitted import countable, fitted
from loopdeck.agents.gateway.purse import Grant, Purse, Refusal, Wanted
from loopdeck.agents.gateway.speech import Route
from loopdeck.agents.gateway.upstream import Headers, Upstream
from loopdeck.agents.sse import EventSplitter
from loopdeck.core.conversation import ModelFailed
from loopdeck.core.usage import Usage

if TYPE_CHECKING:
    import httpx2

_JSON: Headers = [(b"content-type", b"application/json")]
_COUNT_S = 20.0
_HUNG_UP = ModelFailed("cut", "broken off before the answer was whole: the agent hung up, or was stopped", maybe_charged=True)


class Answers:
    """What is known of earlier answers of this run: by their ids, the tokens that a request which goes on from one brings along."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}

    def keep(self, id_: str, usage: Usage) -> None:
        """Remember an answer."""
        if id_:
            self._tokens[id_] = usage.tokens

    def wanted(self, upstream: Upstream, asked: Asked, body: bytes) -> Wanted:
        """A request as its purse is asked for it."""
        before, unbounded = 0, asked.unbounded
        if asked.previous:
            before = self._tokens.get(asked.previous, 0)
            unbounded = unbounded or ("" if before else "a conversation that the provider keeps")
        return Wanted(
            upstream.vendor, asked.model, asked.input_bound + before, asked.output, asked.choices, unbounded, body, asked.messages,
            asked.tools,
        )  # fmt: skip


class Exchange:
    """A request of an agent on its way through."""

    def __init__(self, purse: Purse, client: "httpx2.AsyncClient", answers: Answers, upstream: Upstream, route: Route) -> None:
        self._purse = purse
        self._client = client
        self._answers = answers
        self._upstream = upstream
        self._route = route

    async def run(self, connection: Connection, incoming: Incoming) -> None:
        """Answer it. Cancelled when the client hangs up."""
        speech = self._route.speech
        try:
            asked = read(speech, incoming.body, self._route.model, stream=self._route.stream)
        except Unreadable as error:
            await refuse(connection, speech, 400, f"loopdeck: {error}.")
            return
        wanted = self._answers.wanted(self._upstream, asked, incoming.body)
        await self._purse.may_go()
        if self._upstream.counts and self._purse.is_tight(wanted):
            wanted = await self._counted(incoming, wanted)
        await self._purse.may_go(wanted)
        granted = self._purse.reserve(wanted)
        if isinstance(granted, Refusal):
            await refuse(connection, speech, 400, granted.why)
            return
        cap = granted.output_cap // asked.choices
        meter = _Meter(self._purse, self._answers, granted, speeches.reader(speech, asked.model, granted.output_cap))
        try:
            new_name = self._upstream.host.endswith("openai.com")
            body = fitted(speech, incoming.body, asked, cap, new_name=new_name)
            await self._forward(connection, incoming, body, meter)
        finally:
            meter.give_up(_HUNG_UP)

    async def _counted(self, incoming: Incoming, wanted: Wanted) -> Wanted:
        """`wanted` with the provider's own count for its bound, and a little more, since it calls its count an estimate."""
        import httpx2  # loaded with the gateway; not before

        question = replace(incoming, path=f"{incoming.path}/count_tokens", body=countable(incoming.body))
        try:
            async with asyncio.timeout(_COUNT_S):
                response = await self._send(question, question.body)
                said = _decoded(await response.aread()) if response.status_code == 200 else None
        except (httpx2.HTTPError, TimeoutError):
            return wanted
        tokens = said.get("input_tokens") if isinstance(said, dict) else None
        if not isinstance(tokens, int) or tokens <= 0:
            return wanted
        return structs.replace(wanted, input_bound=min(wanted.input_bound, tokens + tokens // 20 + 100))

    async def run_free(self, connection: Connection, incoming: Incoming) -> None:
        """Answer a request that costs nothing."""
        import httpx2  # loaded with the gateway; not before

        try:
            response = await self._send(incoming, incoming.body)
            raw = self._upstream.without_key(await response.aread())
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            failure = failures.from_transport(error, answered=False)
            await refuse(connection, self._route.speech, 502, f"loopdeck: {self._upstream.host}: {failure.message}")
            return
        if 300 <= response.status_code < 400:
            await refuse(connection, self._route.speech, 502, f"loopdeck: {self._upstream.host} answered {response.status_code}.")
            return
        await connection.answer(response.status_code, self._upstream.back(response.headers.raw), raw)

    async def _forward(self, connection: Connection, incoming: Incoming, body: bytes, meter: "_Meter") -> None:
        import httpx2  # loaded with the gateway; not before

        try:
            response = await self._send(incoming, body)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            failure = failures.from_transport(error, answered=False)
            meter.give_up(failure)
            status = 504 if failure.kind == "timeout" else 502
            await refuse(connection, self._route.speech, status, f"loopdeck: {self._upstream.host}: {failure.message}")
            return
        try:
            if response.status_code == 200:
                await self._pass_on(connection, response, meter)
            else:
                await self._pass_error(connection, response, meter)
        except httpx2.HTTPError as error:
            failure = failures.from_transport(error, answered=True)
            meter.give_up(failure)
            if connection.begun:
                connection.cut()
            else:
                await refuse(connection, self._route.speech, 502, f"loopdeck: {self._upstream.host}: {failure.message}")
        finally:
            await response.aclose()

    async def _send(self, incoming: Incoming, body: bytes) -> "httpx2.Response":
        url = self._upstream.url(incoming.path, incoming.query)
        headers = self._upstream.onward(incoming.headers)
        return await self._client.send(self._client.build_request("POST", url, content=body, headers=headers), stream=True)

    async def _pass_error(self, connection: Connection, response: "httpx2.Response", meter: "_Meter") -> None:
        raw = self._upstream.without_key(await response.aread())
        meter.give_up(failures.from_status(response.status_code, response.headers, _decoded(raw)))
        if response.status_code < 400:
            # A redirect would lead the agent, with its token, past us.
            await refuse(connection, self._route.speech, 502, f"loopdeck: {self._upstream.host} answered {response.status_code}.")
            return
        await connection.answer(response.status_code, self._upstream.back(response.headers.raw), raw)

    async def _pass_on(self, connection: Connection, response: "httpx2.Response", meter: "_Meter") -> None:
        headers = self._upstream.back(response.headers.raw)
        kind = response.headers.get("content-type", "")
        if "json" in kind and "event-stream" not in kind:
            body = await response.aread()
            meter.read_whole(body, self._route)
            await connection.answer(200, headers, body)
            return
        await connection.begin(200, [(name, value) for name, value in headers if name.lower() not in _LENGTHS])
        async for chunk in response.aiter_bytes():
            meter.read(chunk)
            await connection.piece(chunk)
        meter.finish()
        await connection.end()


_LENGTHS = (b"content-length", b"content-encoding")


class _Meter:
    """Reads an answer as it passes, and settles its grant as soon as it is known what it costs."""

    def __init__(self, purse: Purse, answers: Answers, grant: Grant, reader: Reader) -> None:
        self._purse = purse
        self._answers = answers
        self._grant = grant
        self._reader = reader
        self._splitter = EventSplitter()
        self._begun = time.monotonic()
        self._settled = False
        self._failure: ModelFailed | None = None

    def read(self, chunk: bytes) -> None:
        """Take the next piece of a stream."""
        if self._settled:
            return
        for data in self._splitter.feed(chunk):
            self._feed(data)
        if self._failure is not None:
            self.give_up(self._failure)
        elif self._reader.done:
            self._settle()

    def _feed(self, data: bytes) -> None:
        if self._failure is not None:
            return
        try:
            self._reader.feed(data)
        except ModelFailed as failure:
            self._failure = failure
        except (msgspec.DecodeError, RecursionError) as error:
            self._failure = ModelFailed("malformed", f"an event is no JSON: {error}", maybe_charged=True)

    def finish(self) -> None:
        """The stream has ended."""
        if self._settled:
            return
        if self._failure is None and (data := self._splitter.close()):
            self._feed(data)
        if self._failure is None and self._reader.whole:
            self._settle()
        else:
            self.give_up(ModelFailed("cut", "the stream ended before the reply did", maybe_charged=True))

    def read_whole(self, body: bytes, route: Route) -> None:
        """Take an answer that is not streamed."""
        try:
            for data in speeches.UNSTREAMED[route.speech](body):
                self._feed(data)
        except (msgspec.DecodeError, RecursionError) as error:
            self._failure = ModelFailed("malformed", f"the answer is no JSON: {error}", maybe_charged=True)
        if self._failure is None and self._reader.whole:
            self._settle()
        else:
            self.give_up(ModelFailed("malformed", "the answer is no reply", maybe_charged=True))

    def give_up(self, failure: ModelFailed) -> None:
        """Settle it as `failure`, or as what went wrong before; nothing if it is settled."""
        if self._settled:
            return
        if self._reader.whole and self._failure is None:
            # What breaks behind the end of a reply takes nothing from it.
            self._settle()
            return
        self._settled = True
        failure = self._failure or failure
        if failure.maybe_charged:
            self._purse.charge_bound(self._grant, failure, self._reader.input_told(), self._seconds())
        else:
            self._purse.fail(self._grant, failure, self._seconds())

    def _settle(self) -> None:
        self._settled = True
        reply = self._reader.reply()
        if reply.certainty == "estimated":
            reply = structs.replace(reply, usage=self._grant.most(self._reader.input_told()))
        self._answers.keep(reply.request_id, reply.usage)
        self._purse.settle(self._grant, reply, self._seconds())

    def _seconds(self) -> float:
        return time.monotonic() - self._begun


async def refuse(connection: Connection, speech: Speech, status: int, message: str) -> None:
    """Answer with an error of our own."""
    headers = [*_JSON, (b"x-should-retry", b"false")] if status == 400 else _JSON
    await connection.answer(status, headers, speeches.error_body(speech, status, message))


def _decoded(raw: bytes) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return raw.decode("utf-8", "replace")
