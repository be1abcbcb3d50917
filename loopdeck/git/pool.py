"""Worktrees that are not needed any more and wait to be used again: filling one anew takes a fraction of making one.

Invariant: a pooled worktree is claimed by one rename, so never twice; nothing of its former life survives in the one it is used for:
no file, no index flag, no operation under way, no note.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from msgspec import Struct

from loopdeck.errors import WorkspaceError
from loopdeck.git import admin, trash
from loopdeck.git.admin import Worktree
from loopdeck.git.repository import ROOT_NOTE, Repository, read_pointer

SIZE: Final = 8


class Pool(Struct, frozen=True):
    """Where pooled worktrees of one repository wait, at most `size` of them; on the file system of the worktrees.

    `lock` makes a context that is held by one process at a time: worktrees are registered one after the other.
    """

    folder: Path
    lock: Callable[[], AbstractContextManager[object]] = nullcontext
    size: int = SIZE


def put(pool: Pool, worktree: Worktree) -> bool:
    """Move a worktree that nobody uses into the pool; its path and branch are free at once. False if it can't be pooled."""
    if admin.is_sparse(worktree):
        return False
    try:
        commit = worktree.git().text("rev-parse", "--verify", "HEAD^{commit}")
    except WorkspaceError:
        return False
    with pool.lock():
        pool.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if len(_waiting(pool)) >= pool.size:
            return False
        place = pool.folder / os.urandom(8).hex()
        admin.write_note(worktree.git_dir / "HEAD", commit + "\n")
        admin.write_note(worktree.git_dir / "gitdir", f"{place / '.git'}\n")
        try:
            worktree.path.rename(place)
        except OSError:
            admin.write_note(worktree.git_dir / "gitdir", f"{worktree.path / '.git'}\n")
            return False
    return True


def take(pool: Pool, repo: Repository, path: Path, branch: str, commit: str) -> Worktree | None:
    """Move a pooled worktree to `path`, for `branch` (empty: detached at `commit`); its files are still those of its former life.

    To be called with the lock held. None if none is there that can be used.
    """
    for place in _waiting(pool):
        git_dir = _registered(place, repo)
        if git_dir is None:
            trash.put_aside(place)
            continue
        worktree = Worktree(path, git_dir, branch, repo)
        for stranger in admin.strangers(git_dir):
            trash.delete(stranger)
        admin.write_note(git_dir / "gitdir", f"{path / '.git'}\n")
        admin.write_note(git_dir / ROOT_NOTE, str(repo.root))
        admin.write_note(git_dir / "locked", admin.lock_reason(path))
        admin.point_head(worktree, commit)
        place.rename(path)
        return worktree
    return None


def cleaned(worktree: Worktree, commit: str) -> bool:
    """Make the files of a worktree from the pool those of `commit` and nothing else; False if it can't be trusted to be clean."""
    git = worktree.git()
    if any(field[:1] not in "HCRMK" for field in git.run("ls-files", "-v", "-z").fields):
        return False  # somebody told git not to look at some file
    if git.run("reset", "--hard", "--quiet", commit, check=False).code:
        return False
    return git.run("clean", "-ffdxq", check=False).code == 0


def _waiting(pool: Pool) -> list[Path]:
    if not pool.folder.is_dir():
        return []
    return sorted(entry for entry in pool.folder.iterdir() if not entry.name.startswith("."))


def _registered(place: Path, repo: Repository) -> Path | None:
    """The administrative folder of the pooled worktree at `place`, if the two still belong together and to `repo`."""
    named = read_pointer(place / ".git") if not (place / ".git").is_symlink() else ""
    git_dir = Path(named)
    if not named or git_dir.parent != repo.common_dir / "worktrees" or not (git_dir / ROOT_NOTE).is_file():
        return None
    try:
        admin.verify(Worktree(place, git_dir, "", repo))
    except WorkspaceError:
        return None
    return git_dir
