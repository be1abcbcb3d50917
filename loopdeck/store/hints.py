"""Hints that something has changed on disk: the kernel's inotify, where there is one.

Only a hint to look now: what is not told (another system, a network's disk, a limit reached, a queue that ran over) is found by
looking. A few lines of our own, because the wrapper from the package index starts processes to find the C library.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MODIFY = 0x2
CLOSE_WRITE = 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
ENTRIES = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
"""Something came into a folder or left it, or the folder itself went."""
REPLACED = _DELETE_SELF | _MOVE_SELF
OVERRUN = 0x4000
_IGNORED = 0x8000
_NONBLOCK, _CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_HEAD = struct.Struct("iIII")
_READ = 1 << 16


class Hint(NamedTuple):
    """Something happened at the watch of that number; `gone` says that nothing more will come of it."""

    watch: int
    mask: int
    gone: bool


class Hints:
    """What the kernel tells of watched files and folders. `close` it."""

    def __init__(self, library: ctypes.CDLL, descriptor: int) -> None:
        self._library = library
        self._descriptor = descriptor

    @classmethod
    def open(cls) -> "Hints | None":
        """None where there is no inotify, or no more of it."""
        if not sys.platform.startswith("linux"):
            return None
        try:
            library = ctypes.CDLL(None, use_errno=True)
            descriptor = int(library.inotify_init1(_NONBLOCK | _CLOEXEC))
        except (OSError, AttributeError):
            return None
        return cls(library, descriptor) if descriptor >= 0 else None

    def fileno(self) -> int:
        """What to wait on until there is something to `read`."""
        return self._descriptor

    def watch(self, path: Path, mask: int) -> int | None:
        """Tell of `path` from now on; its number, or None if it isn't there. Raises OSError if the kernel takes no more."""
        number = int(self._library.inotify_add_watch(self._descriptor, os.fsencode(path), ctypes.c_uint32(mask)))
        if number >= 0:
            return number
        code = ctypes.get_errno()
        if code in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP):
            return None
        raise OSError(code, os.strerror(code), str(path))

    def drop(self, number: int) -> None:
        """Tell no more of it; nothing happens if it is gone already."""
        self._library.inotify_rm_watch(self._descriptor, ctypes.c_int(number))

    def read(self) -> Iterator[Hint]:
        """What has been told since; never waits."""
        while True:
            try:
                told = os.read(self._descriptor, _READ)
            except BlockingIOError:
                return
            at = 0
            while at < len(told):
                number, mask, _, size = _HEAD.unpack_from(told, at)
                at += _HEAD.size + size
                yield Hint(number, mask, bool(mask & _IGNORED))

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
