"""Worktrees of runs: made, reused, let go.

Invariant: the operator's checkout, index and configuration are never written to; whatever fails half-way leaves neither folder nor
branch behind, and no branch is deleted that was not made here.
"""

import os
import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from loopdeck.errors import WorkspaceError
from loopdeck.git import admin, trash
from loopdeck.git import pool as pooling
from loopdeck.git.admin import Worktree
from loopdeck.git.pool import Pool
from loopdeck.git.refs import tip
from loopdeck.git.repository import ROOT_NOTE, Repository, read_pointer

_NOTHING = "0" * 40


def create(repo: Repository, path: Path, branch: str, base: str, *, sparse: Sequence[str] = (), pool: Pool | None = None) -> Worktree:
    """Make a worktree at `path` with the new branch `branch` at the commit `base`; an empty `branch` leaves it detached there.

    `sparse` are folders and files (or patterns as in a .gitignore) to limit it to, beside the files at the root. With a `pool`,
    a worktree waiting there is used again, and its lock is held while things are registered.

    Raises WorkspaceError if the path or the branch exists, or git refuses.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 (the name counts, not where a link there leads)
    if os.path.lexists(path):
        raise WorkspaceError(
            "something is already there, where the worktree is to be made",
            where=str(path),
            remedy="Move it away, or remove it if it is a leftover (`git worktree list` shows whether git knows it).",
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with pool.lock() if pool else nullcontext():
        if branch:
            _make_branch(repo, branch, base)
        try:
            reused = pooling.take(pool, repo, path, branch, base) if pool and not sparse else None
            worktree = reused or _add(repo, path, branch, base)
        except BaseException:
            _unmake_branch(repo, branch, base)
            raise
    try:
        if reused and not pooling.cleaned(worktree, base):
            _unregister(worktree)
            with pool.lock() if pool else nullcontext():
                worktree = _add(repo, path, branch, base)
            reused = None
        if not reused:
            _fill(worktree, sparse)
    except BaseException:
        _unregister(worktree)
        _unmake_branch(repo, branch, base)
        raise
    return worktree


def retire(worktree: Worktree, pool: Pool) -> None:
    """Let go of a worktree that nobody uses any more: its path is free at once. Its branch stays.

    It goes into the pool, or away if that is full or the worktree is not fit for it (what is put aside, `trash.sweep` deletes).
    """
    if not pooling.put(pool, worktree):
        _unregister(worktree)


def remove(worktree: Worktree) -> None:
    """Take a worktree away: path and registration are free at once, its files wait in `.trash` for `trash.sweep`. Its branch stays."""
    _unregister(worktree)


def clear(repo: Repository, path: Path, branch: str, base: str) -> None:
    """Clear away what a `create` left that was killed half-way, for the same call to be made again; nothing there is fine too.

    A branch that has moved on from `base` holds work and stays.
    """
    for worktree in admin.registered(repo):
        if worktree.path == path:
            _unregister(worktree)
    trash.put_aside(path)
    _unmake_branch(repo, branch, base)


def recreate(
    repo: Repository, path: Path, branch: str, commit: str, *, sparse: Sequence[str] = (), pool: Pool | None = None
) -> Worktree:
    """Make the worktree of `branch` at `path` once more, after it was lost; the branch is made at `commit` if that is gone too.

    Nothing may be at `path`. Raises WorkspaceError if git refuses.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with pool.lock() if pool else nullcontext():
        for one in admin.ours(repo):
            if one.path == path or one.branch == branch:
                trash.delete(one.git_dir)
        if tip(repo, branch) is None:
            _make_branch(repo, branch, commit)
        worktree = _add(repo, path, branch, commit)
    try:
        _fill(worktree, sparse)
    except BaseException:
        _unregister(worktree)
        raise
    return worktree


def _make_branch(repo: Repository, branch: str, base: str) -> None:
    nothing = _NOTHING if len(base) == len(_NOTHING) else "0" * len(base)
    made = repo.shared().run("update-ref", f"refs/heads/{branch}", base, nothing, check=False)
    if made.code == 0:
        return
    said = os.fsdecode(made.stderr)
    if "reference already exists" in said:
        raise WorkspaceError(
            f"the branch {branch} exists already",
            where=str(repo.root),
            remedy=f"If its work is not needed, `git branch -D {branch}`; else rename it.",
        )
    if other := re.search(r"'refs/heads/([^']+)' exists; cannot create", said):
        raise WorkspaceError(
            f"the branch {branch} can't be made beside the branch {other[1]}: git allows only one of such names",
            where=str(repo.root),
            remedy=f"Rename the other: `git branch -m {other[1]} {other[1]}-old`.",
        )
    raise WorkspaceError(f"the branch {branch} can't be made: {made.complaint}", where=str(repo.root))


def _unmake_branch(repo: Repository, branch: str, base: str) -> None:
    """Delete the branch made a moment ago, unless somebody has committed to it meanwhile."""
    if branch:
        repo.shared().run("update-ref", "-d", f"refs/heads/{branch}", base, check=False)


def _add(repo: Repository, path: Path, branch: str, base: str) -> Worktree:
    """Register a new worktree, without files, locked and with the note that it is ours."""
    where = ("--detach", str(path), base) if not branch else (str(path), branch)
    repo.shared().run("worktree", "add", "--quiet", "--no-checkout", *where)
    worktree = Worktree(path, Path(read_pointer(path / ".git")), branch, repo)
    try:
        admin.write_note(worktree.git_dir / "locked", admin.lock_reason(path))
        admin.note_place(worktree)
        admin.write_note(worktree.git_dir / ROOT_NOTE, str(repo.root))
        # Where the operator keeps settings per worktree, git copies theirs; ours has none.
        (worktree.git_dir / "config.worktree").unlink(missing_ok=True)
    except OSError as error:
        _unregister(worktree)
        raise WorkspaceError(f"the worktree can't be registered: {error.strerror}", where=str(path)) from error
    return worktree


def _fill(worktree: Worktree, sparse: Sequence[str]) -> None:
    if sparse:
        info = worktree.git_dir / "info"
        info.mkdir(exist_ok=True)
        wanted = ("/" + entry.strip("/").removesuffix("/**") for entry in sparse)
        admin.write_note(info / "sparse-checkout", "\n".join(("/*", "!/*/", *wanted, "")))
    worktree.git().run("reset", "--hard", "--quiet")


def _unregister(worktree: Worktree) -> None:
    trash.put_aside(worktree.path)
    trash.delete(worktree.git_dir)
