"""The clean checkout that checks run on.

Invariant: after `reset_to` it holds exactly the files of the commit, protected paths as at the base, and beside them only what copying,
linking and setup had put there; nothing of an earlier check or iteration, not even a compiled file that looks fresh.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from loopdeck.errors import WorktreeLost
from loopdeck.git import admin, diff, status, trash
from loopdeck.git import protect as protection
from loopdeck.git.admin import Worktree
from loopdeck.git.pool import Pool
from loopdeck.git.repository import Repository
from loopdeck.git.worktrees import create, retire
from loopdeck.git.wrapper import Git

_COMPILED: Final = ("__pycache__",)
_COMPILED_ENDS: Final = (".pyc", ".pyo")


class CleanCheckout:
    """A detached worktree of one run, made once and reset for every iteration."""

    def __init__(self, worktree: Worktree) -> None:
        self.worktree = worktree
        self._index = ""

    @classmethod
    def create(
        cls, repo: Repository, path: Path, commit: str, *, sparse: Sequence[str] = (), pool: Pool | None = None
    ) -> "CleanCheckout":
        """Make it at `path`. Raises WorkspaceError as `worktrees.create` does."""
        made = cls(create(repo, path, "", commit, sparse=sparse, pool=pool))
        made._index = made._index_hash()
        return made

    @classmethod
    def open(cls, repo: Repository, path: Path) -> "CleanCheckout":
        """The one that was made at `path`, such as before a restart. Raises WorkspaceError if there is none."""
        return cls(admin.open_worktree(repo, path))

    @property
    def path(self) -> Path:
        """Its root."""
        return self.worktree.path

    @property
    def is_lost(self) -> bool:
        """True if it is not where or what it was."""
        try:
            admin.verify(self.worktree)
        except WorktreeLost:
            return True
        return False

    def settle(self, placed: Iterable[str] = ()) -> tuple[str, ...]:
        """To be called once after copying, linking and setup: see `settle`."""
        changed = settle(self.worktree, placed)
        self._index = self._index_hash()
        return changed

    def reset_to(
        self, commit: str, *, protect: Sequence[str] = (), base: str = "", changes: Sequence[diff.Change] | None = None
    ) -> tuple[str, ...]:
        """Make it `commit`, with the paths that the globs `protect` match (and `.loopdeck/**`) as they are at `base`.

        Without a `base` all is as in the commit. `changes` are those from `base` to `commit`, if they are known already.
        Gives the protected paths in which the commit differs. Raises WorkspaceError if it is gone or was tampered with.
        """
        git = self.worktree.git()
        kept = admin.kept(self.worktree)
        admin.point_head(self.worktree, commit)
        if self._index_changed():
            # Somebody else wrote the index: it may claim that altered files are as they were. Start from nothing.
            (self.worktree.git_dir / "index").unlink(missing_ok=True)
            _clean(git, kept)
        # What `reset --hard` does to the files, without the refs that it writes besides.
        git.run("read-tree", "--reset", "-u", commit)
        differing: tuple[str, ...] = ()
        if base and base != commit:
            known = diff.changed(self.worktree.repo, base, commit) if changes is None else changes
            differing = protection.touched((change.path for change in known), protect)
            if differing:
                protection.restore(git, base, differing)
        _clean(git, kept)
        self._index = self._index_hash()
        return differing

    def close(self, pool: Pool) -> None:
        """Let go of it."""
        retire(self.worktree, pool)

    def _index_changed(self) -> bool:
        return not self._index or self._index_hash() != self._index

    def _index_hash(self) -> str:
        try:
            return hashlib.sha256((self.worktree.git_dir / "index").read_bytes()).hexdigest()
        except OSError:
            return ""


def settle(worktree: Worktree, placed: Iterable[str] = ()) -> tuple[str, ...]:
    """To be called once on a new worktree, the maker's or the clean one, after copying, linking and setup.

    `placed` are the paths that copying and linking made. What lies there and is not tracked is noted as kept: it is never committed,
    and survives a cleaning. Compiled Python is not, since it would hide changes of its source. Tracked files that setup has changed
    are put back; their paths are given.
    """
    git = worktree.git()
    changed = tuple(entry.path for entry in status.read(git).entries if not entry.untracked)
    if changed:
        git.run("reset", "--hard", "--quiet")
    found = (path.rstrip("/") for path in git.paths("ls-files", "--others", "--directory", "--no-empty-directory", "-z"))
    admin.keep(worktree, (*placed, *(path for path in found if not _is_compiled(path))))
    return changed


def _is_compiled(path: str) -> bool:
    return path.rpartition("/")[2] in _COMPILED or path.endswith(_COMPILED_ENDS)


def _clean(git: Git, kept: Sequence[str]) -> None:
    """Delete what is not tracked, ignored or not, but for `kept`."""
    assert git.work_tree is not None
    spared = [word for path in kept for word in ("-e", "/" + _escaped(path))]
    if git.run("clean", "-ffdxq", *spared, check=False).code == 0:
        return
    for path in git.paths("ls-files", "--others", "--directory", "-z"):
        top = path.rstrip("/")
        if not any(place == top or place.startswith(top + "/") for place in kept):
            trash.delete(git.work_tree / top)
    git.run("clean", "-ffdxq", *spared)


def _escaped(path: str) -> str:
    """`path` as a pattern of a .gitignore that matches nothing else."""
    escaped = "".join("\\" + character if character in "\\*?[]!#" else character for character in path)
    return escaped[:-1] + "\\ " if escaped.endswith(" ") else escaped
