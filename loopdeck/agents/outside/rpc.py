"""JSON-RPC over a program's lines: what Codex's app-server and every ACP agent are talked with.

Invariant: notices and requests are taken in the order in which they came; a request waits for its answer beside the reading, so that
nothing that is asked, and no person's decision, keeps the next line from being read.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from loopdeck.sandbox.port import Conversation

Json = dict[str, Any]
MOST_RUBBISH = 200
"""So many lines that are no messages, and it is not the program that it was taken for."""
NO_SUCH_METHOD = -32601


class Refused(Exception):
    """The other side answered with an error."""

    def __init__(self, code: int, message: str, more: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.more = more


class Gone(Exception):
    """The other side has closed its output, or no longer listens."""


class Rubbish(Exception):
    """The other side does not speak the protocol."""


class Peer:
    """One side of a conversation; `talk` leads to the other.

    `answer` is awaited for each request of theirs, and may raise Refused; `heard` takes each notice; `rubbish` each line that is no
    message. `stamp` stands in every message of ours.
    """

    def __init__(
        self,
        talk: Conversation,
        answer: Callable[[str, Json], Awaitable[Json]],
        heard: Callable[[str, Json], None],
        rubbish: Callable[[str], None],
        *,
        stamp: Mapping[str, str],
    ) -> None:
        self._talk = talk
        self._answer = answer
        self._heard = heard
        self._rubbish = rubbish
        self._stamp = dict(stamp)
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._answering: dict[asyncio.Task[None], object] = {}
        self._writing = asyncio.Lock()
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
            if not self._broken.done():
                self._broken.cancel()
            await self._close()

    async def ask(self, method: str, params: Json) -> Json:
        """Make a request and wait for its answer. Raises Refused, Gone."""
        if self._over:
            raise Gone
        number = next(self._ids)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"id": number, "method": method, "params": params})
            result = await future
        finally:
            self._waiting.pop(number, None)
        return result if isinstance(result, dict) else {}

    async def tell(self, method: str, params: Json | None = None) -> None:
        """Send a notice. Raises Gone."""
        await self._send({"method": method} | ({} if params is None else {"params": params}))

    async def drop(self, result: Json) -> None:
        """Answer every request of theirs that still waits with `result`, whatever is being found out for it. Raises Gone."""
        dropped, self._answering = self._answering, {}
        for task in dropped:
            task.cancel()
        await asyncio.gather(*dropped, return_exceptions=True)
        for number in dropped.values():
            await self._send({"id": number, "result": result})

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
        method, number = message.get("method"), message.get("id")
        params = message.get("params")
        given = params if isinstance(params, dict) else {}
        if isinstance(method, str) and number is not None:
            task = asyncio.ensure_future(self._serve(number, method, given))
            self._answering[task] = number
            task.add_done_callback(self._served)
        elif isinstance(method, str):
            self._heard(method, given)
        elif isinstance(number, int) and (future := self._waiting.get(number)) is not None and not future.done():
            error = message.get("error")
            if error is None:
                future.set_result(message.get("result"))
            else:
                future.set_exception(_refusal(error))

    async def _serve(self, number: object, method: str, params: Json) -> None:
        try:
            reply: Json = {"result": await self._answer(method, params)}
        except Refused as refusal:
            reply = {"error": {"code": refusal.code, "message": refusal.message}}
        await self._send({"id": number} | reply)

    def _served(self, task: "asyncio.Task[None]") -> None:
        self._answering.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, Gone) and not self._broken.done():
            self._broken.set_exception(error)

    async def _send(self, message: Json) -> None:
        try:
            async with self._writing:
                await self._talk.send(msgspec.json.encode(self._stamp | message) + b"\n")
        except (BrokenPipeError, ConnectionError) as error:
            raise Gone from error

    async def _close(self) -> None:
        self._over = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Gone())
        answering = tuple(self._answering)
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)


def _decoded(line: bytes) -> Json | None:
    try:
        message = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return message if isinstance(message, dict) and ("method" in message or "id" in message) else None


def _refusal(error: object) -> Refused:
    if not isinstance(error, dict):
        return Refused(0, str(error)[:2000])
    code = error.get("code")
    return Refused(code if isinstance(code, int) else 0, str(error.get("message") or "no explanation")[:2000], error.get("data"))


def text(of: Json, key: str) -> str:
    """A text in a message; empty if there is none."""
    value = of.get(key)
    return value if isinstance(value, str) else ""


def part(of: Json, key: str) -> Json:
    """An object in a message; empty if there is none."""
    value = of.get(key)
    return value if isinstance(value, dict) else {}


def parts(of: Json, key: str) -> list[Json]:
    """The objects of a list in a message."""
    value = of.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def count(of: Json, key: str) -> int:
    """A number of something in a message; 0 if there is none."""
    value = of.get(key)
    return max(0, int(value)) if isinstance(value, int | float) and not isinstance(value, bool) else 0
