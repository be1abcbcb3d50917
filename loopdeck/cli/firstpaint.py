"""The first thing on the screen: what the room showed last, painted while the room itself is still being loaded.

Light to import. Invariant: the terminal is given back as it was found, whatever happens; keys pressed meanwhile are kept for the room
and not echoed. Where there is nothing to paint, or it can't be read, nothing is done.
"""

import contextlib
import json
import os
import re
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from loopdeck.core.columns import Cell, Column, fit
from loopdeck.core.text import clean_line

_FORMAT = 1
_SGR = re.compile(r"[0-9;]{0,60}")
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[H"
_LEAVE = "\x1b[?1049l\x1b[?25h"
_NOTHING = "\x1b[0m"
_LEAST = (40, 6)


@contextlib.contextmanager
def painted(frame: Path, environ: Mapping[str, str], *, keys: int = 0, screen: int = 1) -> Iterator[bool]:
    """Do the block with the kept `frame` on the terminal `screen`, whose keys come from `keys`; gives whether it was painted.

    A room that is opened in the block takes the screen over; when it is left, the terminal is as it was before.
    """
    before = _hush(keys)
    shown = before is not None and _paint(frame, environ, screen)
    try:
        yield shown
    finally:
        if shown:
            _write(screen, _NOTHING + _LEAVE)
        if before is not None:
            import termios

            with contextlib.suppress(termios.error):
                termios.tcsetattr(keys, termios.TCSANOW, before)


def picture(kept: Mapping[str, Any], size: tuple[int, int], *, coloured: bool) -> str:
    """The kept frame as lines for a terminal of `size` (columns, lines). Raises ValueError, KeyError or TypeError if it is none."""
    if kept["format"] != _FORMAT:
        raise ValueError("format")
    width, height = size
    columns = tuple(Column(*one) for one in kept["columns"])
    places = fit(columns, width)
    styles = {str(name): str(said) for name, said in kept["styles"].items() if _SGR.fullmatch(str(said))} if coloured else {}
    brush = _Brush(styles)
    lines = [brush.bar(_cells(kept["left"]), _cells(kept["right"]), width)]
    head = [[Cell(clean_line(one.name), "head")] for one in columns]
    for row in [head, *([_cells(cells) for cells in row] for row in kept["rows"][: max(0, height - 3)])]:
        at, line = 0, ""
        for place in places:
            line += brush.cells((), place.at - at) + brush.cells(
                row[place.which], place.width, right=columns[place.which].align == "right"
            )
            at = place.at + place.width
        lines.append(line + brush.cells((), width - at))
    lines += [brush.cells((), width)] * (height - 1 - len(lines))
    taken = time.strftime("%H:%M:%S", time.localtime(float(kept["taken"])))
    lines.append(brush.bar([Cell(clean_line(f" as of {taken}, opening …"), "dim")], [], width))
    return "\r\n".join(lines) + _NOTHING


class _Brush:
    """Makes cells into text for the terminal; without styles nothing is said by colour."""

    def __init__(self, styles: Mapping[str, str]) -> None:
        self._styles = styles

    def cells(self, cells: Sequence[Cell], width: int, *, right: bool = False, ground: str = "back") -> str:
        """`cells` side by side in exactly `width` columns."""
        text, left = "", max(0, width)
        for one in cells:
            shown, takes = _cut(one.text, left)
            text += self._styled(shown, one.style, ground)
            left -= takes
        blank = self._styled(" " * left, "", ground)
        return blank + text if right else text + blank

    def bar(self, left: Sequence[Cell], right: Sequence[Cell], width: int) -> str:
        """A line with something at both ends; the left gives way."""
        wanted = min(width, sum(len(one.text) for one in right) + 1) if right else 0
        blank = Cell(clean_line(" "))
        start = self.cells([blank, *left], width - wanted, ground="bar")
        return start + self.cells([*right, blank], wanted, ground="bar") if right else start

    def _styled(self, text: str, style: str, ground: str) -> str:
        if not text:
            return ""
        codes = ";".join(code for code in (self._styles.get(ground, ""), self._styles.get(style, "")) if code)
        return f"\x1b[0;{codes}m{text}" if codes else f"\x1b[0m{text}"


def _cells(kept: Sequence[Sequence[str]]) -> list[Cell]:
    return [Cell(clean_line(text), style) for text, style in kept]


def _cut(text: str, width: int) -> tuple[str, int]:
    """As much of `text` as fits, with an ellipsis if that is not all, and how wide that is."""
    if text.isascii():
        return (text, len(text)) if len(text) <= width else (text[: max(0, width - 1)] + "…"[:width], width)
    taken, at = 0, 0
    for at, one in enumerate(text):
        wide = 0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        if taken + wide > width - (at + 1 < len(text)):
            return text[:at] + "…"[:width], min(width, taken + 1)
        taken += wide
    return text, taken


def _paint(frame: Path, environ: Mapping[str, str], screen: int) -> bool:
    coloured = not environ.get("NO_COLOR") and environ.get("COLORTERM", "") in ("truecolor", "24bit")
    try:
        size = os.get_terminal_size(screen)
        if size.columns < _LEAST[0] or size.lines < _LEAST[1]:
            return False
        text = picture(json.loads(frame.read_bytes()), (size.columns, size.lines), coloured=coloured)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError):
        return False
    return _write(screen, _ENTER + text)


def _write(screen: int, text: str) -> bool:
    data = text.encode("utf-8", "replace")
    try:
        while data:
            data = data[os.write(screen, data) :]
    except OSError:
        return False
    return True


def _hush(keys: int) -> list[Any] | None:
    """Let the terminal echo no keys and give out each at once, as the room will want them; what it was like before, None if it is none.

    The key that interrupts still does, until the room is there to be asked.
    """
    import termios

    try:
        before = termios.tcgetattr(keys)
        now = [*before[:6], list(before[6])]
        now[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.IXON)
        now[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
        now[6][termios.VMIN], now[6][termios.VTIME] = 1, 0
        termios.tcsetattr(keys, termios.TCSANOW, now)
    except (termios.error, OSError, ValueError):
        return None
    return before
