"""The worktree's border. Paths come from a model, links from anybody: nothing here leads outside, into `.git`, or through a device.

Reading follows links that stay inside. Writing follows none, because a link could turn a harmless name into a protected one, and
replaces the file as a whole, so that a hard link's other name keeps its content. Folders are walked one by one without following,
so a path that was looked at is the path that is used.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from loopdeck.core import gatedpaths
from loopdeck.tools.port import ToolFailed

SCRATCH = ".loop"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def normal(path: str) -> str:
    """`path` in its shortest form. Raises ToolFailed if it leads outside the worktree or into `.git`."""
    found = gatedpaths.normal(path)
    if found is None:
        raise ToolFailed(f"{path!r} is outside the worktree. Give a path relative to its root, such as `src/main.py`.")
    if ".git" in gatedpaths.folded(found).split("/"):
        raise ToolFailed(f"{path!r} is inside .git, which is not for tools.")
    return found


def resolved(worktree: Path, path: str) -> str:
    """The path that `path` really is, all links followed, relative to the worktree. Raises ToolFailed as `normal` does."""
    inside = os.path.realpath(worktree)
    real = os.path.realpath(Path(inside, normal(path)))
    if real != inside and not real.startswith(inside + os.sep):
        raise ToolFailed(f"{path!r} is a link that leads outside the worktree.")
    return normal(os.path.relpath(real, inside))


@contextlib.contextmanager
def opened(worktree: Path, path: str) -> Iterator[IO[bytes]]:
    """The regular file `path`, links followed as far as they stay inside, to be read. Raises ToolFailed."""
    real = resolved(worktree, path)
    with _folder(worktree, real, path) as folder:
        name = real.rpartition("/")[2]
        try:
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError as error:
            raise ToolFailed(f"{path!r} can't be read: {error.strerror}.") from error
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            os.close(handle)
            folder_or = "a folder. Use glob to see what is in it" if stat.S_ISDIR(mode) else "not a regular file"
            raise ToolFailed(f"{path!r} is {folder_or}.")
        with os.fdopen(handle, "rb") as file:
            yield file


def replace(worktree: Path, path: str, content: bytes) -> bool:
    """Make `content` the whole of `path`, its mode kept, folders made on the way; returns True if the file is new.

    Raises ToolFailed if a part of the path is a link, or anything else that can't be written.
    """
    wanted = normal(path)
    name = wanted.rpartition("/")[2]
    with _folder(worktree, f"{SCRATCH}/x", path, make=True) as scratch, _folder(worktree, wanted, path, make=True) as folder:
        before = _status(folder, name)
        if before is not None and not stat.S_ISREG(before.st_mode):
            raise ToolFailed(_not_a_file(path, name, folder, before))
        mode = stat.S_IMODE(before.st_mode) & 0o777 if before else 0o644
        aside = f"{os.getpid()}.tmp"
        try:
            _write_whole(aside, content, mode, scratch)
            os.replace(aside, name, src_dir_fd=scratch, dst_dir_fd=folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(aside, dir_fd=scratch)
            raise ToolFailed(f"{path!r} can't be written: {error.strerror}.") from error
        return before is None


def _write_whole(name: str, content: bytes, mode: int, folder: int) -> None:
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        os.fchmod(handle, mode)


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ToolFailed(f"{name!r} can't be looked at: {error.strerror}.") from error


def _not_a_file(path: str, name: str, folder: int, found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return f"{path!r} is written through the link {name!r} to {os.readlink(name, dir_fd=folder)!r}. Name the file itself."
    return f"{path!r} is a folder." if stat.S_ISDIR(found.st_mode) else f"{path!r} is not a regular file."


@contextlib.contextmanager
def _folder(worktree: Path, real: str, path: str, *, make: bool = False) -> Iterator[int]:
    """The folder of the file `real`, opened step by step without following links; `path` is its name for messages."""
    try:
        handle = os.open(worktree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ToolFailed(f"The worktree is gone: {error.strerror}.") from error
    try:
        for part in real.split("/")[:-1]:
            deeper = _step(handle, part, path, make=make)
            os.close(handle)
            handle = deeper
        yield handle
    finally:
        os.close(handle)


def _step(folder: int, part: str, path: str, *, make: bool) -> int:
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=folder)
        return os.open(part, _FOLDER, dir_fd=folder)
    except OSError as error:
        found = _status(folder, part)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            link = stat.S_ISLNK(found.st_mode)
            raise ToolFailed(_not_a_file(path, part, folder, found) if link else f"{part!r} in {path!r} is a file.") from error
        raise ToolFailed(f"{path!r} can't be reached: {error.strerror}.") from error
