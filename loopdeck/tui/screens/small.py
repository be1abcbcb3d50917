"""A terminal that is too small for anything: said in words, and nothing else works but to leave."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

LEAST = (60, 12)
"""Columns and lines that the room needs."""


class SmallScreen(ModalScreen[None]):
    """In front of everything, until there is room."""

    DEFAULT_CSS = """
    SmallScreen { background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "app.quit", "quit")]

    def compose(self) -> ComposeResult:
        """One sentence."""
        yield Static(f"loopdeck needs a terminal of {LEAST[0]} x {LEAST[1]} at least. The loops go on; q leaves.", markup=False)
