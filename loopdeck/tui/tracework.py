"""What drives a trace's screen: work in slices between frames, jumps that wait for it, and looking whether the trace has grown.

Invariant: nothing is done while the screen is not in front, and no key waits for more than a slice.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.timer import Timer

from loopdeck.deck.tracing import Tracing
from loopdeck.errors import StoreError
from loopdeck.tui import inflow

if TYPE_CHECKING:
    from loopdeck.tui.frame import RoomScreen

    _Base = RoomScreen
else:
    _Base = object

_POLL_S = 0.2
_FRAME_S = 0.05
_BREATH_S = 0.005
_AT_ONCE_S = 0.015
"""So much is done before the first paint: enough for all of a trace of a few thousand lines."""

_SHORT = 20_000

Jump = Callable[[], bool]
"""Goes where somebody wants to go, and says True, as soon as it is known where that is (or that it is nowhere)."""


class TraceWork(_Base):
    """Work on `self.tracing`, shown by `self.renewed()`."""

    tracing: Tracing
    _poll: Timer | None = None
    _jump: Jump | None = None
    _working = False
    trouble = ""
    """Why the trace can't be read, if it can't."""

    def renewed(self) -> None:
        """Show what has become known."""

    def begin(self) -> None:
        """Make the end of the trace known, and of a short one everything."""
        until = time.monotonic() + _AT_ONCE_S
        try:
            self.tracing.open()
            # Of a long one the end is there already, and nothing else is worth a later first paint.
            short = self.tracing.total() <= _SHORT
            while short and not self.tracing.work() and time.monotonic() < until:
                pass
        except StoreError as error:
            self.trouble = error.what
        self._poll = self.set_interval(_POLL_S, self._look)
        self.kick()

    def kick(self) -> None:
        """Go on with what is to be done, if nobody is at it."""
        if not self._working and self.is_current and self.tracing.task():
            self._working = True
            self.run_worker(self._drive(), group="trace", exclusive=True, exit_on_error=True)

    def jump(self, jump: Jump) -> None:
        """Go there as soon as that can be done, at once if it is near; a later wish takes the place of an earlier one."""
        self._jump = jump
        until = time.monotonic() + _AT_ONCE_S
        there = False
        try:
            while not (there := self._jumped()) and not self.tracing.work() and time.monotonic() < until:
                pass
        except StoreError as error:
            self.trouble = error.what
        if not there:
            self._jumped()
        self.kick()

    def forget_jump(self) -> None:
        """Nobody wants to go there any more."""
        self._jump = None

    def waits(self) -> bool:
        """True if somebody wants to go where it isn't known yet."""
        return self._jump is not None

    def rest(self) -> None:
        """Do nothing from now on."""
        if self._poll is not None:
            self._poll.pause()
        self.workers.cancel_group(self, "trace")
        self._working = False

    def wake(self) -> None:
        """Go on."""
        if self._poll is not None:
            self._poll.resume()
            self._look()

    async def _drive(self) -> None:
        painted = time.monotonic()
        try:
            while not self.tracing.work():
                if self._jumped() or time.monotonic() - painted > _FRAME_S:
                    painted = time.monotonic()
                    self.renewed()
                # Keys and paint have their turn here, keys a whole one.
                await asyncio.sleep(_BREATH_S if inflow.under_way() else 0)
        except StoreError as error:
            self.trouble = error.what
        self._working = False
        self._jumped()
        self.renewed()

    def _jumped(self) -> bool:
        if self._jump is None or not self._jump():
            return False
        self._jump = None
        return True

    def _look(self) -> None:
        if self._working or not self.is_current:
            return
        try:
            something, self.trouble = self.tracing.poll(), ""
        except StoreError as error:
            something, self.trouble = False, error.what
        if something:
            self.kick()
        else:
            self.renewed()
