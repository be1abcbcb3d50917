"""Work beside the room: what takes time is done in a thread, and what comes of it is shown on the UI thread, if it still has a place.

Invariant: a screen that was left before its work was done is not an error, and a designed error is a notice.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from textual.app import App
from textual.css.query import NoMatches
from textual.message import Message
from textual.screen import Screen

from loopdeck.errors import LoopdeckError
from loopdeck.tui.text import line

T = TypeVar("T")
_NOTICE_S = 6.0


class Errands(App[None]):
    """An app that can have work done beside."""

    class Done(Message):
        """Work has come to its end, or a step further; `then` is called on the UI thread.

        `asked_on` is the screen that was in front when it was asked for; None if it matters to none.
        """

        def __init__(self, then: Callable[[], None], asked_on: Screen[Any] | None = None) -> None:
            self.then = then
            self.asked_on = asked_on
            super().__init__()

    def do(self, work: Callable[[], T], done: Callable[[T], None] | None = None) -> None:
        """Run `work` in a thread, then `done` with its result on the UI thread; a designed error becomes a notice."""
        asked_on = self.screen_stack[-1] if self.screen_stack else None

        def job() -> None:
            try:
                result = work()
            except LoopdeckError as error:
                said = str(error)
                self.post_message(self.Done(lambda: self.tell(said, "error"), asked_on))
                return
            if done is not None:
                then = done
                self.post_message(self.Done(lambda: then(result), asked_on))

        self.run_worker(job, thread=True, exclusive=False, group="beside", exit_on_error=True)

    def on_errands_done(self, message: Done) -> None:
        """The end of some work; its screen may have been taken apart meanwhile."""
        if not self.is_running:
            return
        try:
            message.then()
        except NoMatches:
            if message.asked_on in self.screen_stack:
                raise

    def tell(self, text: str, kind: str = "information") -> None:
        """A notice: what was done, or why not. Never a question."""
        severity: Any = kind
        self.notify(str(line(text, 600)), severity=severity, timeout=_NOTICE_S, markup=False)
