"""Keys one after the other: a key changes who has the keys, and what was typed ahead is for them.

Textual gives a key to whoever has the keys when it is read. Of keys that come in one piece, pasted or from a program that types, all
would go to whom the first one was for. Invariant: nobody waits for ever, whatever an app is busy with.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from textual.app import ScreenStackError
from textual.events import Key
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import SystemModalScreen
from textual.widget import AwaitMount
from textual.worker import WorkerError

if TYPE_CHECKING:
    from textual.app import App

_MOMENT_S = 0.01
_WHILE_S = 0.5
_ROUNDS = 8
"""A message brings about another; no chain of ours is as long."""
_under_way: set[object] = set()


def under_way() -> bool:
    """True while a key is being attended to: what can wait for a moment does."""
    return bool(_under_way)


class Inflow:
    """Hands on what comes from a terminal in the order that it comes, a key once the one before has been attended to."""

    def __init__(self, app: "App[object]", hand_on: Callable[[Message], None]) -> None:
        self._app = app
        self._hand_on = hand_on
        self._waiting: asyncio.Queue[Message] = asyncio.Queue()
        self._flow: asyncio.Task[None] | None = None

    def take(self, event: Message) -> None:
        """Hand it on in its turn. For the app's own thread."""
        self._waiting.put_nowait(event)
        if self._flow is None:
            self._flow = asyncio.get_running_loop().create_task(self._flowing())

    async def _flowing(self) -> None:
        hurry, attended = asyncio.Event(), None
        while True:
            event = await self._waiting.get()
            typed = isinstance(event, Key)
            if typed and attended is not None:
                hurry.set()
                # Whatever became of it, the next key is handed on.
                await asyncio.wait((attended,))
            self._hand_on(event)
            if typed:
                hurry = asyncio.Event()
                attended = asyncio.get_running_loop().create_task(digested(self._app, hurry))


async def digested(app: "App[object]", hurry: asyncio.Event) -> None:
    """Return once the app has done what it was given: those who had the keys, all around them, and those who have them now.

    It is asked after a moment, so that asking takes nothing from what is asked about; somebody who waits is in a `hurry`. What takes
    longer than a while is not waited for.
    """
    mine = object()
    _under_way.add(mine)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(hurry.wait(), _MOMENT_S)
        # Of an app that is being left there is nothing to wait for.
        with suppress(TimeoutError, ScreenStackError):
            await asyncio.wait_for(_digested(app), _WHILE_S)
    finally:
        _under_way.discard(mine)


async def _digested(app: "App[object]") -> None:
    line = _line(app)
    for _ in range(_ROUNDS):
        for pump in (app, *line):
            await _attended(pump)
        await AwaitMount(app.screen, [app.screen])
        if isinstance(app.screen, SystemModalScreen):
            # The palette looks for commands on the side; enter means one of those that fit all that was typed.
            # What was looked for with fewer letters is called off by the next one.
            with suppress(WorkerError):
                await app.workers.wait_for_complete([one for one in app.workers if one.node is app.screen])
        now = _line(app)
        if now == line and not any(pump.message_queue_size for pump in line):
            return
        line = list(dict.fromkeys((*line, *now)))


def _line(app: "App[object]") -> list[MessagePump]:
    """Whoever has the keys, and those that hear of what they leave alone."""
    return list((app.focused or app.screen).ancestors_with_self)


async def _attended(pump: MessagePump) -> None:
    """Return when it has attended to all that waits for it; at once if it is being closed."""
    done = asyncio.Event()
    if pump.is_running and pump.call_later(done.set):
        await done.wait()
