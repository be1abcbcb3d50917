"""Work beside the room, one job at a time: what is wanted while one is under way is done once after it, the newest wish only.

So a screen may ask for a look at its files with every snapshot, and never has two of them at once, or a queue behind it; nor does it
look so often that the looking is felt: a worker shares the interpreter with the room.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from loopdeck.errors import LoopdeckError

if TYPE_CHECKING:
    from loopdeck.tui.app import Room

T = TypeVar("T")
_REST = 9
_LONGEST_S = 0.3


class Beside(Generic[T]):
    """Jobs of one screen; each result is given to `done`, on the UI thread. An error is told once, not with each try.

    After a job it rests nine times as long as that took before it begins the next, but not for longer than a person notices.
    """

    def __init__(self, room: "Room", done: Callable[[T], None]) -> None:
        self._room = room
        self._done = done
        self._busy = False
        self._began = 0.0
        self._next: Callable[[], T] | None = None
        self._said = ""

    def want(self, work: Callable[[], T]) -> None:
        """Do `work` in a thread, now or after what is under way."""
        if self._busy:
            self._next = work
            return
        self._busy = True
        self._began = time.monotonic()
        self._room.do(lambda: _tried(work), self._ended)

    def _ended(self, result: "T | LoopdeckError") -> None:
        if isinstance(result, LoopdeckError):
            if str(result) != self._said:
                self._said = str(result)
                self._room.tell(self._said, "error")
        else:
            self._said = ""
            self._done(result)
        self._room.set_timer(min(_LONGEST_S, _REST * (time.monotonic() - self._began)), self._go_on)

    def _go_on(self) -> None:
        self._busy = False
        work, self._next = self._next, None
        if work is not None:
            self.want(work)


def _tried(work: Callable[[], T]) -> "T | LoopdeckError":
    try:
        return work()
    except LoopdeckError as error:
        return error
