"""A loop's STATE.md, which maker, checks and operator all write, and every version of it.

Invariant: no version is ever lost. Each text that has been the state is kept under `versions/` with its author, the ones that somebody
wrote into the file by hand too; whoever writes says which version he started from and is told if it is no longer the newest.
"""

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from msgspec import Struct

from loopdeck.core import memory
from loopdeck.errors import StoreError
from loopdeck.store.files import failure, make_dir, read_bytes, write_aside, write_atomic
from loopdeck.store.locks import Mutex

Author = Literal["maker", "check", "operator"]

_VERSION = re.compile(r"(\d{8}T\d{6}Z)-(\d{4,})-(maker|check|operator)(?:-([A-Za-z0-9._-]+))?\.md")
_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_PENDING = ".pending"


class StateText(Struct, frozen=True):
    """A state and the SHA-256 of its bytes."""

    text: str
    hash: str


class Version(Struct, frozen=True):
    """One version in the history. `note` is what its writer said, such as `<run>-i2`; `at` is UTC, RFC 3339.

    `kept` says that it never was the state: one side of a clash.
    """

    path: Path
    number: int
    author: Author
    at: str
    note: str

    @property
    def kept(self) -> bool:
        """True if it was put aside without becoming the state."""
        return self.note == _KEPT or self.note.endswith(f"-{_KEPT}")


_KEPT = "kept"


class StateClash(StoreError):
    """The state is no longer the one the writer started from; `current` is what it is now."""

    def __init__(self, path: Path, current: StateText) -> None:
        super().__init__("the state was changed meanwhile", where=str(path), remedy="Merge with what it is now, and write again.")
        self.current = current


class StateTooLarge(StoreError):
    """The state is above its size limit; `size` is the bytes of what people and makers wrote, the checks' block not counted."""

    def __init__(self, path: Path, size: int) -> None:
        what = f"the state has {size:,} bytes, more than the {memory.MOST:,} that fit into every prompt"
        super().__init__(what, where=str(path), remedy="Shorten it: move what is done or learned into files of the repository.")


class LoopState:
    """The state of one loop in `dir`, made from `initial` when it is first read. `redact` goes over all that is written."""

    def __init__(
        self,
        dir: Path,
        initial: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        redact: Callable[[str], str] = lambda text: text,
    ) -> None:
        self._redact = redact
        self.path = dir / "STATE.md"
        self._dir = dir
        self._versions = dir / "versions"
        self._initial = initial
        self._clock = clock

    def read(self) -> StateText:
        """The state now. What somebody wrote by hand becomes a version of the operator's. Raises StoreError, StateTooLarge."""
        with self._alone():
            data, _ = self._current()
        self._measure(data)
        return _text(data)

    def peek(self) -> StateText | None:
        """The state now, for looking only: nothing is made, locked or recorded. None if there is none yet. Raises StoreError."""
        data = read_bytes(self.path)
        return None if data is None else _text(data)

    def write(self, text: str, author: Author, note: str, expect_hash: str) -> StateText:
        """Make `text` the state, if the state still is the one with `expect_hash`, durably.

        Raises StateClash with the state as it is now, StateTooLarge, StoreError; then nothing has been changed.
        """
        data = self._redact(text).encode("utf-8", "replace")
        self._measure(data)
        with self._alone():
            before, number = self._current()
            if _hash(before) != expect_hash:
                raise StateClash(self.path, _text(before))
            if data != before:
                self._replace(data, author, note, number + 1)
        return _text(data)

    def keep_version(self, text: str, author: Author, note: str) -> str:
        """Keep `text` among the versions without making it the state: one side of a clash. Gives its file name. Raises StoreError."""
        with self._alone():
            _, number = self._current()
            name = self._name(number + 1, author, f"{note}-{_KEPT}" if note else _KEPT)
            write_atomic(self._versions / name, self._redact(text).encode("utf-8", "replace"), durable=True)
        return name

    def version(self, name: str) -> str:
        """The text of the version in the file `name`. Raises StoreError."""
        data = read_bytes(self._versions / name) if _VERSION.fullmatch(name) else None
        if data is None:
            remedy = "See `loopdeck state LOOP --history`."
            raise StoreError("there is no such version of the state", where=str(self._versions / name), remedy=remedy)
        return data.decode("utf-8", "replace")

    def history(self) -> list[Version]:
        """All versions, oldest first. Raises StoreError."""
        found = [version for name in self._listed() if (version := _version(self._versions / name))]
        return sorted(found, key=lambda version: version.number)

    def _measure(self, data: bytes) -> None:
        if len(data) <= memory.MOST:
            return
        size = memory.size(data.decode("utf-8", "replace"))
        if size > memory.MOST or len(data) > memory.MOST + memory.MOST_BLOCK:
            raise StateTooLarge(self.path, max(size, len(data) - memory.MOST_BLOCK))

    def _alone(self) -> AbstractContextManager[None]:
        make_dir(self._versions)
        return Mutex(self._dir / "lock").held()

    def _current(self) -> tuple[bytes, int]:
        """The state's bytes and its newest version's number, after anything unfinished or unrecorded has been put in order."""
        data = read_bytes(self.path)
        shelf = self._shelf(data)
        if data is not None and shelf.newest and read_bytes(self._versions / shelf.newest) == data:
            return data, shelf.number
        number = shelf.number + 1
        if data is None:
            return self._replace(self._initial.encode("utf-8", "replace"), "operator", "initial", number), number
        write_atomic(self._versions / self._name(number, "operator", "by-hand"), data, durable=True)
        return data, number

    def _replace(self, data: bytes, author: Author, note: str, number: int) -> bytes:
        """Make `data` the state and a version. In between, the version waits under a name that tells whose it will be."""
        final = self._versions / self._name(number, author, note)
        pending = final.with_name(_PENDING + final.name)
        try:
            write_aside(final, data, durable=True).replace(pending)
            write_atomic(self.path, data, durable=True)
            pending.replace(final)
        except OSError as error:
            raise failure("write the state", self.path, error) from error
        return data

    def _shelf(self, current: bytes | None) -> "_Shelf":
        """What there is of versions, once what a crash left between the two steps of `_replace` is settled."""
        names = self._listed()
        left = [name for name in names if name.startswith(".")]
        if left:
            self._settle(left, current)
            names = self._listed()
        numbered = sorted(((number, name) for name in names if (number := _number(name))), reverse=True)
        versions = (name for _, name in numbered if (one := _version(self._versions / name)) and not one.kept)
        return _Shelf(numbered[0][0] if numbered else 0, next(versions, ""))

    def _settle(self, left: list[str], current: bytes | None) -> None:
        for name in left:
            path = self._versions / name
            with suppress(OSError):
                if name.startswith(_PENDING) and current is not None and read_bytes(path) == current:
                    path.replace(path.with_name(name.removeprefix(_PENDING)))
                elif name.startswith(_PENDING) or name.endswith(".tmp"):
                    # Nobody else writes here while we hold the lock.
                    path.unlink()

    def _listed(self) -> list[str]:
        try:
            return os.listdir(self._versions)  # noqa: PTH208 - names are all that is needed, of thousands of files
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failure("list the versions", self._versions, error) from error

    def _name(self, number: int, author: Author, note: str) -> str:
        odd = _ODD.sub("-", note).strip("-.")[:80]
        return f"{self._clock().astimezone(UTC):%Y%m%dT%H%M%SZ}-{number:04}-{author}" + (f"-{odd}" if odd else "") + ".md"


class _Shelf(Struct, frozen=True):
    """The number of the newest version (0: none), and the file of the newest that was the state (none if empty)."""

    number: int
    newest: str


def _number(name: str) -> int:
    """The number in the name of a version, 0 if it can't be one. Old loops have thousands of them, so nothing else is looked at."""
    _, _, rest = name.partition("-")
    number, _, _ = rest.partition("-")
    return int(number) if number.isdecimal() else 0


def _version(path: Path) -> Version | None:
    match = _VERSION.fullmatch(path.name)
    if match is None:
        return None
    day, number, author, note = match.groups()
    at = f"{day[:4]}-{day[4:6]}-{day[6:8]}T{day[9:11]}:{day[11:13]}:{day[13:15]}Z"
    return Version(path, int(number), cast("Author", author), at, note or "")


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _text(data: bytes) -> StateText:
    return StateText(data.decode("utf-8", "replace"), _hash(data))
