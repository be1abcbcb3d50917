"""A conversation with one MCP server: the greeting, the list of its tools, calls one at a time.

Invariant: it trusts nothing the server does. Every wait has an end, every list a bound, and what a server asks of us is refused; a
server that breaks the protocol, falls silent or floods is given up with a sentence.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol

from loopdeck.connectors import wire

CONNECT_S = 60.0
"""Seconds until a server has greeted and listed: some are fetched from a package registry first."""
CALL_S = 300.0
_LOOK_S = 0.5
MOST_PAGES = 20
MOST_LISTED = 256
MOST_STRAYS = 2000
"""Messages other than the answer that are read while one is waited for."""


class ConnectorFailed(Exception):
    """The server can't be used as it should; the message says why in a sentence without a full stop."""


class Refused(Exception):
    """The server answered a request with an error; the message is the server's."""


class Channel(Protocol):
    """A way to a server and back, message by message."""

    async def send(self, message: bytes) -> None:
        """Let the server have it. Raises ConnectorFailed."""
        ...

    async def receive(self) -> bytes:
        """Its next message. Raises ConnectorFailed once there will be none."""
        ...

    def agreed(self, version: str) -> None:
        """Both sides will speak this version from now on."""
        ...


class Session:
    """One conversation. `changed` is True once the server has said that its tools are no longer what they were."""

    def __init__(
        self, channel: Channel, *, connect_s: float = CONNECT_S, call_s: float = CALL_S, still: Callable[[], bool] = lambda: False
    ) -> None:
        """While it is to stand `still`, no time counts."""
        self._channel = channel
        self._still = still
        self._connect_s = connect_s
        self._call_s = call_s
        self._numbers = itertools.count(1)
        self.changed = False
        self.greeting = ""

    async def greet(self) -> None:
        """Begin the conversation. Raises ConnectorFailed."""
        from loopdeck import __version__

        me = {"name": "loopdeck", "version": __version__}
        asked = {"protocolVersion": wire.VERSIONS[0], "capabilities": {}, "clientInfo": me}
        said = await self._trusted("initialize", asked, self._connect_s)
        version = said.get("protocolVersion")
        if version not in wire.VERSIONS:
            raise ConnectorFailed(f"it speaks version {version!r} of MCP; spoken here are {', '.join(wire.VERSIONS)}")
        self._channel.agreed(str(version))
        named = said.get("serverInfo")
        self.greeting = str(named.get("name", ""))[:80] if isinstance(named, dict) else ""
        await self._channel.send(wire.notification("notifications/initialized"))

    async def listed(self) -> list[dict[str, Any]]:
        """What the server says of its tools, as it says it. Raises ConnectorFailed."""
        self.changed = False
        found: list[dict[str, Any]] = []
        async for page in self._pages():
            tools = page.get("tools")
            if not isinstance(tools, list) or not all(isinstance(one, dict) for one in tools):
                raise ConnectorFailed("its list of tools is not a list")
            found += tools
            if len(found) > MOST_LISTED:
                raise ConnectorFailed(f"it lists more than {MOST_LISTED} tools")
        return found

    async def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The result of a call, as the server says it. Raises Refused, ConnectorFailed."""
        return await self._asked("tools/call", {"name": tool, "arguments": arguments}, self._call_s)

    async def _pages(self) -> AsyncIterator[dict[str, Any]]:
        cursor = ""
        for _ in range(MOST_PAGES):
            page = await self._trusted("tools/list", {"cursor": cursor} if cursor else {}, self._connect_s)
            yield page
            following = page.get("nextCursor")
            if not following:
                return
            cursor = str(following)
        raise ConnectorFailed(f"its list of tools has more than {MOST_PAGES} pages")

    async def _trusted(self, method: str, params: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to what no server may refuse."""
        try:
            return await self._asked(method, params, seconds)
        except Refused as refused:
            raise ConnectorFailed(f"it refuses {method}: {refused}") from refused

    async def _asked(self, method: str, params: dict[str, Any], seconds: float) -> dict[str, Any]:
        number = next(self._numbers)
        try:
            answer = await self._within(seconds, self._exchange(number, wire.request(number, method, params)))
        except TimeoutError as error:
            await self._forget(number)
            raise ConnectorFailed(f"it did not answer {method} within {seconds:g} s") from error
        if answer.error is not None:
            raise Refused(str(answer.error.get("message") or answer.error.get("code") or "no reason given")[:2000])
        if not isinstance(answer.result, dict):
            raise ConnectorFailed(f"its answer to {method} is no object")
        return answer.result

    async def _within(self, seconds: float, work: Coroutine[Any, Any, wire.Message]) -> wire.Message:
        """What `work` comes to. Raises TimeoutError once the seconds that count are over."""
        task = asyncio.ensure_future(work)
        try:
            while seconds > 0:
                step = min(seconds, _LOOK_S)
                if (await asyncio.wait((task,), timeout=step))[0]:
                    return task.result()
                seconds -= 0.0 if self._still() else step
            raise TimeoutError
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))

    async def _exchange(self, number: int, request: bytes) -> wire.Message:
        await self._channel.send(request)
        return await self._answer(number)

    async def _answer(self, number: int) -> wire.Message:
        for _ in range(MOST_STRAYS):
            try:
                message = wire.decode(await self._channel.receive())
            except wire.Garbled as garbled:
                raise ConnectorFailed(f"it sent {garbled}") from garbled
            if not message.method and message.id == number:
                return message
            await self._met(message)
        raise ConnectorFailed(f"it sent {MOST_STRAYS} other messages instead of an answer")

    async def _met(self, message: wire.Message) -> None:
        """Something that is no answer to us: requests are refused, but for a sign of life; late answers are let go."""
        match message:
            case wire.Message(method="ping", id=str() | int() as number):
                await self._channel.send(wire.answer(number, {}))
            case wire.Message(method="notifications/tools/list_changed"):
                self.changed = True
            case wire.Message(method=method, id=str() | int() as number) if method:
                await self._channel.send(wire.refusal(number, wire.NO_METHOD, f"{method[:80]} is not offered to servers here"))
            case _:
                pass

    async def _forget(self, number: int) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._channel.send(wire.notification("notifications/cancelled", {"requestId": number, "reason": "timeout"}))
        except (ConnectorFailed, TimeoutError):
            pass
