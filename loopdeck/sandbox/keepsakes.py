"""Sealed places where no mount can hold them: kept before a command, looked at after it, and put back as they were.

For doors that can let a command write to a folder as a whole or not at all. Nobody but the command is at work in the worktree
meanwhile, so what it has made of a sealed place is seen by nobody. Invariant: nothing is written or deleted through a link.
"""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from loopdeck.sandbox.seals import Seals, remove, ways

Look = tuple[tuple[str, int, int, int, int, int], ...]
"""What is there, by path: mode, size, times and number. A file's change time can't be set, so what looks the same is the same."""


class Keepsakes:
    """The sealed places of a worktree, kept in `folder`, which no command sees."""

    def __init__(self, tree: Path, seals: Seals, folder: Path) -> None:
        self._tree = tree
        self._seals = seals
        self._folder = folder
        self._looks: dict[str, Look] = {}
        self._missing: tuple[str, ...] = ()

    def take(self) -> None:
        """Keep what is there, as far as it is not kept already."""
        there, self._missing = self._seals.places()
        there = (".git", *there)
        self._looks = {path: self._looks.get(path, ()) for path in there}
        for path, before in self._looks.items():
            now = _look(self._tree / path)
            if now == before:
                continue
            kept = self._kept(path)
            remove(kept)
            kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _copy(self._tree / path, kept)
            self._looks[path] = now

    def put_back(self) -> tuple[str, ...]:
        """Make them what they were; gives those that were not."""
        changed = []
        for path, before in self._looks.items():
            place = self._tree / path
            if self._reached(path) and _look(place) == before:
                continue
            changed.append(path)
            self._make_way(path)
            remove(place)
            if before:
                _copy(self._kept(path), place)
                self._looks[path] = _look(place)
        for path in self._missing:
            place = self._tree / path
            if self._reached(path) and os.path.lexists(place):
                changed.append(path)
                remove(place)
        self._seals.mend()
        return tuple(changed)

    def _kept(self, path: str) -> Path:
        return self._folder / path.replace("%", "%25").replace("/", "%2F")

    def _reached(self, path: str) -> bool:
        return all(_is_folder(self._tree / way) for way in ways(path))

    def _make_way(self, path: str) -> None:
        for way in ways(path):
            place = self._tree / way
            if not _is_folder(place):
                remove(place)
                place.mkdir()


def _is_folder(place: Path) -> bool:
    try:
        return stat.S_ISDIR(place.lstat().st_mode)
    except OSError:
        return False


def _look(place: Path) -> Look:
    return tuple(_seen(place))


def _seen(place: Path) -> Iterator[tuple[str, int, int, int, int, int]]:
    try:
        found = place.lstat()
    except OSError:
        return
    # A folder's own times change with what is kept out of it again.
    folder = stat.S_ISDIR(found.st_mode)
    yield (str(place), found.st_mode, *((0, 0, 0) if folder else (found.st_size, found.st_mtime_ns, found.st_ctime_ns)), found.st_ino)
    if folder:
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(place)):  # noqa: PTH208 - the names alone
                yield from _seen(place / name)


def _copy(source: Path, place: Path) -> None:
    if source.is_symlink():
        place.symlink_to(source.readlink())
    elif source.is_dir():
        shutil.copytree(source, place, symlinks=True)
    elif source.is_file():
        shutil.copy2(source, place)
