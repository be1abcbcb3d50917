"""A run's worktree that is not where or what it was, made whole again.

Invariant: nothing that anybody may want is deleted: what stands in the worktree's place is moved aside, files that were there stay
there, and the branch is never moved. What can't be had again (work that was not committed) is told.
"""

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from loopdeck.errors import WorkspaceError, WorktreeLost
from loopdeck.git import admin, trash
from loopdeck.git.admin import Worktree
from loopdeck.git.pool import Pool
from loopdeck.git.repository import Repository, read_pointer
from loopdeck.git.worktrees import recreate


class Mended:
    """The worktree as it is now, and what is to be told of it; `anew` says that it was made from the last commit."""

    def __init__(self, worktree: Worktree, notices: tuple[str, ...] = (), *, anew: bool = False) -> None:
        self.worktree = worktree
        self.notices = notices
        self.anew = anew


def mend(repo: Repository, path: Path, branch: str, commit: str, *, sparse: Sequence[str] = (), pool: Pool | None = None) -> Mended:
    """See to it that the worktree of `branch` stands at `path`, with all that can be saved of it; `commit` is the run's last.

    Raises WorktreeLost if it can't be had, not even from the commit.
    """
    known = _registered(repo, path)
    if known is not None:
        found = _found(known, path)
        if found is not None:
            return _repaired(known, path, found)
    aside = _out_of_the_way(path)
    told = [f"what stood in its place is {aside} now"] if aside else []
    try:
        worktree = recreate(repo, path, branch, commit, sparse=sparse, pool=pool)
    except WorktreeLost:
        raise
    except WorkspaceError as error:
        what = f"the worktree is gone and can't be made anew from {branch}: {error.what}"
        raise WorktreeLost(what, where=str(path), remedy=error.remedy) from error
    told.insert(0, f"the worktree was gone and was made anew from {commit[:12]}; what had not been committed is lost")
    return Mended(worktree, ("; ".join(told),), anew=True)


def _registered(repo: Repository, path: Path) -> Worktree | None:
    """What git knows of the worktree that was made at `path`, wherever it has gone since."""
    reason = admin.lock_reason(path)
    for one in admin.ours(repo):
        if one.path == path or _note(one.git_dir / "locked") == reason:
            return one
    return None


def _found(known: Worktree, path: Path) -> Path | None:
    """Where the very folder of the worktree is: in its place, where git was told, or beside it under another name."""
    inode = _note(known.git_dir / admin.PLACE_NOTE)
    beside = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    places: list[Path] = [path, known.path, *beside]
    for place in places:
        try:
            there = place.lstat()
        except OSError:
            continue
        if not stat.S_ISDIR(there.st_mode) or place.name == ".trash":
            continue
        ours = read_pointer(place / ".git") == str(known.git_dir)
        if str(there.st_ino) == inode if inode and place == path else ours:
            return place
    return None


def _repaired(known: Worktree, path: Path, found: Path) -> Mended:
    """Put the folder back to its place, and back to what it was but for its files."""
    worktree = Worktree(path, known.git_dir, known.branch, known.repo)
    told = []
    if found != path:
        aside = _out_of_the_way(path)
        found.rename(path)
        told.append(f"the worktree had been moved to {found}, and was moved back with all that is in it")
        told += [f"what stood in its place is {aside} now"] if aside else []
    dot = path / ".git"
    if read_pointer(dot) != str(worktree.git_dir) or dot.is_symlink():
        if aside := _out_of_the_way(dot, path.with_name(f"{path.name}.git")):
            told.append(f"its .git was not the one that was made, which was put back; the other is {aside} now")
        else:
            told.append("its .git file was gone, and was put back")
        admin.write_note(dot, f"gitdir: {worktree.git_dir}\n")
    admin.write_note(worktree.git_dir / "gitdir", f"{dot}\n")
    admin.note_place(worktree)
    if (worktree.git_dir / "config.worktree").exists():
        trash.delete(worktree.git_dir / "config.worktree")
        told.append("it had a configuration of its own, which was taken away")
    admin.verify(worktree)
    return Mended(worktree, tuple(told))


def _out_of_the_way(path: Path, name: Path | None = None) -> Path | None:
    """Move what is at `path` aside, beside the worktrees, where nobody deletes it unasked; where it is now, if anything was there."""
    if not os.path.lexists(path):
        return None
    named = name or path
    aside = named.with_name(f"{named.name}.aside-{os.urandom(3).hex()}")
    try:
        path.rename(aside)
    except OSError:
        # On another disk, behind a mount: a rename can't reach it.
        shutil.move(path, aside)
    return aside


def _note(file: Path) -> str:
    try:
        return os.fsdecode(file.read_bytes()).rstrip("\r\n")
    except OSError:
        return ""
