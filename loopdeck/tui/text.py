"""The door between text and widgets: what is shown has been through the sanitiser, and is never read as markup.

Invariant: every string a widget gets in this package is `Shown`, or our own words. A test holds the screens to it.
"""

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.content import Content

from loopdeck.core.columns import Align
from loopdeck.core.text import Shown, clean, clean_line


def content(text: str, style: str = "") -> Content:
    """Any text, its lines kept, as what Textual shows without reading it as markup; `style` names a Textual style."""
    shown = clean(text)
    return Content.styled(shown, style) if style else Content(shown)


def line(text: str, limit: int = 200) -> Content:
    """Any text as one line of at most `limit` characters."""
    return Content(clean_line(text, limit))


def sized(text: Shown, width: int, align: Align = "left") -> str:
    """`text` in exactly `width` terminal cells: cut with an ellipsis, or padded."""
    if text.isascii():
        return _sized_ascii(text, width, align)
    taken = cell_len(text)
    if taken > width:
        return set_cell_size(text, max(0, width - 1)) + "…" if width > 1 else "…"[:width]
    pad = " " * (width - taken)
    return pad + text if align == "right" else text + pad


def _sized_ascii(text: str, width: int, align: Align) -> str:
    if len(text) > width:
        return text[: max(0, width - 1)] + "…" if width > 0 else ""
    return text.rjust(width) if align == "right" else text.ljust(width)


def segment(text: Shown, style: Style) -> Segment:
    """Clean text as Textual's line API takes it."""
    return Segment(text, style)
