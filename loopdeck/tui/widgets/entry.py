"""Where a person types or pastes: what could not be seen becomes a symbol before it is shown, since a clipboard is outside text too.

Several lines are `Area`'s, apart because what it takes is loaded when somebody writes so much.
"""

from textual.widgets import Input

from loopdeck.core.text import clean_line


class Entry(Input):
    """One line of text."""

    def replace(self, text: str, start: int, end: int) -> None:
        """Put `text` there, as it can be seen."""
        super().replace(clean_line(text, len(text) + 40), start, end)
