"""Claude Code's control protocol over its stdin and stdout: requests and answers of both sides, and its messages between them.

Invariant: messages and requests are taken in the order in which they came; a request of its waits for its answer beside the reading,
so that no person's decision keeps the next line from being read, and one that it takes back is answered no more.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import msgspec

from loopdeck.agents.outside.rpc import MOST_RUBBISH, Gone, Json, Refused, Rubbish, part, text
from loopdeck.sandbox.port import Conversation


class Wire:
    """Our side. `answer` is awaited for each request of its (subtype, request) and may raise Refused; `heard` takes each message."""

    def __init__(
        self, talk: Conversation, answer: Callable[[str, Json], Awaitable[Json]], heard: Callable[[Json], None],
        rubbish: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._talk = talk
        self._answer = answer
        self._heard = heard
        self._rubbish = rubbish
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._answering: dict[str, asyncio.Task[None]] = {}
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._over = False

    async def listen(self) -> None:
        """Take what comes until there is no more. Raises Rubbish, and whatever `answer` and `heard` raise."""
        reading = asyncio.ensure_future(self._read())
        try:
            await asyncio.wait((reading, self._broken), return_when=asyncio.FIRST_COMPLETED)
            if self._broken.done():
                self._broken.result()
            await reading
        finally:
            reading.cancel()
            await asyncio.wait((reading,))
            self._broken.cancel()
            self._close()
            await asyncio.gather(*self._answering.values(), return_exceptions=True)

    async def ask(self, method: str, params: Json) -> Json:
        """Make a control request of subtype `method` and wait for its answer. Raises Refused, Gone."""
        if self._over:
            raise Gone
        number = f"loopdeck-{next(self._numbers)}"
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            await self.say({"type": "control_request", "request_id": number, "request": {"subtype": method, **params}})
            return await future
        finally:
            self._waiting.pop(number, None)

    async def say(self, message: Json) -> None:
        """Send a message. Raises Gone."""
        try:
            await self._talk.send(msgspec.json.encode(message) + b"\n")
        except (BrokenPipeError, ConnectionError) as error:
            raise Gone from error

    async def drop(self) -> None:
        """Answer no request of its that still waits, whatever is being found out for it."""
        dropped = tuple(self._answering.values())
        for task in dropped:
            task.cancel()
        await asyncio.gather(*dropped, return_exceptions=True)

    async def _read(self) -> None:
        strange = 0
        while (line := await self._talk.line()) is not None:
            message = _decoded(line)
            if message is not None:
                self._take(message)
            elif line.strip():
                strange += 1
                self._rubbish(line[:200].decode("utf-8", "replace"))
                if strange >= MOST_RUBBISH:
                    raise Rubbish

    def _take(self, message: Json) -> None:
        match message["type"]:
            case "control_response":
                self._answered(part(message, "response"))
            case "control_request":
                number = text(message, "request_id")
                task = asyncio.ensure_future(self._serve(number, part(message, "request")))
                self._answering[number] = task
                task.add_done_callback(lambda done: self._served(number, done))
            case "control_cancel_request":
                if (task_ := self._answering.get(text(message, "request_id"))) is not None:
                    task_.cancel()
            case _:
                self._heard(message)

    def _answered(self, response: Json) -> None:
        future = self._waiting.get(text(response, "request_id"))
        if future is None or future.done():
            return
        if text(response, "subtype") == "error":
            future.set_exception(Refused(0, text(response, "error")[:2000] or "no explanation"))
        else:
            future.set_result(part(response, "response"))

    async def _serve(self, number: str, request: Json) -> None:
        response: Json = {"subtype": "success", "request_id": number}
        try:
            response["response"] = await self._answer(text(request, "subtype"), request)
        except Refused as refusal:
            response = {"subtype": "error", "request_id": number, "error": refusal.message}
        await self.say({"type": "control_response", "response": response})

    def _served(self, number: str, task: "asyncio.Task[None]") -> None:
        self._answering.pop(number, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, Gone) and not self._broken.done():
            self._broken.set_exception(error)

    def _close(self) -> None:
        self._over = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Gone())
        for task in self._answering.values():
            task.cancel()


def _decoded(line: bytes) -> Json | None:
    try:
        message = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return message if isinstance(message, dict) and isinstance(message.get("type"), str) else None
