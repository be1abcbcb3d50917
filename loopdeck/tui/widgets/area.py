"""Where a person writes several lines: what could not be seen is shown as a symbol, since a clipboard is outside text too."""

import unicodedata

from rich.text import Text
from textual.widgets import TextArea

from loopdeck.core.text import MAX_MARKS, clean_line


class Area(TextArea):
    """Several lines. The text stays what was pasted; on the screen a symbol stands for each character that could not be seen."""

    def get_line(self, line_index: int) -> Text:
        """The line as it is shown, as long as it is."""
        line = self.document.get_line(line_index)
        if not (line.isascii() and line.isprintable()):
            line = _symbols(line)
        return Text(line, end="", no_wrap=True)


def _symbols(line: str) -> str:
    """As long as `line`, so that the cursor stands where it seems to."""
    shown = []
    marks = 0
    for character in line:
        symbol = character if character == "\t" else clean_line(character)
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        shown.append(symbol if len(symbol) == 1 and marks <= MAX_MARKS else "�")
    return "".join(shown)
