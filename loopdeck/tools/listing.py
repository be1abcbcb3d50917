"""Which files of a worktree there are to find: by glob, without following links, within bounds of number and time."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from loopdeck.core import globs

HEAVY = frozenset(
    ("node_modules", "__pycache__", ".venv", "venv", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis")
)
"""Folders of things made by tools; looked into only if a pattern or path names one."""
_MOST_LOOKED_AT = 200_000
_MOST_SECONDS = 10.0


@dataclass(slots=True)
class Listing:
    """Paths found, relative to the worktree, sorted. `cut` says that there may be more; `passed` are heavy folders left out."""

    paths: list[str] = field(default_factory=list)
    cut: bool = False
    passed: set[str] = field(default_factory=set)


def files(worktree: Path, root: str, pattern: str, *, folders: bool = False) -> Listing:
    """Regular files below the folder `root` (`.` for all) whose path from the worktree matches `pattern`; folders end with `/`."""
    found = Listing()
    named = {part for part in (*pattern.split("/"), *root.split("/")) if part in HEAVY}
    until = time.monotonic() + _MOST_SECONDS
    for looked_at, (path, is_folder) in enumerate(_walk(worktree, "" if root == "." else root, named, found.passed), 1):
        if looked_at > _MOST_LOOKED_AT or (looked_at % 256 == 0 and time.monotonic() > until):
            found.cut = True
            break
        if (folders or not is_folder) and globs.matches(path, pattern):
            found.paths.append(path + "/" if is_folder else path)
    found.paths.sort()
    return found


def _walk(worktree: Path, root: str, named: set[str], passed: set[str]) -> Iterator[tuple[str, bool]]:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(worktree / folder))
        except OSError:
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name == ".git":
                    continue
                if entry.name in HEAVY and entry.name not in named:
                    passed.add(path)
                    continue
                waiting.append(path)
                yield path, True
            elif entry.is_file(follow_symlinks=False) and entry.name != ".git":
                yield path, False
