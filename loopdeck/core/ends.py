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
    lines = whole[max(0, size - min(NEAR, size // 2)) : size].splitlines(keepends=True)
    return whole[: size - len(lines[-1])] if len(lines) > 1 else whole[:size]


def tail(whole: T, size: int) -> T:
    """The last `size` characters at most."""
    if len(whole) <= size:
        return whole
    # The character before tells whether the cut is at a line's beginning already.
    start = len(whole) - size
    lines = whole[start - 1 : start + min(NEAR, size // 2)].splitlines(keepends=True)
    return whole[start - 1 + len(lines[0]) :] if len(lines) > 1 else whole[start:]
