"""Garbage collection by somebody else, while a commit is made.

`git gc --prune=now` throws away what no ref led to when it began to look, be it an object made a moment later. Once a ref leads to a
commit, every gc that begins after that keeps it; so only those that may have been at work meanwhile matter: after them it is looked
whether all is there. Nothing is locked and nobody is kept from collecting.
"""

import os
import time
from typing import Final

from msgspec import Struct

from loopdeck.git.repository import Repository

LONGEST_S: Final = 120.0
"""How long the end of somebody's gc is awaited; one that is left lying by a dead process must not hold up a run for ever."""
_LOOK_S: Final = 0.02


class Sign(Struct, frozen=True):
    """What a gc leaves: that it is at work, and when it last changed the packs."""

    at_work: bool
    packs: int


def sign(repo: Repository) -> Sign:
    """How it is now."""
    return Sign((repo.common_dir / "gc.pid").exists(), _changed(repo))


def is_suspect(before: Sign, after: Sign) -> bool:
    """True if objects made between the two may have been thrown away."""
    return before.at_work or after.at_work or before.packs != after.packs


def await_end(repo: Repository) -> None:
    """Return when no gc is at work, or it has taken too long. Blocks."""
    until = time.monotonic() + LONGEST_S
    while (repo.common_dir / "gc.pid").exists() and time.monotonic() < until:
        time.sleep(_LOOK_S)


def is_whole(repo: Repository, commit: str, base: str) -> bool:
    """True if all that `commit` has beyond `base` is there."""
    return repo.shared().run("rev-list", "--objects", "--quiet", commit, f"^{base}", check=False).code == 0


def _changed(repo: Repository) -> int:
    try:
        return os.stat(repo.common_dir / "objects" / "pack").st_mtime_ns  # noqa: PTH116 - the number alone
    except OSError:
        return 0
