"""A shelf for small things that can be made again, such as looked-up prices: one private file each.

Invariant: nothing depends on what is here. It can be deleted at any time, and what can't be kept is simply made again.
"""

import re
from contextlib import suppress
from pathlib import Path

from loopdeck.errors import StoreError
from loopdeck.store.files import make_dir, read_bytes, write_atomic

_NAME = re.compile(r"[0-9a-f]{16,64}")


class FileShelf:
    """The shelf in `dir`, which is made with the first thing on it, if the deck's home is there."""

    def __init__(self, dir: Path) -> None:
        self._dir = dir

    def get(self, name: str) -> bytes | None:
        """What was put there under `name` (hex digits); None if nothing was, or it can't be read."""
        with suppress(StoreError):
            return read_bytes(self._dir / name) if _NAME.fullmatch(name) else None
        return None

    def put(self, name: str, data: bytes) -> None:
        """Keep `data`, if there is a home to keep it in, and it can be written."""
        if _NAME.fullmatch(name) and self._dir.parent.is_dir():
            with suppress(StoreError):
                make_dir(self._dir)
                write_atomic(self._dir / name, data)
