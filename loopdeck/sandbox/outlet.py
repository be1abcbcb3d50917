"""The end of a pipe that a command writes to: read whenever there is something, held in bounded memory, told to a listener.

Invariant: a command is never held up for longer than it takes to read what it has said, and what a listener raises reaches the caller.
"""

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import Callable

from loopdeck.sandbox.capture import Capture

OnOutput = Callable[[bytes], None]
_PIECE = 1 << 18


class Outlet:
    """Reads `pipe` within the running event loop. What the listener raises ends the reading and goes to `failed`."""

    def __init__(self, pipe: int, limit: int, on_output: OnOutput | None, failed: Callable[[Exception], None]) -> None:
        self._pipe = pipe
        self._on_output = on_output
        self._failed = failed
        self._broken = False
        self._loop = asyncio.get_running_loop()
        self.capture = Capture(limit)
        os.set_blocking(pipe, False)
        self._loop.add_reader(pipe, self._readable)

    def _readable(self) -> None:
        try:
            self._read()
        except Exception as error:  # whatever the listener raises is the caller's to see
            self._broken = True
            self._loop.remove_reader(self._pipe)
            self._failed(error)

    def _read(self) -> bool:
        try:
            chunk = os.read(self._pipe, _PIECE)
        except BlockingIOError:
            return False
        if not chunk:
            self._loop.remove_reader(self._pipe)
            return False
        self.capture.add(chunk)
        if self._on_output:
            self._on_output(chunk)
        return True

    def drain(self) -> None:
        """Read what is left, unless the listener has failed."""
        while not self._broken and self._read():
            pass

    def settle(self) -> None:
        """Read what is there by now, and no more: whoever still writes isn't waited for."""
        until = self.capture.size + waiting_in(self._pipe)
        while not self._broken and self.capture.size < until and self._read():
            pass

    def close(self) -> None:
        """Stop looking. The pipe stays its owner's."""
        self._loop.remove_reader(self._pipe)


def waiting_in(pipe: int) -> int:
    """Bytes that can be read from `pipe` at once."""
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0"))[0])
