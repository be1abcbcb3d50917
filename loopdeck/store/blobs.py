"""Large payloads of a run, each a file named by the SHA-256 of what is in it.

Invariant: a blob is written once and never changed; what comes out is what its name says, or an error. Whoever puts something in has
taken credentials out of it before, so that the name, too, is that of the harmless text.
"""

import hashlib
import re
from pathlib import Path

from loopdeck.errors import StoreError
from loopdeck.store.files import make_dir, read_bytes, write_atomic

MOST = 8 * 1024 * 1024
"""Bytes of the largest blob; of a larger payload the middle is left out, and the blob says how much."""

_NAME = re.compile(r"[0-9a-f]{64}")


class Blobs:
    """The blobs in `dir`, which is made with the first of them. `most` bytes are kept of each."""

    def __init__(self, dir: Path, most: int = MOST) -> None:
        self._dir = dir
        self._most = most

    def put(self, data: bytes) -> str:
        """Keep `data`, cut in its middle if it is larger than the cap, and give the blob's name. Raises StoreError."""
        kept = capped(data, self._most)
        name = hashlib.sha256(kept).hexdigest()
        path = self._dir / name
        if not path.exists():
            make_dir(self._dir)
            write_atomic(path, kept)
        return name

    def get(self, name: str) -> bytes:
        """The blob of that name. Raises StoreError if it isn't there or isn't what its name says."""
        data = read_bytes(self._dir / name) if _NAME.fullmatch(name) else None
        if data is None:
            raise StoreError("there is no such blob", where=str(self._dir / name), remedy="It may have been cleaned up.")
        if hashlib.sha256(data).hexdigest() != name:
            raise StoreError("the blob is damaged: its content is not what its name says", where=str(self._dir / name))
        return data

    def size(self, name: str) -> int | None:
        """Bytes of the blob; None if it isn't there."""
        path = self._dir / name
        return path.stat().st_size if _NAME.fullmatch(name) and path.is_file() else None


def capped(data: bytes, most: int) -> bytes:
    """`data`, or its beginning and end with a line between them that says how much is missing; about `most` bytes."""
    if len(data) <= most:
        return data
    half = most // 2
    note = f"\n[loopdeck: {len(data) - 2 * half:,} of {len(data):,} bytes left out here; a blob holds at most {most:,}]\n"
    return data[:half] + note.encode() + data[len(data) - half :]
