"""One event of a trace in full: its facts and texts, those in blobs too; of a prompt every part that was sent, and the reply."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal

from loopdeck.core.plural import some
from loopdeck.core.text import Shown, clean
from loopdeck.deck.snapshot import LoopRow
from loopdeck.deck.traceboard import word
from loopdeck.deck.traceevent import EventText, event_text
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.unfolding import Row, laid_out
from loopdeck.tui.widgets.textpane import TextPane

if TYPE_CHECKING:
    from loopdeck.tui.tracekeys import TraceKeys

_COPIED = 100_000
"""Characters that are copied at most: terminals take no more of what is handed to their clipboard."""


class EventScreen(RoomScreen):
    """Line `number` (from 0) of the trace of `row`'s run; the keys go on to others by way of `trace`, the screen it was opened from."""

    SCOPE = "event"
    AUTO_FOCUS = "#event"
    CSS = """
    EventScreen #beside { border-left: solid $panel; display: none; }
    EventScreen #beside.there { display: block; }
    """

    def __init__(self, row: LoopRow, number: int, trace: "TraceKeys | None" = None) -> None:
        super().__init__()
        self.row = row
        self.number = number
        self._trace = trace
        self.event: EventText | None = None
        self._width = 0

    def body(self) -> ComposeResult:
        """The event, and what belongs beside it."""
        with Horizontal():
            yield TextPane(id="event")
            yield TextPane(id="beside")

    def on_resize(self) -> None:
        """Laid out for the width there is."""
        if self.size.width != self._width:
            self._width = self.size.width
            self.load(keep=True)

    def title_words(self) -> str:
        """Which event of which run."""
        what = word(self.event.kind) or self.event.title if self.event is not None else "…"
        return f"{what} · line {self.number + 1:,} · {self.row.loop} {self.row.run}"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is somewhere to go only by way of a trace."""
        if action in ("effect", "cause", "next", "previous"):
            return self._trace is not None
        return super().check_action(action, parameters)

    def load(self, *, keep: bool = False) -> None:
        """Fetch the event and lay it out, beside the room."""
        paths, number, width = self.room.paths_of(self.row), self.number, self._width

        def fetched() -> tuple[EventText, tuple[list[Row], list[Row]]]:
            event = event_text(paths, number)
            return event, laid_out(event, width)

        def done(found: tuple[EventText, tuple[list[Row], list[Row]]]) -> None:
            if self.is_mounted and (number, width) == (self.number, self._width):
                self._show(*found, keep=keep)

        self.room.do(fetched, done)

    def action_effect(self) -> None:
        """What came of it."""
        self._by(lambda trace: trace.action_effect())

    def action_cause(self) -> None:
        """What led to it."""
        self._by(lambda trace: trace.action_cause())

    def action_next(self) -> None:
        """The next one shown."""
        self._by(lambda trace: trace.step(1))

    def action_previous(self) -> None:
        """The one shown before."""
        self._by(lambda trace: trace.step(-1))

    def action_part(self) -> None:
        """On to the next text."""
        self.query_one("#event", TextPane).next_section()

    def action_copy(self) -> None:
        """The text at the top of the screen, to the clipboard of the operator's terminal."""
        if self.event is None:
            return
        pane = self.focused if isinstance(self.focused, TextPane) else self.query_one("#event", TextPane)
        beside = pane.id == "beside" or not self.query_one("#beside").has_class("there")
        texts = self.event.beside if pane.id == "beside" else (*self.event.sections, *(self.event.beside if beside else ()))
        which = max(0, pane.section())
        if which < len(texts):
            text = clean(texts[which].text[:_COPIED], max_line=_COPIED)
            self.app.copy_to_clipboard(text)
            self.room.tell(
                f"{texts[which].title}: {some(len(text), 'character was', 'characters were')} handed to the terminal's clipboard."
            )

    def _by(self, step: "Callable[[TraceKeys], None]") -> None:
        trace = self._trace
        if trace is None:
            return
        step(trace)
        if trace.tracing.count() and trace.at() != self.number:
            self.number = trace.at()
            self.load()

    def _show(self, event: EventText, rows: tuple[list[Row], list[Row]], *, keep: bool) -> None:
        self.event = event
        left, right = rows
        self.query_one("#beside", TextPane).set_class(bool(right), "there")
        self.query_one("#event", TextPane).show(left or [Row(Shown("nothing"))], keep=keep)
        self.query_one("#beside", TextPane).show(right, keep=keep)
        self.take(self.room.snapshot)
