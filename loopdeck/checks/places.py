"""What the readers of program output share: a place, and how a complaint's code is found in its words."""

import re
from typing import NamedTuple

from msgspec import Struct

Frame = tuple[str, int]
"""A path as the program wrote it, and a line from 1 (0: none)."""


class Place(Struct, frozen=True):
    """Something a program complains about. Of `frames` the last that is a file of ours tells the most.

    `criterion` is the program's own name for it: a test, a rule's code. `sure` says that it counts even if no frame is a file of
    ours (a failed test is one wherever it crashed); `minor` that it is a warning or a note.
    """

    message: str
    frames: tuple[Frame, ...] = ()
    criterion: str = ""
    evidence: str = ""
    sure: bool = False
    minor: bool = False


class Reading(NamedTuple):
    """What a reader took: the places, and the index of the first line it left."""

    places: tuple[Place, ...]
    next: int


_FRONT = re.compile(r"(?:(?:fatal )?(?:error|warning)\s*:?\s*)?(?:\[?\*?\]?\s*)?\[?([A-Z]{1,6}\d{2,5})\b\]?")
_RUST = re.compile(r"(?:error|warning)\[(\w{1,12})\]")
_BACK = re.compile(r"\[(?:Error/|Warning/)?([A-Za-z@][\w/@-]{1,60})\]$|\((report\w{1,50})\)$")
_NAME = re.compile(r"([a-z][a-z0-9]*(?:-[a-z0-9]+)+): ")


def code_of(message: str) -> str:
    """The code or name of the rule that a linter's message is about, or nothing."""
    message = message.strip()
    for pattern in (_RUST, _FRONT, _NAME):
        if found := pattern.match(message):
            return found[1]
    back = _BACK.search(message[-70:])
    return (back[1] or back[2]) if back else ""


def frame(path: str, line: str) -> Frame:
    """A frame from what a program wrote; `line` is digits."""
    path = path.strip().removeprefix("file://")
    while path.startswith("./"):
        path = path[2:]
    return path, int(line)
