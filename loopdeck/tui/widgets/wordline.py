"""One line for words at the foot of a screen: to filter by, or to jump to. It is there only while it is used."""

from textual import events
from textual.message import Message
from textual.widgets import Input

_ASKS = {
    "filter": "only loops with these words; escape shows all",
    "jump": "jump to a loop: its name, or how it begins",
}  # fmt: skip


class WordLine(Input):
    """Opened for a purpose; says every change of its words, and when it is left with enter or escape."""

    DEFAULT_CSS = """
    WordLine { height: 1; border: none; padding: 0 1; background: $panel; display: none; }
    """

    class Said(Message):
        """The words so far, or, when `over`, at the end; after escape there are none."""

        def __init__(self, purpose: str, words: str, over: bool) -> None:
            self.purpose = purpose
            self.words = words
            self.over = over
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, compact=True)
        self._purpose = ""

    def open(self, purpose: str, words: str = "") -> None:
        """Take the keys, for `filter` or `jump`, beginning with `words`."""
        self._purpose = purpose
        self.placeholder = _ASKS[purpose]
        self.value = words
        self.display = True
        self.screen.set_focus(self)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Each letter counts."""
        event.stop()
        if self.display:
            self.post_message(self.Said(self._purpose, event.value, over=False))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        self._leave(event.value)

    def on_key(self, event: events.Key) -> None:
        """Escape."""
        if event.key == "escape":
            event.stop()
            self._leave("")

    def _leave(self, words: str) -> None:
        self.display = False
        self.post_message(self.Said(self._purpose, words, over=True))
