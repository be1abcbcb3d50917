"""The one door from loopdeck to the operator's terminal: sanitised text, or JSON and nothing else."""

import sys
from collections.abc import Sequence

from loopdeck.core.text import clean, clean_line
from loopdeck.errors import LoopdeckError


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
    """Print rows under a heading, columns as wide as their widest cell."""
    cells = [[str(clean_line(cell)) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")


def complain(error: LoopdeckError) -> None:
    """Say on stderr what is wrong, where, and how to mend it."""
    sys.stderr.write(f"loopdeck: {clean(str(error))}\n")


def warn(text: str) -> None:
    """Say something on stderr that stops nothing."""
    sys.stderr.write(clean(text) + "\n")
