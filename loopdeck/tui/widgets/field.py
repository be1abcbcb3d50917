"""A line of a form: a label of our own, and what a person types beside it."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static


class Field(Horizontal):
    """The label, if it has one, and the input, on one line; `hint` stands in the input while it is empty."""

    DEFAULT_CSS = """
    Field { height: 1; margin: 0 1; }
    Field > Static { width: 22; color: $foreground 70%; }
    Field > Input { width: 1fr; height: 1; border: none; padding: 0 1; background: $panel; }
    Field > Input:focus { background: $primary 20%; }
    """

    def __init__(self, label: str, name: str, hint: str = "") -> None:
        super().__init__()
        self._label, self._name, self._hint = label, name, hint

    def compose(self) -> ComposeResult:
        """Both. What is there is not selected when the keys come, or the next letter would replace it."""
        if self._label:
            yield Static(self._label, markup=False)
        yield Input(placeholder=self._hint, id=self._name, compact=True, select_on_focus=False)
