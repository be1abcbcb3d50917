"""Head and tail of what is too long to be kept whole, cut where a line ends if one does nearby.

A credential is often known by what stands before it on its line. A cut within the line would leave the one without the other.
"""

from typing import TypeVar

T = TypeVar("T", bytes, str)

NEAR = 4096
"""So far from the wanted place a line's end is looked for."""


def head(whole: T, size: int) -> T:
    """The first `size` characters at most."""
    if len(whole) <= size:
        return whole
    end = whole.rfind(_newline(whole), max(0, size - min(NEAR, size // 2)), size)
    return whole[: size if end < 0 else end + 1]


def tail(whole: T, size: int) -> T:
    """The last `size` characters at most."""
    if len(whole) <= size:
        return whole
    start = len(whole) - size
    # What stands before tells whether the cut is at a line's beginning already.
    end = whole.find(_newline(whole), max(0, start - 1), start + min(NEAR, size // 2))
    return whole[start if end < 0 else end + 1 :]


def _newline(whole: T) -> T:
    return "\n" if isinstance(whole, str) else b"\n"
