"""Checks that compute, off the event loop and within their time.

The invariant: work that is given up, by the clock or by whoever waits for it, ends at its next step, and what it was about to say is
never taken for a verdict. A thread can't be killed, so steps should be short: one file, one error. One that hangs in a step all the
same is left behind, and keeps neither the loop waiting nor the process from ending.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


class OutOfTime(Exception):
    """The time a check has is over."""


class Deadline:
    """When work must end. `step` is called between steps; it raises OutOfTime once there is no time left."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._given_up = False

    def step(self) -> None:
        """Go on only if there is time."""
        if self._given_up or time.monotonic() >= self._end:
            raise OutOfTime

    def give_up(self) -> None:
        """End the work at its next step."""
        self._given_up = True


async def in_thread(work: Callable[[Deadline], _Result], seconds: float) -> _Result:
    """The result of `work`, run in a thread. Raises OutOfTime if it takes longer than `seconds`, and passes on what it raises."""
    loop = asyncio.get_running_loop()
    deadline = Deadline(seconds)
    outcome: asyncio.Future[_Result] = loop.create_future()

    def tell(result: _Result | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

    def go() -> None:
        result: _Result | None = None
        error: BaseException | None = None
        try:
            result = work(deadline)
        except BaseException as raised:  # it belongs to whoever waits, whatever it is
            error = raised
        # The loop may be closed by now: then nobody waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, result, error)

    # A daemon, unlike the loop's own pool: a step that hangs must not keep the process from ending.
    threading.Thread(target=go, name="check", daemon=True).start()
    try:
        return await asyncio.wait_for(outcome, seconds)
    except TimeoutError:
        raise OutOfTime from None
    finally:
        deadline.give_up()
