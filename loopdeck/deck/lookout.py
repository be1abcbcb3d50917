"""Whom to tell when a file changes: which watches there are, and for whom.

Invariant: nobody depends on being told. Where the kernel tells nothing, or not of everything, `blind` says so, and everybody has to
look.
"""

from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from loopdeck.store.hints import CLOSE_WRITE, ENTRIES, MODIFY, OVERRUN, REPLACED, Hints
from loopdeck.store.layout import is_remote

T = TypeVar("T")

GROWS = MODIFY | REPLACED
"""A file is written to."""
LET_GO = CLOSE_WRITE | REPLACED
"""A process that had a file open for writing has closed it, or died."""
CONTENTS = ENTRIES
"""Something came into a folder, or left it."""
EDITED = ENTRIES | CLOSE_WRITE
"""The same, or a file in it was written anew in its place."""


class Told(NamedTuple, Generic[T]):
    """Somebody's file has changed."""

    whom: T
    path: Path


class Lookout(Generic[T]):
    """Watches for many; not for several threads at once. `close` it."""

    def __init__(self, *, hints: bool = True) -> None:
        self._hints = Hints.open() if hints else None
        self._blind = self._hints is None
        self._watches: dict[int, Told[T]] = {}
        self._numbers: dict[Path, int] = {}

    @property
    def blind(self) -> bool:
        """True if not everything that changes is told."""
        return self._blind

    def fileno(self) -> int | None:
        """What can be waited on; None if nothing is ever told."""
        return None if self._hints is None else self._hints.fileno()

    def want(self, whom: T, path: Path, what: int) -> None:
        """Tell `whom` when that happens at `path`. One that isn't there yet is not watched: ask again later."""
        if self._hints is None or path in self._numbers:
            return
        try:
            number = self._hints.watch(path, what)
        except OSError:
            self._blind = True
            return
        if number is not None:
            # Two names of one file have one watch, and the first name keeps it.
            self._watches.setdefault(number, Told(whom, path))
            self._numbers[path] = number

    def forget(self, path: Path) -> None:
        """Nobody wants to be told of `path` any more."""
        number = self._numbers.pop(path, None)
        if number is not None and self._hints is not None:
            self._watches.pop(number, None)
            self._hints.drop(number)

    def told(self) -> list[Told[T]] | None:
        """Whose files have changed since, each told once; None if some of it was lost, so that everybody has to look."""
        if self._hints is None:
            return []
        found: dict[Told[T], None] = {}
        lost = False
        for hint in self._hints.read():
            lost = lost or bool(hint.mask & OVERRUN)
            known = self._watches.get(hint.watch)
            if known is None:
                continue
            found[known] = None
            if hint.gone or hint.mask & REPLACED:
                self.forget(known.path)
        return None if lost else list(found)

    def distrust(self, place: Path) -> None:
        """`place` will be watched: where others write to it from another machine, nothing is told."""
        if is_remote(place):
            self._blind = True

    def close(self) -> None:
        """Watch nothing any more."""
        if self._hints is not None:
            self._hints.close()
        self._hints = None
