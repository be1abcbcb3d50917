"""Small text files of the operator, read whole or refused with a reason.

The invariant: never more than `MOST` bytes are read, and never a pipe, a device or a folder; what comes back is text that was
written as UTF-8, or a `Problem` that says why not.
"""

import errno
import os
import stat
from pathlib import Path

from loopdeck.core.spec import Problem

MOST = 1 << 20
"""Bytes of the largest file that is read."""

_MARKS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_BOM = b"\xef\xbb\xbf"


def read_text(path: Path, file: str) -> str | Problem:
    """The text of `path`, which problems call `file`. Line ends are kept as they are."""
    data = _read(path)
    if isinstance(data, str):
        what, _, remedy = data.partition("\n")
        return Problem(file, 1, what, remedy)
    for mark, name in _MARKS:
        if data.startswith(mark):
            return Problem(file, 1, f"is {name}, not UTF-8", "Save it as UTF-8.")
    if data.startswith(_BOM):
        return Problem(file, 1, "begins with a byte order mark", "Save it as UTF-8 without a byte order mark.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Problem(file, line, f"is not UTF-8: byte 0x{data[error.start]:02x}", "Save it as UTF-8.")


def _read(path: Path) -> bytes | str:
    """The bytes, or what is wrong and how to mend it, with a line break between."""
    try:
        # Not blocking, so that a pipe of that name can't hold us up before we see what it is.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return _why(path, error)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        return f"is {'a folder' if stat.S_ISDIR(mode) else 'not a plain file'}\nPut a text file in its place."
    try:
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        return _why(path, error)
    return data if len(data) <= MOST else "is larger than 1 MiB\nNothing here needs to be; shorten it."


def _why(path: Path, error: OSError) -> str:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR if path.is_symlink():
            return "is a link that leads nowhere\nMend the link, or put the file in its place."
        case errno.ENOENT | errno.ENOTDIR:
            return "is not there\nMake it, or mend its name."
        case errno.ELOOP:
            return "is a link that leads to itself\nPut the file in its place."
        case errno.EACCES | errno.EPERM:
            return "can't be read: permission denied\nGive yourself the right to read it."
        case _:
            return f"can't be read: {error.strerror}\nSee whether the file and its disk are in order."
