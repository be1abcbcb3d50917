"""What an agent wants to do to files, as calls of our own file tools: for the gate's path rules, and for a person to read.

Invariant: every path that would change is named by a call of a writing tool, a deleted and a moved one too.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from loopdeck.agents.outside.foreign import inside

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_LARGEST = 2_000_000
_AROUND = 3


class FileCall(Struct, frozen=True):
    """A call of `write_file` or `edit_file`; `arguments` is JSON text."""

    tool: str
    arguments: str


class _Hunk(NamedTuple):
    """`start` is the line it begins at, from 0; `old` and `new` are lines with their ends."""

    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]


def written(worktree: Path, path: str, content: str) -> FileCall:
    """A file made, or replaced as a whole."""
    return FileCall("write_file", _json(path=inside(worktree, path), content=content))


def edited(worktree: Path, path: str, old: str, new: str) -> FileCall:
    """A piece of a file replaced."""
    return FileCall("edit_file", _json(path=inside(worktree, path), old=old, new=new))


def replaced(worktree: Path, path: str, old: str, new: str) -> FileCall:
    """A file's whole text by another: shown as what changes, with a few lines around it."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    most = min(len(before), len(after))
    head = next((n for n in range(most) if before[n] != after[n]), most)
    tail = next((n for n in range(most - head) if before[-1 - n] != after[-1 - n]), most - head)
    head, tail = max(0, head - _AROUND), max(0, tail - _AROUND)
    return edited(worktree, path, "".join(before[head : len(before) - tail]), "".join(after[head : len(after) - tail]))


def deleted(worktree: Path, path: str, content: str) -> FileCall:
    """A file deleted: we have no tool for that, so it is an edit that leaves nothing of it."""
    return edited(worktree, path, content or read(worktree, path) or "", "")


def patched(worktree: Path, path: str, diff: str, moved_to: str = "") -> tuple[FileCall, ...]:
    """A file changed by the hunks of a unified diff, and perhaps moved."""
    hunks = tuple(_hunks(diff))
    current = read(worktree, path)
    old, new = _span(hunks, current)
    if not moved_to:
        return (edited(worktree, path, old, new),)
    whole = _applied(hunks, current)
    there = written(worktree, moved_to, new if whole is None else whole)
    return (edited(worktree, path, old if current is None else current, ""), there)


def read(worktree: Path, path: str) -> str | None:
    """A file of the worktree as it is now; None if it can't be read, or does not lie in there."""
    try:
        real = Path(os.path.realpath(worktree / path))
        if not real.is_relative_to(os.path.realpath(worktree)) or not real.is_file() or real.stat().st_size > _LARGEST:
            return None
        return real.read_text("utf-8")
    except (OSError, ValueError):
        return None


def _hunks(diff: str) -> Iterator[_Hunk]:
    start, old, new = -1, list[str](), list[str]()
    last: list[list[str]] = []
    for line in diff.splitlines(keepends=True):
        if (found := _HUNK.match(line)) is not None:
            if start >= 0:
                yield _Hunk(start, tuple(old), tuple(new))
            # A hunk that takes nothing away names the line before the place.
            start = int(found[1]) - (0 if found[2] == "0" else 1)
            old, new = [], []
        elif start < 0:
            continue
        elif line.startswith("\\"):
            for side in last:
                side[-1] = side[-1].rstrip("\r\n")
        elif line[:1] in (" ", "-", "+"):
            last = {" ": [old, new], "-": [old], "+": [new]}[line[0]]
            for side in last:
                side.append(line[1:])
    if start >= 0:
        yield _Hunk(start, tuple(old), tuple(new))


def _span(hunks: tuple[_Hunk, ...], current: str | None) -> tuple[str, str]:
    """All hunks as one replacement: from the first changed line to the last, what lies between included if the file is known."""
    if not hunks:
        return "", ""
    whole = _applied(hunks, current)
    if whole is None or current is None:
        return "".join(line for hunk in hunks for line in hunk.old), "".join(line for hunk in hunks for line in hunk.new)
    before = "".join(current.splitlines(keepends=True)[: hunks[0].start])
    end = hunks[-1].start + len(hunks[-1].old)
    after = "".join(current.splitlines(keepends=True)[end:])
    return current[len(before) : len(current) - len(after)], whole[len(before) : len(whole) - len(after)]


def _applied(hunks: tuple[_Hunk, ...], current: str | None) -> str | None:
    """The file after the hunks; None if they don't fit it."""
    if current is None:
        return None
    lines = current.splitlines(keepends=True)
    done: list[str] = []
    at = 0
    for hunk in hunks:
        end = hunk.start + len(hunk.old)
        if hunk.start < at or [_bare(line) for line in lines[hunk.start : end]] != [_bare(line) for line in hunk.old]:
            return None
        done += [*lines[at : hunk.start], *hunk.new]
        at = end
    return "".join([*done, *lines[at:]])


def _bare(line: str) -> str:
    return line.rstrip("\r\n")


def _json(**arguments: str) -> str:
    return json.dumps(arguments, ensure_ascii=False)
