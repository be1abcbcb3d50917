"""Lock files of git that stand in the way.

Invariant: a lock is only ever removed if it belongs to a worktree of our own (never in the shared folder, never the operator's) and
no process has it open. A git killed while it held one leaves it behind for ever, and the next git would refuse to work.
"""

import os
import re
import sys
import time
from pathlib import Path

_HELD = re.compile(rb"Unable to create '(.+?\.lock)': File exists|cannot lock ref '.*': Unable to create '(.+?\.lock)'")
_BUSY = re.compile(rb"could not lock config file (.+?): File exists")
GRACE_S = 1.0
"""The age, in seconds, below which a lock is never touched."""
_LONG_DEAD_S = 60.0


def in_the_way(stderr: bytes) -> Path | None:
    """The lock file that git says was in its way, or None if it failed for another reason."""
    if found := _HELD.search(stderr):
        return Path(os.fsdecode(found.group(1) or found.group(2)))
    if found := _BUSY.search(stderr):
        return Path(os.fsdecode(found.group(1)) + ".lock")
    return None


def remove_if_dead(lock: Path, git_dir: Path, common_dir: Path) -> bool:
    """Remove `lock` if it is one of the worktree behind `git_dir` and its holder is dead; True if the way is free now."""
    if git_dir == common_dir or lock.parent.resolve() != git_dir.resolve():
        return False
    try:
        age = time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return True
    if not (age > _LONG_DEAD_S or (age > GRACE_S and _nobody_has_open(lock))):
        return False
    lock.unlink(missing_ok=True)
    return True


def _nobody_has_open(path: Path) -> bool:
    """True if surely no process has `path` open; False where that can't be told."""
    if sys.platform != "linux":
        return False
    wanted = str(path.resolve())
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            with os.scandir(process / "fd") as entries:
                if any(_leads_to(entry.path, wanted) for entry in entries):
                    return False
        except OSError:
            continue  # gone meanwhile, or another person's, who can't hold a lock in a folder that is ours alone
    return True


def _leads_to(link: str, wanted: str) -> bool:
    try:
        return os.readlink(link) == wanted  # noqa: PTH115 (a string compare of thousands; Path would cost more than the call)
    except OSError:
        return False
