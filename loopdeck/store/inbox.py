"""Commands from people to a run: one file each, put in whole and never overwritten.

Invariant: of two who give the same name one is told that he came second. The reader takes nothing that somebody else could have put
there, and never waits for a file.
"""

import os
import re
import stat
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from loopdeck.errors import UsageError
from loopdeck.store.files import failure, make_dir, sync_dir, write_aside

MOST = 1 << 20
"""Bytes of the largest command."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
_END = ".json"
_SETTLED_NS = 1_000_000_000
"""A folder that changed less than this ago may change again without its time showing it."""


def put(dir: Path, name: str, payload: bytes) -> bool:
    """Put a command into the inbox `dir` for good; False if there is one of that `name`: somebody was first.

    Names that begin with a time, such as `20261121T071503123456-pause-3f`, are taken up in that order if they arrive at once.
    Raises StoreError, and UsageError for a name or size that can't be.
    """
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"{name!r} can't be the name of a command", remedy="Use letters, digits, `-`, `_` and `.`.")
    if len(payload) > MOST:
        raise UsageError(f"the command has {len(payload):,} bytes, more than {MOST:,}", remedy="Shorten it.")
    make_dir(dir)
    path = dir / (name + _END)
    try:
        temporary = write_aside(path, payload, durable=True)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        sync_dir(dir)
    except OSError as error:
        raise failure("put the command into the inbox", path, error) from error
    return True


def look(dir: Path, name: str) -> bytes | None:
    """The command of that `name`, taken up or not; None if there is none that is to be trusted."""
    taken = _take(dir / (name + _END)) if _NAME.fullmatch(name) else None
    return None if taken is None else taken[1]


class Inbox:
    """The reader's end of the inbox `dir`."""

    def __init__(self, dir: Path) -> None:
        self._dir = dir
        self._quiet_since = 0

    def pending(self, done: Collection[str]) -> list[tuple[str, bytes]]:
        """Names and payloads of the commands that aren't in `done`, in the order of arrival. Costs one `stat` if nothing came.

        Left out: what is being written, links, files that belong to somebody else or that others may write, and what is too large.
        Raises StoreError.
        """
        try:
            changed = self._dir.stat().st_mtime_ns
            if changed == self._quiet_since:
                return []
            looked = time.time_ns()
            names = [entry.name for entry in os.scandir(self._dir)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failure("look into the inbox", self._dir, error) from error
        found = []
        for name in names:
            stem = name.removesuffix(_END)
            if stem != name and stem not in done and _NAME.fullmatch(stem):
                taken = _take(self._dir / name)
                if taken is not None:
                    found.append((taken[0], stem, taken[1]))
        if not found and looked - changed > _SETTLED_NS:
            self._quiet_since = changed
        return [(stem, payload) for _, stem, payload in sorted(found)]


def _take(path: Path) -> tuple[int, bytes] | None:
    """When the file was written, and what is in it; None if it is not to be trusted."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with suppress(OSError), os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        ours = stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & 0o022
        if ours and about.st_size <= MOST:
            return about.st_mtime_ns, file.read(MOST)
    return None
