"""The files that a call names, or that its program reads by itself, by their content: what an approval of it stands on.

Invariant: too many files rather than too few, none outside of the worktree, and nothing but regular files is ever opened.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from loopdeck.core import gatedpaths
from loopdeck.core.binding import FILE, Parts
from loopdeck.core.gate import parsed
from loopdeck.core.shellwords import commands

MOST = 200
"""Files of one call."""
_MOST_READ = 32 << 20
"""Bytes; of a larger file its size, its time and its place count."""
_PATHS = frozenset({"write_file", "edit_file", "read_file"})
_WORD = re.compile(r"[^\s'\"\\;&|<>(){}$`=,:#]+")


def files(worktree: Path, tool: str, arguments: str) -> Parts:
    """A part for each file: its name, and the beginning of the SHA-256 of its content, or what it is instead."""
    given = parsed(arguments) or {}
    if tool in _PATHS:
        path = gatedpaths.normal(str(given.get("path", "")))
        return () if path is None else ((FILE + path, _content(worktree, path) or "none"),)
    if tool != "bash":
        return ()
    named = dict.fromkeys((*_named(str(given.get("command", ""))), *_by_itself(worktree)))
    found = ((FILE + path, _content(worktree, path)) for path in named)
    return tuple((name, content) for name, content in found if content)[:MOST]


def _named(line: str) -> Iterator[str]:
    """Paths that may be meant by some part of a command line, however it is quoted."""
    words = [word.begin for command in commands(line) for word in command]
    parts = [part for word in words for part in (word.rpartition("=")[2], *word.split())]
    for one in (*words, *parts, *_WORD.findall(line)):
        path = gatedpaths.normal(one) if len(one) < 4096 else None
        if path is not None and path != ".":
            yield path


def _by_itself(worktree: Path) -> Iterator[str]:
    """Files at the root whose code tools run without being told to."""
    try:
        with os.scandir(worktree) as entries:
            yield from sorted(one.name for one in entries if gatedpaths.flagged(one.name) or gatedpaths.gated(one.name))
    except OSError:
        return


def _content(worktree: Path, path: str) -> str:
    """What a file holds; empty if there is no file."""
    try:
        descriptor = os.open(worktree / path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError):
        return ""
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            return ""
        mode = f"{stat.S_IMODE(about.st_mode):o}"
        if about.st_size > _MOST_READ:
            return f"{mode} {about.st_size} {about.st_mtime_ns} {about.st_ino}"
        with open(descriptor, "rb", closefd=False) as file:
            return f"{mode} {hashlib.file_digest(file, 'sha256').hexdigest()[:24]}"
    except OSError as error:
        return f"unreadable: {error.strerror}"
    finally:
        os.close(descriptor)
