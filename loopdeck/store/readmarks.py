"""What the operator has read: of each run, the files that were looked at, and what they were then. One file for the whole deck.

Invariant: a mark says that this content was read, never merely this path, so a file that changes afterwards is unread again. The file
is replaced whole, by one writer at a time; what can't be understood in it is an error, never an empty list.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from loopdeck.errors import StoreError
from loopdeck.store.files import make_dir, read_bytes, write_atomic
from loopdeck.store.locks import Mutex

Marks = dict[str, dict[str, str]]
"""Run → path → what the file was when it was read (its mode and blob, as `git.diff.outcomes` gives it)."""

_FORMAT = 1


class ReadMarks:
    """The marks in the file `path`, guarded by the lock file `lock`."""

    def __init__(self, path: Path, lock: Path) -> None:
        self.path = path
        self._lock = lock

    def all(self) -> Marks:
        """All marks there are. Raises StoreError."""
        data = read_bytes(self.path)
        return {} if data is None else self._understood(data)

    def stamp(self) -> tuple[int, int]:
        """What changes whenever the marks do; (0, 0) if there are none."""
        try:
            seen = self.path.stat()
        except OSError:
            return 0, 0
        return seen.st_mtime_ns, seen.st_ino

    def mark(self, run: str, files: Mapping[str, str]) -> None:
        """Note that of `run` these files were read, as they are given; durable. Raises StoreError."""
        make_dir(self.path.parent)
        with Mutex(self._lock).held():
            marks = self.all()
            marks[run] = {**marks.get(run, {}), **files}
            # JSON escapes what is no Unicode in a file's name, and gives it back as it was.
            text = json.dumps({"format": _FORMAT, "read": marks}, indent=0, sort_keys=True)
            write_atomic(self.path, text.encode(), durable=True)

    def _understood(self, data: bytes) -> Marks:
        try:
            found = json.loads(data)
            if found["format"] != _FORMAT:
                raise ValueError("format")
            return {
                str(run): {str(path): str(was) for path, was in files.items()} for run, files in found["read"].items()
            }  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            remedy = "Move it away; then everything counts as unread again."
            raise StoreError("the notes of what was read can't be understood", where=str(self.path), remedy=remedy) from error
