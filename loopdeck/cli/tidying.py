"""What lies around in a deck's home, and whether it can go.

Invariant: only what can be had again goes: copies of commits that are on a branch of the operator's or changed nothing, pooled and
put-aside worktrees, runs that never began. Work that nobody has merged, files that nobody has committed and journals stay.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from loopdeck.deck.decks import Deck
from loopdeck.deck.view import RunView
from loopdeck.errors import LoopdeckError, WorkspaceError
from loopdeck.git import admin, refs, status, trash, worktrees
from loopdeck.git.admin import Worktree
from loopdeck.git.merge import discard
from loopdeck.store.layout import Outlying, RunPaths
from loopdeck.store.locks import Mutex
from loopdeck.store.loopfolder import NAME as LOOP_FOLDER

Kind = Literal["worktree", "check checkout", "merge checkout", "pool", "trash", "run that never began", "caches", "unknown"]
_SCRATCH: dict[str, Kind] = {".check": "check checkout", ".merge": "merge checkout"}
_SETTLED_S = 60.0
"""Seconds after which a run folder without a journal is no run that is just being started."""


class Item(Struct, frozen=True):
    """Something that takes `size` bytes at `path`; `safe` says that it can go, `why` why or why not.

    `branch` goes with it, if there is one.
    """

    kind: Kind
    path: Path
    safe: bool
    why: str
    size: int
    worktree: Worktree | None = None
    branch: str = ""


class Taken(Struct, frozen=True):
    """What a run takes on the disk, in bytes: its record (journal, trace, blobs), and its worktrees."""

    loop: str
    run: str
    record: int
    worktrees: int


def taken(deck: Deck) -> list[Taken]:
    """What each run takes, the largest first."""
    found = []
    for paths in deck.home.all_runs():
        own = deck.home.worktree(paths.loop, paths.run)
        beside = (own, *(own.with_name(own.name + suffix) for suffix in _SCRATCH))
        found.append(Taken(paths.loop, paths.run, size_of(paths.dir), sum(size_of(path) for path in beside if os.path.lexists(path))))
    return sorted(found, key=lambda one: (-one.record - one.worktrees, one.run))


def survey(deck: Deck) -> list[Item]:
    """Everything, the safe things first. Nothing is changed."""
    home = deck.home.worktrees
    runs = {f"{paths.loop}-{paths.run}": paths for paths in deck.home.all_runs()}
    ours = list(admin.ours(deck.repo))
    items = [_judged(deck, one, runs) for one in ours if one.path.parent != _pool(home)]
    items += _waiting(home, ours)
    items += _strangers(home, ours)
    items += [item for paths in runs.values() for item in _never_began(paths)]
    items += _caches(deck)
    return sorted(items, key=lambda item: (not item.safe, item.kind, str(item.path)))


def tidy(deck: Deck, item: Item) -> str:
    """Let a safe item go; gives what stood in the way, or nothing."""
    try:
        match item.kind:
            case _ if item.worktree is not None and item.branch:
                discard(deck.repo, item.branch, item.worktree)
            case _ if item.worktree is not None:
                worktrees.remove(item.worktree)
            case "pool":
                _empty_pool(deck, item.path)
            case "trash":
                trash.sweep(item.path.parent)
            case _:
                trash.delete(item.path)
    except LoopdeckError as error:
        return error.what
    return ""


def sweep(deck: Deck) -> None:
    """Delete what has been put aside on the way. Raises WorkspaceError if something stays."""
    for folder in (deck.home.worktrees, _pool(deck.home.worktrees)):
        trash.sweep(folder)


def _pool(home: Path) -> Path:
    return home / ".pool"


def _judged(deck: Deck, worktree: Worktree, runs: dict[str, RunPaths]) -> Item:
    """A worktree of a run, or one that a check or a merge has left."""
    path = worktree.path
    kind = _SCRATCH.get(path.suffix, "worktree")
    size = size_of(path)
    if path.parent != deck.home.worktrees:
        return Item("unknown", path, False, "of a deck with another home (LOOPDECK_HOME)", size)
    paths = runs.get(path.name.removesuffix(path.suffix) if kind != "worktree" else path.name)
    view = deck.view(paths) if paths is not None else None
    if view is not None and (why := _in_use(view)):
        return Item(kind, path, False, why, size)
    if kind != "worktree":
        return Item(kind, path, True, "left over", size, worktree)
    base = view.run.base if view is not None else ""
    return _of_run(deck, worktree, base, size)


def _in_use(view: RunView) -> str:
    """Why the run's worktrees are not to be touched, if so."""
    if view.live or view.status != "ended":
        return f"its run is going on: {view.status}"
    if view.damage:
        return f"its run's journal is damaged: {view.damage}"
    if view.reason == "lost":
        return f"its run can be resumed (`loopdeck resume {view.run.id}`) or discarded (`loopdeck discard {view.run.id}`)"
    return ""


def _of_run(deck: Deck, worktree: Worktree, base: str, size: int) -> Item:
    """The worktree of a run that has ended."""
    path, branch = worktree.path, worktree.branch
    tip = refs.tip(deck.repo, branch) if branch else None
    empty = tip is not None and tip == base
    into = refs.branches_with(deck.repo, tip) if tip is not None and not empty else ()
    kept = tip is not None and not empty and not into
    if not path.exists():
        why = "git still counts on it, but the folder is gone" + (f"; {branch} stays" if kept else "")
        return Item("worktree", path, True, why, size, worktree, "" if kept else branch)
    if kept:
        how = (
            "`loopdeck merge` or `loopdeck discard`"
            if base
            else f"its run's folder is gone; git merge {branch}, or git branch -D {branch}"
        )
        return Item("worktree", path, False, f"{branch} is not merged: {how}", size)
    try:
        dirty = _uncommitted(worktree)
    except WorkspaceError as error:
        return Item("worktree", path, False, error.what, size)
    if dirty:
        return Item("worktree", path, False, f"files that are not committed: {', '.join(dirty[:3])}", size)
    why = f"merged into {into[0].removeprefix('refs/heads/')}" if into else "its run changed nothing" if empty else "its branch is gone"
    return Item("worktree", path, True, why, size, worktree, branch)


def _uncommitted(worktree: Worktree) -> list[str]:
    kept = (LOOP_FOLDER, *admin.kept(worktree))
    entries = status.read(worktree.git()).entries
    return [one.path for one in entries if not any(one.path == own or one.path.startswith(own + "/") for own in kept)]


def _waiting(home: Path, ours: list[Worktree]) -> Iterator[Item]:
    """The pool, and what has been put aside."""
    pooled = [one for one in ours if one.path.parent == _pool(home)]
    if pooled:
        size = sum(size_of(one.path) for one in pooled)
        yield Item("pool", _pool(home), True, f"{len(pooled)} worktrees wait to be used again; without them a start takes longer", size)
    for folder in (home, _pool(home)):
        aside = folder / ".trash"
        if aside.is_dir() and any(aside.iterdir()):
            yield Item("trash", aside, True, "put aside to be deleted", size_of(aside))


def _caches(deck: Deck) -> Iterator[Item]:
    """What the tools of each loop have fetched, in its folder."""
    folder = Outlying(deck.home.path).caches
    if not folder.is_dir():
        return
    at_work = {one.run.loop for one in deck.views() if one.live}
    for entry in sorted(folder.iterdir()):
        if not any(any(each.iterdir()) for each in entry.iterdir() if each.is_dir()):
            continue
        busy = entry.name in at_work
        why = "a run of its loop is at work" if busy else "what tools have fetched in its sandbox; they fetch it again"
        yield Item("caches", entry, not busy, why, size_of(entry))


def _strangers(home: Path, ours: list[Worktree]) -> Iterator[Item]:
    known = {one.path for one in ours}
    if home.is_dir():
        for entry in sorted(home.iterdir()):
            if not entry.name.startswith(".") and entry not in known:
                yield Item("unknown", entry, False, "git knows no such worktree: look at it, then delete it by hand", size_of(entry))


def _never_began(paths: RunPaths) -> Iterator[Item]:
    try:
        began = paths.journal.exists() and paths.journal.stat().st_size > 0
        old = time.time() - paths.dir.stat().st_mtime > _SETTLED_S
    except OSError:
        return
    if not began and old and not paths.trace.exists():
        yield Item("run that never began", paths.dir, True, "it has no journal", size_of(paths.dir))


def _empty_pool(deck: Deck, folder: Path) -> None:
    with Mutex(deck.home.locks / "worktrees").held():
        for worktree in list(admin.ours(deck.repo)):
            if worktree.path.parent == folder:
                worktrees.remove(worktree)


def size_of(path: Path) -> int:
    """Bytes that `path` and all below it take on the disk."""
    total = _blocks(path)
    for folder, below, names in os.walk(path):
        total += sum(_blocks(Path(folder, name)) for name in (*below, *names))
    return total


def _blocks(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0
