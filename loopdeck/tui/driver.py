"""The terminal's keys, waited for: Textual looks ten times a second whether somebody wants it to stop.

Invariant: while nobody types, nothing wakes for the keyboard; what was typed is taken at once, and a lone escape after a moment's
silence; a key that follows another goes to whoever has the keys then. All else is Textual's own.
"""

import os
import select
import threading
import time
from codecs import getincrementaldecoder
from contextlib import suppress
from typing import TYPE_CHECKING

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from loopdeck.tui.inflow import Inflow

if TYPE_CHECKING:
    from textual.app import App

_PIECE = 4096
_TICK_S = 0.05
_RESTLESS_S = 0.5
"""For so long after a key there may be something to be decided by the silence after it: was it escape, or did a sequence begin?"""


class _Knock(threading.Event):
    """An event that can be waited for beside a terminal: when it is set, `hear` can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.hear, self._strike = os.pipe()
        os.set_blocking(self.hear, False)

    def set(self) -> None:
        """Now."""
        super().set()
        os.write(self._strike, b"!")

    def clear(self) -> None:
        """Not yet again."""
        super().clear()
        with suppress(BlockingIOError):
            os.read(self.hear, _PIECE)


class WaitingDriver(LinuxDriver):
    """The driver of a terminal that is looked at when it has something to say."""

    def __init__(self, app: "App[object]", *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.exit_event: _Knock = _Knock()
        self._inflow = Inflow(self._app, self.process_message)

    def run_input_thread(self) -> None:
        """Take what is typed until it is to stop; runs in a thread of its own."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        listened = [self.fileno, self.exit_event.hear]
        restless_until = 0.0
        while not self.exit_event.is_set():
            wait = _TICK_S if time.monotonic() < restless_until else None
            ready, _, _ = select.select(listened, [], [], wait)
            if self.fileno in ready:
                data = os.read(self.fileno, _PIECE)
                if not data:
                    # There is no terminal any more; what ends the room comes another way.
                    listened.remove(self.fileno)
                restless_until = time.monotonic() + _RESTLESS_S
                for event in parser.feed(decode(data)) if data else ():
                    self._hand_on(event)
            for event in parser.tick():
                self._hand_on(event)
        with suppress(EOFError, ParseError):
            for _ in parser.feed(""):
                pass

    def _hand_on(self, event: Message) -> None:
        """Give it to the app when its turn has come. Reading goes on meanwhile: after a pause a letter may be another key."""
        self._loop.call_soon_threadsafe(self._inflow.take, event)
