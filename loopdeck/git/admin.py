"""Worktrees of ours, and what git and loopdeck note about them in their administrative folders.

Invariant: what is believed about a worktree comes from its administrative folder in the shared git folder, never from the worktree
itself, which a maker can write to; before each use the worktree must still match what is noted there.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from loopdeck.errors import WorkspaceError, WorktreeLost
from loopdeck.git.repository import ROOT_NOTE, Repository
from loopdeck.git.wrapper import Git

KEPT_NOTE: Final = "loopdeck-kept"
"""In the administrative folder: what copying, linking and setup put into the worktree; NUL-ended paths, relative to it."""
PLACE_NOTE: Final = "loopdeck-place"
"""In the administrative folder: the number by which the file system knows the worktree's folder, so that another can't pass for it."""
_MEND: Final = "While its run goes on, `loopdeck resume` puts it right, or makes it anew from the last commit."
_HEADS: Final = "ref: refs/heads/"
_OURS: Final = {"HEAD", "commondir", "gitdir", "index", "locked", ROOT_NOTE, PLACE_NOTE}


class Worktree(Struct, frozen=True):
    """A worktree of ours: where it is, its administrative folder, its branch (empty: detached) and the repository it is of."""

    path: Path
    git_dir: Path
    branch: str
    repo: Repository

    def git(self) -> Git:
        """Git on this worktree, hardened. Raises WorkspaceError if the worktree is not what was made, see `verify`."""
        verify(self)
        return Git(self.git_dir, self.path, self.repo.common_dir)


def open_worktree(repo: Repository, path: Path) -> Worktree:
    """The worktree of ours that was made at `path`, whether its folder is still there or not.

    Raises WorkspaceError if there is none.
    """
    wanted = os.path.abspath(path)  # noqa: PTH100 (must not follow a link that has been put there)
    for worktree in ours(repo):
        if str(worktree.path) == wanted:
            return worktree
    raise WorktreeLost(
        "no worktree of loopdeck's is registered here",
        where=str(path),
        remedy="It has been removed. `git branch --list 'loop/*'` shows whether its work is still there.",
    )


def note_place(worktree: Worktree) -> None:
    """Note which folder it is that stands at the worktree's path."""
    write_note(worktree.git_dir / PLACE_NOTE, str(worktree.path.lstat().st_ino))


def made_at(worktree: Worktree) -> int:
    """When git made it, in nanoseconds since the epoch; 0 if nothing tells. A later one in its place may have its folder's number."""
    try:
        return (worktree.git_dir / "commondir").stat().st_mtime_ns
    except OSError:
        return 0


def lock_reason(path: Path) -> str:
    """What git is told of why the worktree made at `path` must not be pruned; it is the worktree's name, wherever it goes."""
    return f"loopdeck: {path.name}"


def ours(repo: Repository) -> Iterator[Worktree]:
    """Every worktree that loopdeck made in this repository, pooled ones too."""
    return (worktree for worktree in registered(repo) if (worktree.git_dir / ROOT_NOTE).is_file())


def registered(repo: Repository) -> Iterator[Worktree]:
    """Every worktree that git knows of, but for the main one; the operator's too, which are not to be touched."""
    for git_dir in sorted((repo.common_dir / "worktrees").glob("*")):
        dot = _text(git_dir / "gitdir")
        head = _text(git_dir / "HEAD")
        if dot:
            yield Worktree(Path(dot).parent, git_dir, head.removeprefix(_HEADS) if head.startswith(_HEADS) else "", repo)


def verify(worktree: Worktree) -> None:
    """Raise WorktreeLost unless the worktree is where and what it was when it was made."""
    branch = f" Its branch {worktree.branch} is still there." if worktree.branch else ""
    try:
        there = worktree.path.lstat()
    except FileNotFoundError as error:
        raise WorktreeLost(_gone(worktree), where=str(worktree.path), remedy=_MEND + branch) from error
    if not stat.S_ISDIR(there.st_mode):
        raise _tampered(worktree, "its folder is a link or a file now")
    if (noted := _text(worktree.git_dir / PLACE_NOTE)) and noted != str(there.st_ino):
        raise _tampered(worktree, "another folder stands in its place now")
    dot = worktree.path / ".git"
    try:
        regular = stat.S_ISREG(dot.lstat().st_mode)
    except OSError as error:
        raise _tampered(worktree, "its .git file is gone") from error
    if not regular or dot.read_bytes() != os.fsencode(f"gitdir: {worktree.git_dir}\n"):
        raise _tampered(worktree, "its .git file is not the one that was made")
    if _text(worktree.git_dir / "gitdir") != str(dot):
        raise _tampered(worktree, "git's own note of it is gone or changed")
    if (worktree.git_dir / "config.worktree").exists():
        raise _tampered(worktree, "it has a configuration of its own")


def kept(worktree: Worktree) -> tuple[str, ...]:
    """What copying, linking and setup put into the worktree: never committed, and left alone by a cleaning."""
    return tuple(part for part in _text(worktree.git_dir / KEPT_NOTE).split("\0") if part)


def keep(worktree: Worktree, paths: Iterable[str]) -> None:
    """Note `paths` (relative to the worktree) as put there by copying, linking or setup, beside those already noted."""
    both = dict.fromkeys((*kept(worktree), *paths))
    write_note(worktree.git_dir / KEPT_NOTE, "".join(path + "\0" for path in both))


def is_sparse(worktree: Worktree) -> bool:
    """True if it holds only part of the files."""
    return (worktree.git_dir / "info" / "sparse-checkout").exists()


def point_head(worktree: Worktree, commit: str) -> None:
    """Have HEAD be the worktree's branch, or `commit` if it is detached, whatever it has been made to be meanwhile."""
    write_note(worktree.git_dir / "HEAD", (_HEADS + worktree.branch if worktree.branch else commit) + "\n")


def head_is_branch(worktree: Worktree) -> bool:
    """True if HEAD is the worktree's own branch."""
    return bool(worktree.branch) and _text(worktree.git_dir / "HEAD") == _HEADS + worktree.branch


def strangers(git_dir: Path) -> Iterator[Path]:
    """What is in an administrative folder beyond what a fresh worktree of ours has: a merge under way, notes of an earlier run."""
    return (entry for entry in git_dir.iterdir() if entry.name not in _OURS)


def write_note(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    aside = file.with_name(f"{file.name}.{os.urandom(4).hex()}")
    aside.write_bytes(os.fsencode(text))
    aside.replace(file)


def _text(file: Path) -> str:
    try:
        return os.fsdecode(file.read_bytes()).rstrip("\r\n")
    except OSError:
        return ""


def _gone(worktree: Worktree) -> str:
    told = _text(worktree.git_dir / "gitdir")
    if not told:
        return "the worktree is gone, and so is what git had noted of it: somebody has removed it"
    if told != str(worktree.path / ".git"):
        return f"the worktree was moved to {Path(told).parent}"
    return "the worktree is gone: somebody has deleted or moved it"


def _tampered(worktree: Worktree, how: str) -> WorkspaceError:
    return WorktreeLost(
        f"the worktree was tampered with: {how}",
        where=str(worktree.path),
        remedy=f"Nothing in it was run or read. Look at it by hand. {_MEND}",
    )
