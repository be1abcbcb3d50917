"""A turn with a program that speaks JSON-RPC, from its start to its end: whatever it does, an end comes of it.

Invariant: who cancels a turn waits no longer than `POLITE_S` for the program to be asked; then it is ended by whoever opened it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from loopdeck.agents.outside.listening import Gone, Json, Refused, Rubbish
from loopdeck.agents.outside.port import Ended
from loopdeck.sandbox.port import Conversation

START_S = 90.0
"""How long a program may take to answer each of its first requests: several load for seconds, on a loaded machine for many."""
POLITE_S = 0.4
_LEAVES_S = 3.0
_STATUS_S = 2.0
_LAST_WORDS_S = 0.1
_NOT_FOUND = 127


class Late(Exception):
    """The program did not answer in time."""


class Side(Protocol):
    """Our side of a conversation with a program, whatever its messages look like."""

    async def listen(self) -> None:
        """Take what comes until there is no more. Raises Rubbish."""
        ...

    async def ask(self, method: str, params: Json) -> Json:
        """Make a request and wait for its answer. Raises Refused, Gone."""
        ...


async def soon(peer: Side, method: str, params: Json, seconds: float) -> Json:
    """A request that has to be answered within so many seconds. Raises Late, Refused, Gone."""
    try:
        async with asyncio.timeout(seconds):
            return await peer.ask(method, params)
    except TimeoutError as error:
        raise Late(f"it did not answer `{method}` within {seconds:.0f} seconds") from error


async def played(
    name: str, talk: Conversation, peer: Side, play: Coroutine[None, None, Ended], leave: Callable[[], Awaitable[None]]
) -> Ended:
    """Play the turn while the peer listens; `leave` says goodbye by the protocol if the turn is cancelled."""
    listening, playing = asyncio.ensure_future(peer.listen()), asyncio.ensure_future(play)
    try:
        await asyncio.wait((listening, playing), return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            await asyncio.wait((playing,), timeout=_LAST_WORDS_S)
            listening.result()
        if not playing.done():
            raise Gone
        ended = playing.result()
        await _goodbye(talk, listening)
        return ended
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(POLITE_S):
                await leave()
                await asyncio.wait((playing, listening), return_when=asyncio.FIRST_COMPLETED)
        raise
    except Gone:
        return await _vanished(name, talk)
    except Late as late:
        return Ended("failed", failure="timeout", message=f"{name}: {late}")
    except Refused as refusal:
        return Ended("failed", failure="request", message=f"{name}: {refusal.message}")
    except Rubbish:
        return Ended("failed", failure="malformed", message=f"{name} prints what is not its protocol: is it the right program?")
    finally:
        for task in (playing, listening):
            task.cancel()
        await asyncio.gather(playing, listening, return_exceptions=True)


async def _goodbye(talk: Conversation, listening: "asyncio.Future[None]") -> None:
    """Let a program that is through end by itself, so that it writes down what it has to; what it still says is heard."""
    talk.close_input()
    await asyncio.wait((listening,), timeout=_LEAVES_S)
    if not listening.done():
        return
    listening.result()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_STATUS_S):
            await talk.finished()


async def _vanished(name: str, talk: Conversation) -> Ended:
    """It has closed its output in the middle of the turn."""
    try:
        async with asyncio.timeout(_STATUS_S):
            finished = await talk.finished()
    except TimeoutError:
        return Ended("failed", failure="cut", message=f"{name} closed its output and did not end")
    how = finished.ended_by or f"exit code {finished.exit_code}"
    said = " ".join(finished.text.split())[-300:]
    missing = finished.exit_code == _NOT_FOUND
    message = f"{name} ended in the middle of the turn ({how})" + (f": {said}" if said else "")
    return Ended("failed", failure="missing" if missing else "cut", message=message)
