"""Following a log as it grows.

Invariant: every entry is handed out once and in order, none before its line is whole; a file that was replaced or cut behind our back
is told apart from one that grew.
"""

import os
from pathlib import Path
from typing import Generic

from loopdeck.core.unknown import Unknown
from loopdeck.store.files import failure
from loopdeck.store.lines import START, Batch, Damage, E, Entry, LogFormat, Mark
from loopdeck.store.reading import CHUNK, batches, fits


class Tail(Generic[E]):
    """Follows a log as it grows, from a mark on. `generation` counts how often the file was replaced or cut behind our back.

    When it changes, the entries begin anew from the file's first: whoever folds them starts afresh. Until then `damage` says where
    reading stopped; it is looked at again when the file changes.
    """

    def __init__(self, form: LogFormat[E], path: Path, mark: Mark = START) -> None:
        self.mark = mark
        self.damage: Damage | None = None
        self.generation = 0
        self._form = form
        self._path = path
        # Asked again and again: to put a path together takes as long as to ask.
        self._name = os.fspath(path)
        self._seen: tuple[int, int, int] = (0, 0, 0)

    def poll(self, limit: int = 64 * CHUNK) -> list[Entry[E | Unknown]]:
        """What is new, about `limit` bytes at a time. Costs one `stat` if there is nothing. Raises StoreError."""
        try:
            found = os.stat(self._name)  # noqa: PTH116 - a path would be put together again each time
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failure("look at the log", self._path, error) from error
        now = (found.st_ino, found.st_size, found.st_mtime_ns)
        if now == self._seen:
            return []
        if (self._seen[0] and self._seen[0] != now[0]) or now[1] < self.mark.offset:
            self._restart()
        entries: list[Entry[E | Unknown]] = []
        # If it is there still, it is found again; cut off at the mark, there is nothing to find.
        self.damage = None
        start = self.mark
        added = now[1] - start.offset
        for batch in (self._little(added) if 0 < added <= CHUNK else None) or batches(self._form, self._path, start):
            entries += batch.entries
            self.mark, self.damage = batch.mark, batch.damage
            if self.mark.offset - start.offset >= limit:
                # Not all was read, so the same file must not look familiar.
                self._seen = (now[0], 0, 0)
                return entries
        if self.damage is not None and not entries and not fits(self._path, self.mark):
            self._restart()
            return self.poll(limit)
        self._seen = now
        return entries

    def _little(self, size: int) -> tuple[Batch[E], ...] | None:
        """What the file has gained, as a rule a line or two, read in one go; None if that needs a closer look."""
        try:
            descriptor = os.open(self._name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            data = os.pread(descriptor, size, self.mark.offset)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        cut = data.rfind(b"\n") + 1
        if not cut:
            return None
        batch = self._form.take(data[:cut], self.mark)
        return (batch,) if batch.damage is None else None

    def _restart(self) -> None:
        self.generation += 1
        self.mark, self.damage, self._seen = START, None, (0, 0, 0)
