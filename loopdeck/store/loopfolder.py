"""`.loop/` in a worktree: the state and the findings as the maker sees them, and the report it may leave.

The maker owns the worktree and may put a link or anything else where we write; so the folder is made anew if it isn't a plain one, and
files are opened without following links.
"""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from loopdeck.errors import Exhausted, WorkspaceError
from loopdeck.store.files import EXHAUSTED

NAME = ".loop"
STATE = "STATE.md"
FINDINGS = "FINDINGS.md"
REPORT = "REPORT.md"
SKILLS = "skills"
_MOST = 1 << 20


class LoopFolder:
    """The `.loop` folder of one worktree."""

    def __init__(self, worktree: Path) -> None:
        self._dir = worktree / NAME

    def write(self, name: str, text: str) -> None:
        """Put `text` into the file `name`, whatever was there. Raises WorkspaceError."""
        try:
            self._plain_folder()
            path = self._dir / name
            self._clear(path)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as error:
            kind = Exhausted if error.errno in EXHAUSTED else WorkspaceError
            raise kind(f"{NAME}/{name} can't be written: {error.strerror}", where=str(self._dir.parent)) from error

    def lay(self, name: str, texts: Mapping[str, str]) -> None:
        """Make the folder `name` anew, with a file, to be read only, for each path in it. Raises WorkspaceError."""
        try:
            self._plain_folder()
            self._clear(self._dir / name)
            for inner, text in texts.items():
                path = self._dir / name / inner
                path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", errors="replace", newline="")
                # A script keeps its word of how it is to be run.
                path.chmod(0o555 if text.startswith("#!") else 0o444)
        except OSError as error:
            kind = Exhausted if error.errno in EXHAUSTED else WorkspaceError
            raise kind(f"{NAME}/{name} can't be written: {error.strerror}", where=str(self._dir.parent)) from error

    def add(self, folder: str, name: str, content: bytes) -> None:
        """Put `content` into the file `name` of the folder `folder`, beside what is in it. Raises WorkspaceError."""
        try:
            self._plain_folder()
            place = self._dir / folder
            if not _is_folder(place):
                self._clear(place)
                place.mkdir(mode=0o755)
            # By the folders themselves: what a command of the maker puts in their places meanwhile is not written through.
            with _held(self._dir) as loop, _held(folder, within=loop) as inner:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=inner)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                with os.fdopen(os.open(name, flags, 0o644, dir_fd=inner), "wb") as file:
                    file.write(content)
        except OSError as error:
            kind = Exhausted if error.errno in EXHAUSTED else WorkspaceError
            raise kind(f"{NAME}/{folder}/{name} can't be written: {error.strerror}", where=str(self._dir.parent)) from error

    def read(self, name: str) -> str | None:
        """The file's text, or None if there is no plain file of that name in a plain folder. At most 1 MiB is read."""
        if not _is_folder(self._dir):
            return None
        try:
            descriptor = os.open(self._dir / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_MOST).decode("utf-8", "replace")

    def names(self) -> tuple[str, ...]:
        """What is in the folder, in order; nothing if there is no plain folder."""
        try:
            return tuple(sorted(os.listdir(self._dir))) if _is_folder(self._dir) else ()  # noqa: PTH208 - names are all that is needed
        except OSError:
            return ()

    def remove(self, name: str) -> None:
        """Take the file away, if it is there."""
        if _is_folder(self._dir):
            self._clear(self._dir / name)

    def _plain_folder(self) -> None:
        if not _is_folder(self._dir):
            self._clear(self._dir)
            self._dir.mkdir(mode=0o755)

    @staticmethod
    def _clear(path: Path) -> None:
        if _is_folder(path):
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _held(path: Path | str, *, within: int | None = None) -> Iterator[int]:
    """An open folder, which is no link. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
