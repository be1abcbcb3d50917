"""What listening to a program has in common, whatever its messages look like: JSON by lines, answers beside the reading.

Invariant: messages are taken in the order in which they came; a request of its waits for its answer beside the reading, so that nothing
that is asked, and no person's decision, keeps the next line from being read.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from loopdeck.sandbox.port import Conversation

Json = dict[str, Any]
MOST_RUBBISH = 200
"""So many lines that are no messages, and it is not the program that it was taken for."""


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


class Listening(ABC):
    """Our side of a conversation; `talk` leads to the other, `rubbish` takes each line that is no message.

    `waiting` are our requests by their numbers, `answering` what is being found out for theirs.
    """

    def __init__(self, talk: Conversation, rubbish: Callable[[str], None]) -> None:
        self.talk = talk
        self.waiting: dict[object, asyncio.Future[Any]] = {}
        self.answering: dict[object, asyncio.Task[None]] = {}
        self._rubbish = rubbish
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._over = False

    @abstractmethod
    def is_message(self, decoded: Json) -> bool:
        """Whether a line that is a JSON object is a message of this protocol."""

    @abstractmethod
    def take(self, message: Json) -> None:
        """Take one message."""

    async def listen(self) -> None:
        """Take what comes until there is no more. Raises Rubbish, and whatever answering and taking raise."""
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
            self._over = True
            for future in self.waiting.values():
                if not future.done():
                    future.set_exception(Gone())
            await self.cancelled()

    async def asked(self, number: object, message: Json) -> object:
        """Send our request of that number and wait for what comes of it. Raises Refused, Gone."""
        if self._over:
            raise Gone
        future = self.waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self.send(message)
            return await future
        finally:
            self.waiting.pop(number, None)

    async def send(self, message: Json) -> None:
        """Send a message. Raises Gone."""
        try:
            await self.talk.send(msgspec.json.encode(message) + b"\n")
        except (BrokenPipeError, ConnectionError) as error:
            raise Gone from error

    def answer_beside(self, number: object, work: Coroutine[Any, Any, None]) -> None:
        """Have their request of that number answered beside the reading."""
        task = self.answering[number] = asyncio.ensure_future(work)
        task.add_done_callback(lambda done: self._answered(number, done))

    async def cancelled(self) -> list[object]:
        """Let go of all that is being found out for them; the numbers of those requests."""
        dropped = dict(self.answering)
        for task in dropped.values():
            task.cancel()
        await asyncio.gather(*dropped.values(), return_exceptions=True)
        return list(dropped)

    def _answered(self, number: object, task: "asyncio.Task[None]") -> None:
        if self.answering.get(number) is task:
            del self.answering[number]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, Gone) and not self._broken.done():
            self._broken.set_exception(error)

    async def _read(self) -> None:
        strange = 0
        while (line := await self.talk.line()) is not None:
            message = _decoded(line)
            if message is not None and self.is_message(message):
                self.take(message)
            elif line.strip():
                strange += 1
                self._rubbish(line[:200].decode("utf-8", "replace"))
                if strange >= MOST_RUBBISH:
                    raise Rubbish


def _decoded(line: bytes) -> Json | None:
    try:
        message = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


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
