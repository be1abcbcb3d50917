"""What can be seen of the operator's side of a repository, so that a change of it shows: his checkout, and what all worktrees share.

Invariant: to look writes nothing and runs nothing of the repository's. A change can't be hidden by setting a file's time back: the
system's own note of when it was changed is what counts. Who has changed something can't be seen.
"""

from pathlib import Path

from msgspec import Struct

from loopdeck.errors import WorkspaceError
from loopdeck.git import admin, status
from loopdeck.git.admin import Worktree
from loopdeck.git.repository import Repository

_SHARED = ("config", "config.worktree", "info/attributes", "info/exclude", "info/sparse-checkout", "info/grafts")
_HOOKS = "hooks"
"""In the shared git folder: what could make the operator's own git run something, or look away. Git writes none of it unasked."""

Look = tuple[int, int, int, int]
"""Inode, size, mode, and when it was changed (nanoseconds)."""


class Footprint(Struct, frozen=True):
    """The commit and branch of the operator's checkout, each path of it that is not as in its commit, and the shared settings."""

    commit: str
    branch: str
    files: dict[str, Look | None]
    shared: dict[str, Look | None]


def footprint(repo: Repository) -> Footprint:
    """How it is now. What git ignores is not looked at. Raises WorkspaceError."""
    seen = status.read(repo.operators(), untracked="normal")
    files = {one.path: _look(repo.root / one.path) for one in seen.entries}
    return Footprint(seen.commit, seen.branch, files, _shared(repo.common_dir))


def changes(before: Footprint, after: Footprint) -> tuple[str, ...]:
    """What is another than before: paths relative to the checkout, settings as `.git/…`, and the commit if that has moved."""
    told = []
    if (before.commit, before.branch) != (after.commit, after.branch):
        told.append(f"HEAD ({before.branch or 'detached'} {before.commit[:12]} → {after.branch or 'detached'} {after.commit[:12]})")
    moved = before.commit != after.commit
    for path in sorted({*before.files, *after.files}):
        # What a commit of the operator's has taken in, or a reset has put back, is told by the commit.
        gone_with_commit = moved and path not in after.files
        if not gone_with_commit and before.files.get(path, ()) != after.files.get(path, ()):
            told.append(path)
    told += (f".git/{path}" for path in sorted({*before.shared, *after.shared}) if before.shared.get(path) != after.shared.get(path))
    return tuple(told)


def strays(worktree: Worktree, own: tuple[str, ...]) -> tuple[str, ...]:
    """Paths of a worktree that are not as in its commit, but for `own` and what was put there by copying, linking and setup.

    Right after a commit there are none, so somebody else has written what comes later. Raises WorkspaceError.
    """
    spared = (*own, *admin.kept(worktree))
    entries = (one for one in status.read(worktree.git()).entries if not one.nested)
    return tuple(one.path for one in entries if not any(one.path == own or one.path.startswith(f"{own}/") for own in spared))


def _shared(common_dir: Path) -> dict[str, Look | None]:
    found = {name: _look(common_dir / name) for name in _SHARED}
    hooks = common_dir / _HOOKS
    try:
        return found | {f"{_HOOKS}/{entry.name}": _look(entry) for entry in hooks.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return found | {_HOOKS: _look(hooks)}
    except OSError as error:
        raise WorkspaceError(f"can't be looked at: {error.strerror}", where=str(hooks)) from error


def _look(path: Path) -> Look | None:
    try:
        seen = path.lstat()
    except OSError:
        return None
    return seen.st_ino, seen.st_size, seen.st_mode, seen.st_ctime_ns
