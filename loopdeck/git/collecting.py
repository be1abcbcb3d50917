"""Garbage collection by somebody else, while a commit is made.

`git gc --prune=now` and `git prune --expire=now` throw away what no ref led to when they began to look, be it an object made a moment
later. Once a ref leads to a commit, each that begins after that keeps it; so after it, whoever was at it then is awaited, and it is
looked whether all is there. What was lost is made again, aside, where nobody collects, and brought in from there until it stays.
Nothing is locked and nobody is kept from collecting.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from loopdeck.errors import WorkspaceError
from loopdeck.git.repository import Repository

LONGEST_S: Final = 120.0
"""How long the end of somebody's gc is awaited; one that is left lying by a dead process must not hold up a run for ever."""
_LOOK_S: Final = 0.02
_GITLINK: Final = "160000"


def await_end(repo: Repository) -> None:
    """Return when those that collect now have ended, or have taken too long. Blocks."""
    until = time.monotonic() + LONGEST_S
    pruning = _pruning()
    while ((repo.common_dir / "gc.pid").exists() or any(one.exists() for one in pruning)) and time.monotonic() < until:
        time.sleep(_LOOK_S)


def is_whole(repo: Repository, commit: str, base: str) -> bool:
    """True if all that `commit` has beyond `base` is there. Costs as much as has changed."""
    git = repo.shared()
    # What it has to read of either tree it reads, and fails if that is gone.
    seen = git.run("diff-tree", "-r", "-t", "--raw", "--no-abbrev", "--no-renames", "-z", base, commit, check=False)
    heads = [field.split() for field in seen.fields if field.startswith(":")]
    new = {head[3] for head in heads if head[1] != _GITLINK and head[3].strip("0")}
    if seen.code or not new:
        return not seen.code
    listed = git.run("cat-file", "--batch-check=%(objectname)", stdin="".join(f"{one}\n" for one in sorted(new)).encode(), check=False)
    return not listed.code and " missing" not in listed.text


def bring_in(repo: Repository, aside: Path) -> None:
    """Lay what was made in `aside` among the objects that all share, as far as it is not there. Raises WorkspaceError."""
    shared = repo.common_dir / "objects"
    try:
        for file in aside.rglob("*"):
            if file.is_file() and file.parent.name != "info":
                there = shared / file.relative_to(aside)
                there.parent.mkdir(exist_ok=True)
                with suppress(FileExistsError):
                    there.hardlink_to(file)
    except OSError as error:
        raise WorkspaceError(f"what was made can't be put among git's objects: {error.strerror}", where=str(shared)) from error


def _pruning() -> list[Path]:
    """The processes that prune now, anywhere, as far as the machine tells; each exists as long as it does."""
    found = []
    try:
        with os.scandir("/proc") as entries:
            for entry in entries:
                if entry.name.isdigit() and _prunes(Path(entry.path)):
                    found.append(Path(entry.path))
    except OSError:
        return []
    return found


def _prunes(process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"prune" in words[1:] and os.path.basename(words[0]) == b"git"  # noqa: PTH119 - bytes
