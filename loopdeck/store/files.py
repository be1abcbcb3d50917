"""Private files and folders: made 0700 and 0600 whatever the umask, written whole or not at all.

Invariant: whoever reads a file written here sees the old content or the new, never a part; a failure leaves no half-made file.
"""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from loopdeck.errors import Exhausted, StoreError

DIR_MODE = 0o700
FILE_MODE = 0o600

_REMEDIES = {
    errno.ENOSPC: "The disk is full; free some space, then resume the run.",
    errno.EDQUOT: "Your disk quota is used up; free some space, then resume the run.",
    errno.EFBIG: "The file has reached the size the system allows; raise the limit (ulimit -f).",
    errno.EROFS: "The file system is read-only; set LOOPDECK_HOME to a place that can be written.",
    errno.EACCES: "Permission denied; the deck's home must belong to you.",
    errno.EPERM: "Permission denied; the deck's home must belong to you.",
    errno.EMFILE: "Too many files are open; raise the limit (ulimit -n), then resume the run.",
    errno.ENFILE: "The machine has too many files open; end what you can, then resume the run.",
    errno.ENOMEM: "Memory is short; end what you can, then resume the run.",
    errno.EIO: "The disk reports an error; look at the system's log before you go on.",
    errno.ENOENT: "It has gone; somebody may have cleaned up the deck's home.",
    errno.ELOOP: "A link stands where a file of loopdeck's own must be; remove it.",
}


EXHAUSTED = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM))
"""What the system says when it has run out of something, and may have it again."""


def failure(doing: str, path: Path, error: OSError) -> StoreError:
    """What to raise when the system refused `doing` with `path`: says what, where and how to mend it."""
    said = error.strerror or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0, "Look at the file's place and rights, then try again.")
    kind = Exhausted if error.errno in EXHAUSTED else StoreError
    return kind(f"can't {doing}: {said}", where=str(path), remedy=remedy)


def make_dir(path: Path) -> None:
    """Make `path` and what is missing above it, each 0700. One that is there is left as it is. Raises StoreError."""
    if path.is_dir():
        return
    if path.parent != path:
        make_dir(path.parent)
    try:
        path.mkdir(DIR_MODE)
        path.chmod(DIR_MODE)
    except FileExistsError:
        if not path.is_dir():
            raise StoreError("is in the way of a folder", where=str(path), remedy="Move it elsewhere.") from None
    except OSError as error:
        raise failure("make the folder", path, error) from error


def open_private(path: Path, flags: int) -> int:
    """A descriptor of `path`, made 0600 if it isn't there; never through a link in its last part. Raises OSError."""
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    except FileExistsError:
        if flags & os.O_EXCL:
            raise
        return os.open(path, (flags & ~os.O_TRUNC) | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    # The umask may have taken even our own rights.
    os.fchmod(descriptor, FILE_MODE)
    return descriptor


def write_all(descriptor: int, data: bytes) -> None:
    """Write `data`, however many short writes it takes. Raises OSError."""
    rest = memoryview(data)
    while rest:
        written = os.write(descriptor, rest)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest = rest[written:]


def aside(path: Path) -> Path:
    """A free name beside `path`; it begins with a dot and ends with `.tmp`."""
    return path.with_name(f".{path.name[:80]}.{os.getpid():x}-{os.urandom(6).hex()}.tmp")


def write_aside(path: Path, data: bytes, *, durable: bool = False) -> Path:
    """Write `data` to a free name beside `path`, ready to be renamed or linked. Raises OSError, leaving nothing behind."""
    temporary = aside(path)
    descriptor = open_private(temporary, os.O_WRONLY | os.O_EXCL)
    try:
        write_all(descriptor, data)
        if durable:
            data_sync(descriptor)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    finally:
        os.close(descriptor)
    return temporary


def write_atomic(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put `data` in place of `path` in one step; `durable` returns only when it would survive a power cut. Raises StoreError."""
    try:
        temporary = write_aside(path, data, durable=durable)
        try:
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        if durable:
            sync_dir(path.parent)
    except OSError as error:
        raise failure("write the file", path, error) from error


def data_sync(descriptor: int) -> None:
    """Make what was written to `descriptor` survive a power cut. Raises OSError."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        # On macOS an fsync alone stops at the drive's own cache.
        fcntl.fcntl(descriptor, full)
    else:
        os.fdatasync(descriptor)


def sync_dir(path: Path) -> None:
    """Make names in `path` survive a power cut. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_there(path: Path) -> bool:
    """True if there is anything of that name, be it a link that leads nowhere."""
    try:
        path.lstat()
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR)
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """True if `path` still is the file that `descriptor` is open on."""
    try:
        there = path.stat(follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def read_bytes(path: Path) -> bytes | None:
    """All of `path`, or None if it isn't there. Raises StoreError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure("read the file", path, error) from error
