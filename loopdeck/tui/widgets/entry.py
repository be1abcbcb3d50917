"""Where a person types or pastes: what could not be seen becomes a symbol before it is shown, since a clipboard is outside text too."""

from rich.text import Text
from textual.widgets import Input, TextArea

from loopdeck.core.text import clean_line


class Entry(Input):
    """One line of text."""

    def replace(self, text: str, start: int, end: int) -> None:
        """Put `text` there, as it can be seen."""
        super().replace(clean_line(text, len(text) + 40), start, end)


class Area(TextArea):
    """Several lines. The text stays what was pasted; on the screen a symbol stands for each character that could not be seen."""

    def get_line(self, line_index: int) -> Text:
        """The line as it is shown, as long as it is."""
        line = self.document.get_line(line_index)
        if not (line.isascii() and line.isprintable()):
            line = "".join(one if one == "\t" else _symbol(one) for one in line)
        return Text(line, end="", no_wrap=True)


def _symbol(character: str) -> str:
    shown = clean_line(character)
    return shown if len(shown) == 1 else "�"
