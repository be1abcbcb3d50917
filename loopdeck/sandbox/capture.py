"""A command's output held in bounded memory: the head, the tail, and the hash and size of the whole."""

import hashlib

from loopdeck.core import ends


class Capture:
    """Takes output as it comes. Holds at most twice `limit` bytes, whatever is poured in."""

    def __init__(self, limit: int) -> None:
        self._limit = max(0, limit)
        self._head = bytearray()
        self._tail = bytearray()
        self._hash = hashlib.sha256()
        self.size = 0

    def add(self, chunk: bytes) -> None:
        """The next bytes."""
        self.size += len(chunk)
        self._hash.update(chunk)
        room = self._limit // 2 - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        if not chunk:
            return
        kept = self._limit - self._limit // 2
        self._tail += chunk[-kept:] if kept else b""
        if len(self._tail) > 2 * kept:
            del self._tail[:-kept]

    @property
    def output(self) -> bytes:
        """At most `limit` bytes: everything, or head and tail around a line that says how much is missing between them."""
        if self.size <= self._limit:
            return bytes(self._head + self._tail)
        # The note gives way where there is hardly room for output.
        note = f"\n[... {self.size - self._limit} bytes and more left out ...]\n".encode()
        note = note if len(note) * 4 <= self._limit else b""
        room = self._limit - len(self._head) - len(note)
        if not note:
            return bytes(self._head) + (bytes(self._tail[-room:]) if room else b"")
        return ends.head(bytes(self._head) + b" ", len(self._head)) + note + ends.tail(bytes(self._tail), room)

    @property
    def hash(self) -> str:
        """The SHA-256 of all that came, in hex."""
        return self._hash.hexdigest()
