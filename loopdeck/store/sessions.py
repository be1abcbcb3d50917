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


def _folded(folder: Path, session: str) -> Session | None:
    lines = list(_lines(folder / f"{session}{_LINES}"))
    if not lines:
        return None
    calls = [one for one in lines if one.verdict]
    agent = next((one.agent for one in lines if one.agent), "")
    doing = f"{calls[-1].tool} {calls[-1].summary}".strip() if calls else ""
    return Session(
        session, agent, lines[-1].cwd, lines[0].at, lines[-1].at, len(calls), sum(one.verdict == "deny" for one in calls),
        sum(one.verdict == "ask" for one in calls), lines[-1].event == "SessionEnd", braked(folder, session), doing,
    )  # fmt: skip


def _lines(path: Path) -> Iterator[Line]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MOST))
            data = file.read(MOST)
    except OSError:
        return
    for line in data.split(b"\n"):
        try:
            yield msgspec.json.decode(line, type=Line)
        except msgspec.DecodeError:
            continue
