"""Questions, opened only when a person asked for something: never by themselves.

One manner for all: the safe button has the keys first, enter presses the button that is lit, `y` says yes, `d` is the other answer
where there is one, escape goes back. What is dangerous takes a `Y`. Each gives back what was said, or None if it was left.
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
{0} .warning {{ color: $warning; text-style: bold; }}
{0} .keys {{ color: $secondary; margin-top: 1; }}
"""


class Words(ModalScreen[str | None]):
    """One line of text."""

    DEFAULT_CSS = _CSS.format("Words")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back")]

    def __init__(self, question: str, *, given: str = "", needed: str = "", then: str = "sends it") -> None:
        super().__init__()
        self._question = question
        self._given = given
        self._needed = needed
        self._then = then

    def compose(self) -> ComposeResult:
        """The question and a line for the answer."""
        with Vertical():
            yield Static(content(self._question), markup=False)
            yield Entry(value=self._given, placeholder=clean_line(self._needed))
            yield Static(f"enter {self._then}, esc goes back", classes="keys", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter; where something is needed, nothing is no answer."""
        if event.value.strip() or not self._needed:
            self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Escape."""
        self.dismiss(None)


class Confirm(ModalScreen[str | None]):
    """Yes or no, with a reason where one is asked for; `other` is a second way to say yes, see `other_chosen`.

    `warning` stands below the question and makes it dangerous, as `danger` does. The second way takes the reason, and without one stays
    where it is.
    """

    DEFAULT_CSS = _CSS.format("Confirm")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"), Binding("y", "yes(False)", "yes"), Binding("Y", "yes(True)", "yes"),
        Binding("d", "other", "other"), Binding("left", "app.focus_previous"), Binding("right", "app.focus_next"),
    ]  # fmt: skip

    def __init__(self, question: str, yes: str, *, warning: str = "", other: str = "", reason: str = "", danger: bool = False) -> None:
        super().__init__()
        self._question, self._yes, self._other, self._reason = question, yes, other, reason
        self._warning = warning
        self._danger = danger or bool(warning)
        self.other_chosen = False

    def compose(self) -> ComposeResult:
        """The question, the warning, the reason, the buttons: the safe one first."""
        key = "Y" if self._danger else "y"
        with Vertical():
            yield Static(content(self._question), markup=False)
            if self._warning:
                yield Static(content(f"! {self._warning}"), classes="warning", markup=False)
            if self._reason:
                yield Entry(placeholder=clean_line(self._reason), id="reason")
            with Horizontal():
                yield Button("Back  esc", id="no")
                yield Button(f"{self._yes}  {key}", id="yes", variant="error" if self._danger else "primary")
                if self._other:
                    yield Button(f"{self._other}  d", id="other", variant="warning")
            other = f"d: {self._other.lower()}, " if self._other else ""
            said = f"enter presses what is lit, {key}: {self._yes.lower()}, {other}esc: back, tab moves"
            yield Static(said, classes="keys", markup=False)

    def on_mount(self) -> None:
        """The safe one has the keys."""
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button, by mouse or enter."""
        match event.button.id:
            case "yes":
                self._say(other=False)
            case "other":
                self._say(other=True)
            case _:
                self.dismiss(None)

    def on_input_submitted(self) -> None:
        """Enter in the reason goes on to the buttons, not through them."""
        self.query_one("#other" if self._other else "#yes", Button).focus()

    def action_yes(self, firmly: bool) -> None:
        """The key for yes; where there is danger only the deliberate one."""
        if firmly or not self._danger:
            self._say(other=False)
        else:
            self.query_one(".keys", Static).update(f"this takes a deliberate key: Y, or tab to {self._yes} and enter; esc: back")

    def action_other(self) -> None:
        """The key for the other answer."""
        if self._other:
            self._say(other=True)

    def _say(self, *, other: bool) -> None:
        why = self.query_one("#reason", Input).value.strip() if self._reason else ""
        if other and self._reason and not why:
            self.query_one("#reason", Input).focus()
            return
        self.other_chosen = other
        self.dismiss(why)

    def action_leave(self) -> None:
        """Escape."""
        self.dismiss(None)
