"""The one door from loopdeck to the operator's terminal: sanitised text, or JSON and nothing else."""

import os
import sys
from collections.abc import Sequence

from loopdeck.core.text import clean, clean_line
from loopdeck.errors import LoopdeckError

_GAP = "  "
_BELOW = "     "
_NAMED = 14
_SENTENCE = 40
"""Columns below which a sentence is no longer nice to read."""


def say(text: str = "") -> None:
    """Print text of any origin, made fit for a screen."""
    sys.stdout.write(clean(text) + "\n")


def document(value: object) -> None:
    """Print one JSON document on one line, at once; all but ASCII is escaped, so that it is safe on a terminal too."""
    import json

    sys.stdout.write(json.dumps(value, default=_plain).replace("\x7f", "\\u007f") + "\n")
    sys.stdout.flush()


def _plain(value: object) -> object:
    import msgspec

    return msgspec.to_builtins(value)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a heading, columns as wide as their widest cell. On a terminal that is too narrow the last one is folded."""
    cells = [[str(clean_line(cell)) for cell in row] for row in (head, *rows)]
    for line in laid_out(cells, screen_width()):
        sys.stdout.write(line + "\n")


def laid_out(cells: Sequence[Sequence[str]], width: int) -> list[str]:
    """The lines of a table `width` columns wide (0: as wide as it needs to be). Words are not broken, so that paths can be copied.

    The last cell is folded in its column, or below its row if no room for a sentence is left beside it.
    """
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    indent = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    beside = not width or width - indent >= min(_SENTENCE, widths[-1])
    lines = []
    for row in cells:
        line = _GAP.join(cell.ljust(size) for cell, size in zip(row[:-1], widths, strict=False))
        if beside or len(line) + len(_GAP) + len(row[-1]) <= width:
            first, *rest = folded(row[-1], width and width - indent)
            lines.append(f"{line}{_GAP}{first}".rstrip())
            lines += [" " * indent + part for part in rest]
        else:
            lines.append(line.rstrip())
            lines += [_BELOW + part for part in folded(row[-1], width - len(_BELOW)) if part]
    return lines


def field(name: str, text: str) -> None:
    """Print one named value, folded under itself on a narrow terminal."""
    width = screen_width()
    first, *rest = folded(str(clean_line(text)), width and width - _NAMED)
    sys.stdout.write(f"  {name:<{_NAMED - 2}}{first}".rstrip() + "\n")
    sys.stdout.writelines(f"{' ' * _NAMED}{part}\n" for part in rest)


def folded(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, broken at spaces only; in one if it fits, or if `width` is 0."""
    if not width or len(text) <= width:
        return [text]
    from textwrap import wrap

    return wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False) or [text]


def screen_width() -> int:
    """Columns of the terminal that is printed on; 0 if it is none: then whoever reads wants each row on a line."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 0


def complain(error: LoopdeckError) -> None:
    """Say on stderr what is wrong, where, and how to mend it."""
    sys.stderr.write(f"loopdeck: {clean(str(error))}\n")


def warn(text: str) -> None:
    """Say something on stderr that stops nothing."""
    sys.stderr.write(clean(text) + "\n")
