"""Questions, opened only when a person asked for something: never by themselves.

Each gives back what was said, or None if it was left with escape. A dangerous one starts on the safe button.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from loopdeck.core.text import clean_line
from loopdeck.tui.text import content
from loopdeck.tui.widgets.entry import Entry

_CSS = """
{0} {{ align: center middle; background: $background 60%; }}
{0} > Vertical {{ width: 76; max-width: 96%; height: auto; background: $panel; padding: 1 2; border: round $primary; }}
{0} Horizontal {{ height: auto; margin-top: 1; }}
{0} Button {{ margin-right: 2; }}
{0} Input {{ margin-top: 1; }}
{0} .keys {{ color: $secondary; margin-top: 1; }}
"""


class Words(ModalScreen[str | None]):
    """One line of text."""

    DEFAULT_CSS = _CSS.format("Words")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back")]

    def __init__(self, question: str, *, given: str = "", needed: str = "") -> None:
        super().__init__()
        self._question = question
        self._given = given
        self._needed = needed

    def compose(self) -> ComposeResult:
        """The question and a line for the answer."""
        with Vertical():
            yield Static(content(self._question), markup=False)
            yield Entry(value=self._given, placeholder=clean_line(self._needed))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter; where something is needed, nothing is no answer."""
        if event.value.strip() or not self._needed:
            self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Escape."""
        self.dismiss(None)


class Confirm(ModalScreen[str | None]):
    """Yes or no, with a reason where one is asked for; `other` is a second way to say yes, see `other_chosen`.

    `strict`: that second way takes a reason, and without one stays where it is.
    """

    DEFAULT_CSS = _CSS.format("Confirm")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back")]

    def __init__(
        self, question: str, yes: str, *, other: str = "", reason: str = "", danger: bool = False, strict: bool = False
    ) -> None:
        super().__init__()
        self._strict = strict
        self._question, self._yes, self._other, self._reason, self._danger = question, yes, other, reason, danger
        self.other_chosen = False

    def compose(self) -> ComposeResult:
        """The question, the reason, the buttons; the safe one has the keys where there is danger."""
        with Vertical():
            yield Static(content(self._question), markup=False)
            if self._reason:
                yield Entry(placeholder=clean_line(self._reason), id="reason")
            with Horizontal():
                yield Button(self._yes, id="yes", variant="error" if self._danger else "primary")
                if self._other:
                    yield Button(self._other, id="other", variant="warning")
                yield Button("Back", id="no")
            yield Static("tab moves, enter presses, esc goes back", classes="keys", markup=False)

    def on_mount(self) -> None:
        """Where the keys go first."""
        self.query_one("#no" if self._danger else "#yes", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button, by mouse or enter."""
        if event.button.id == "no":
            self.dismiss(None)
            return
        self.other_chosen = event.button.id == "other"
        why = self.query_one("#reason", Input).value.strip() if self._reason else ""
        if self.other_chosen and self._strict and not why:
            self.query_one("#reason", Input).focus()
            return
        self.dismiss(why)

    def on_input_submitted(self) -> None:
        """Enter in the reason goes on to the buttons, not through them."""
        self.query_one("#yes", Button).focus()

    def action_leave(self) -> None:
        """Escape."""
        self.dismiss(None)
