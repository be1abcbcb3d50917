"""Lock files of git that stand in the way.

A git killed while it held a lock leaves it behind for ever, and the next git would refuse to work. So beside each git of ours at work
in a worktree lies a note of who started it: boot, process, start ticks. Invariant: a lock is only ever removed if it is in a worktree
of our own (never in the shared folder, never in the operator's), came to be after such a note, the process of the note is dead, and
nobody has the lock open. Whoever else works in there (an operator whose editor is open over a commit) keeps his.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loopdeck.incarnation import boot_id, start_ticks

_HELD = re.compile(rb"Unable to create '(.+?\.lock)': File exists|cannot lock ref '.*': Unable to create '(.+?\.lock)'")
_BUSY = re.compile(rb"could not lock config file (.+?): File exists")
_NOTE = "loopdeck-git."
_NOBODY = "nobody 0 0"
_tidied: set[Path] = set()


class Noted:
    """A note that lies beside a git at work. `leave` says that what it did may have been cut short."""

    def __init__(self) -> None:
        self.cut_short = False

    def leave(self) -> None:
        """Let the note lie: its process is dead, and may have left a lock."""
        self.cut_short = True


@contextmanager
def noted(git_dir: Path) -> Iterator[Noted]:
    """Note for as long as the block lasts that this process is at work in the administrative folder `git_dir`."""
    _tidy(git_dir)
    note = git_dir / f"{_NOTE}{os.getpid()}.{os.urandom(4).hex()}"
    told = Noted()
    # Where no note can be written, git will say what is wrong; a lock is then nobody's that we know.
    with suppress(OSError):
        note.write_text(_myself())
    try:
        yield told
    finally:
        with suppress(OSError):
            if told.cut_short:
                _mark_dead(note)
            else:
                note.unlink()


def left_by(git_dir: Path, since: "Noted") -> None:
    """To be called when all that was at work during `since` is dead: if it left a lock, that is ours to remove."""
    with suppress(OSError):
        if _has_lock(git_dir):
            since.leave()


def in_the_way(stderr: bytes) -> Path | None:
    """The lock file that git says was in its way, or None if it failed for another reason."""
    if found := _HELD.search(stderr):
        return Path(os.fsdecode(found.group(1) or found.group(2)))
    if found := _BUSY.search(stderr):
        return Path(os.fsdecode(found.group(1)) + ".lock")
    return None


def remove_if_dead(lock: Path, git_dir: Path, common_dir: Path) -> bool:
    """Remove `lock` if it is one of the worktree behind `git_dir` and its holder is dead; True if the way is free now."""
    if git_dir == common_dir or lock.parent.resolve() != git_dir.resolve():
        return False
    try:
        made = lock.stat().st_mtime_ns
    except FileNotFoundError:
        return True
    dead = [note for note in _notes(git_dir) if _is_dead(note)]
    if not any(_when(note) <= made for note in dead) or not _nobody_has_open(lock):
        return False
    lock.unlink(missing_ok=True)
    for note in dead:
        note.unlink(missing_ok=True)
    return True


def _tidy(git_dir: Path) -> None:
    """Once in a process: notes of the dead that left no lock are of no more use, and must not vouch for a later lock of another's."""
    if git_dir in _tidied:
        return
    _tidied.add(git_dir)
    with suppress(OSError):
        if not _has_lock(git_dir):
            for note in _notes(git_dir):
                if _is_dead(note):
                    note.unlink(missing_ok=True)


def _has_lock(git_dir: Path) -> bool:
    return any(entry.name.endswith(".lock") for entry in git_dir.iterdir())


def _notes(git_dir: Path) -> list[Path]:
    try:
        return [entry for entry in git_dir.iterdir() if entry.name.startswith(_NOTE)]
    except OSError:
        return []


def _mark_dead(note: Path) -> None:
    when = note.stat()
    note.write_text(_NOBODY)
    os.utime(note, ns=(when.st_atime_ns, when.st_mtime_ns))


def _when(note: Path) -> int:
    try:
        return note.stat().st_mtime_ns
    except OSError:
        return sys.maxsize


def _is_dead(note: Path) -> bool:
    """True if the process of `note` is surely gone."""
    try:
        boot, pid, ticks = note.read_text().split()
    except (OSError, ValueError):
        return False
    if boot != (boot_id() or "-"):
        return True
    return bool(boot_id()) and start_ticks(int(pid)) != int(ticks)


def _myself() -> str:
    return f"{boot_id() or '-'} {os.getpid()} {start_ticks(os.getpid())}"


def _nobody_has_open(path: Path) -> bool:
    """True if surely no process has `path` open; False where that can't be told."""
    if sys.platform != "linux":
        return False
    wanted = str(path.resolve())
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            with os.scandir(process / "fd") as entries:
                if any(_leads_to(entry.path, wanted) for entry in entries):
                    return False
        except OSError:
            continue  # gone meanwhile, or another person's, who can't hold a lock in a folder that is ours alone
    return True


def _leads_to(link: str, wanted: str) -> bool:
    try:
        return os.readlink(link) == wanted  # noqa: PTH115 (a string compare of thousands; Path would cost more than the call)
    except OSError:
        return False
