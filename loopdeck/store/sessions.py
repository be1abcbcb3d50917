"""Agent sessions that loopdeck did not start, as their hooks tell of them: a file of lines for each, and a brake beside it.

A session's calls may be made side by side, each with a hook of its own; so a line is one short write at the file's end, and readers
pass over what is no line. The brake is the operator's file: while it is there, no call of the session is let through.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from loopdeck.store.files import failure, make_dir, open_private, read_bytes, write_atomic

MOST = 4 << 20
"""Bytes of a session that are read: the end of it."""
SHOWN_S = 86_400.0
KEPT_S = 30 * 86_400.0
_LINES, _BRAKE = ".jsonl", ".brake"


class Line(Struct, frozen=True, omit_defaults=True):
    """One event. `at` is UTC, RFC 3339; `agent` and `cwd` whose and where; `tool`, `summary`, `verdict`, `why` of a call."""

    at: str
    event: str
    agent: str = ""
    cwd: str = ""
    tool: str = ""
    summary: str = ""
    verdict: str = ""
    why: str = ""


class Session(Struct, frozen=True):
    """A session as its lines tell it. `calls` counts what it asked leave for; `refused` and `asked` what became of that."""

    session: str
    agent: str
    cwd: str
    since: str
    last: str
    calls: int = 0
    refused: int = 0
    asked: int = 0
    ended: bool = False
    braked: str = ""
    doing: str = ""


def append(folder: Path, session: str, line: Line) -> None:
    """Write a line down. Raises StoreError."""
    make_dir(folder)
    path = folder / f"{session}{_LINES}"
    try:
        descriptor = open_private(path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, msgspec.json.encode(line) + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise failure("write down what a session does", path, error) from error


def brake(folder: Path, session: str, why: str) -> None:
    """Let no further call of the session through. Raises StoreError."""
    make_dir(folder)
    write_atomic(folder / f"{session}{_BRAKE}", why.encode("utf-8", "replace"), durable=True)


def release(folder: Path, session: str) -> bool:
    """Let its calls through again; False if nothing held it."""
    try:
        (folder / f"{session}{_BRAKE}").unlink()
    except FileNotFoundError:
        return False
    return True


def braked(folder: Path, session: str) -> str:
    """Why the session is braked; empty if it isn't."""
    data = read_bytes(folder / f"{session}{_BRAKE}")
    return "" if data is None else data.decode("utf-8", "replace").strip() or "braked"


def sessions(folder: Path, within_s: float = SHOWN_S) -> list[Session]:
    """All that left a line in the last `within_s` seconds, the newest last."""
    found = (_folded(folder, path.stem) for path in _files(folder, lambda age: age <= within_s))
    return sorted((one for one in found if one is not None), key=lambda one: one.last)


def prune(folder: Path) -> None:
    """Take away the sessions that nobody has heard of for a month, and their brakes."""
    for path in _files(folder, lambda age: age > KEPT_S):
        with suppress(OSError):
            path.unlink()
            path.with_suffix(_BRAKE).unlink(missing_ok=True)


def _files(folder: Path, wanted: Callable[[float], bool]) -> Iterator[Path]:
    now = time.time()
    try:
        with os.scandir(folder) as entries:
            paths = [Path(entry.path) for entry in entries if entry.name.endswith(_LINES) and wanted(now - entry.stat().st_mtime)]
    except OSError:
        return
    yield from sorted(paths)


class Attached:
    """The sessions of a folder, for whoever looks again and again: of each file only what is new is read. Not for several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[int, Session | None]] = {}
        self.seen: tuple[Session, ...] = ()
        """Those of the last day that have not ended, the newest last."""

    def look(self) -> bool:
        """Look; True if there is something new."""
        names = [path.stem for path in _files(self._folder, lambda age: age <= SHOWN_S)]
        self._read = {name: self._on(name) for name in names}
        found = [
            msgspec.structs.replace(one, braked=braked(self._folder, one.session))
            for _, one in self._read.values()
            if one is not None and not one.ended
        ]
        before, self.seen = self.seen, tuple(sorted(found, key=lambda one: one.last))
        return before != self.seen

    def files(self) -> Iterator[Path]:
        """The files that grow as the sessions go on."""
        return (self._folder / f"{one.session}{_LINES}" for one in self.seen)

    def _on(self, name: str) -> tuple[int, Session | None]:
        at, known = self._read.get(name, (0, None))
        data, at = _more(self._folder / f"{name}{_LINES}", at)
        for line in _lines(data):
            known = _further(known, name, line)
        return at, known


def _folded(folder: Path, session: str) -> Session | None:
    found = None
    for line in _lines(_more(folder / f"{session}{_LINES}", 0)[0]):
        found = _further(found, session, line)
    return None if found is None else msgspec.structs.replace(found, braked=braked(folder, session))


def _further(known: Session | None, session: str, line: Line) -> Session:
    """What is known of a session, and one more line of it."""
    one = known or Session(session, line.agent, line.cwd, line.at, line.at)
    asked = bool(line.verdict)
    return msgspec.structs.replace(
        one, agent=one.agent or line.agent, cwd=line.cwd, last=line.at, calls=one.calls + asked,
        refused=one.refused + (line.verdict == "deny"), asked=one.asked + (line.verdict == "ask"), ended=line.event == "SessionEnd",
        doing=f"{line.tool} {line.summary}".strip() if asked else one.doing,
    )  # fmt: skip


def _more(path: Path, at: int) -> tuple[bytes, int]:
    """The whole lines from there on, at most the last `MOST` bytes of them, and where the next begins."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(at, size - MOST))
            data = file.read(MOST)
            begun = file.tell() - len(data)
    except OSError:
        return b"", at
    whole = data.rfind(b"\n") + 1
    return data[:whole], begun + whole


def _lines(data: bytes) -> Iterator[Line]:
    for line in data.split(b"\n"):
        try:
            yield msgspec.json.decode(line, type=Line)
        except msgspec.DecodeError:
            continue
