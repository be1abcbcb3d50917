"""Who belongs to a command: found, signalled and reaped, wherever it fled to.

Each process of a command carries two marks that its children inherit: variables in its environment (`LOOPDECK_RUN`, the run;
`LOOPDECK_COMMAND`, the command), and a soft limit on real-time CPU, so high that it limits nothing, whose number means run and
command. The limit stays when a daemon clears its environment, opens a session of its own and forks twice. Besides those marked,
descendants count, and whoever was once seen to belong. While commands run the process is a subreaper, so that orphans become its
children and a glance at those tells that a command left nothing behind. A signal goes through a pidfd whose owner was looked at
after it was opened: never to a process that happens to have got the same number. Where there is no /proc, descendants and the
environment have to do (best effort).
"""

import contextlib
import os
import resource
import signal
import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

RUN_VARIABLE = "LOOPDECK_RUN"
COMMAND_VARIABLE = "LOOPDECK_COMMAND"

_PROC = Path("/proc")
_PRLIMIT = Path("/usr/bin/prlimit")
HAS_PROC = Path("/proc/self/stat").exists()
_SUBREAPER = 36
_COMMAND_BITS = 29
_TAG = 1 << 61
_KERNEL_THREAD = 0x200000


@dataclass(frozen=True, slots=True)
class Mark:
    """What the processes of one command carry; with an empty `command`, those of all commands of a run."""

    run: str
    command: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The variables to start the command with."""
        return {RUN_VARIABLE: self.run, COMMAND_VARIABLE: self.command}

    @property
    def _number(self) -> int:
        command = zlib.crc32(self.command.encode()) & ((1 << _COMMAND_BITS) - 1) if self.command else 0
        return _TAG | zlib.crc32(self.run.encode("utf-8", "surrogateescape")) << _COMMAND_BITS | command

    @property
    def launcher(self) -> tuple[str, ...]:
        """What to start the command with so that it has the limit from its first moment on; nothing where there is no such program."""
        if not HAS_PROC or not _PRLIMIT.exists() or resource.getrlimit(resource.RLIMIT_RTTIME)[1] != resource.RLIM_INFINITY:
            return ()
        return (str(_PRLIMIT), f"--rttime={self._number}:", "--")

    def put_on(self, pid: int) -> None:
        """Give a process that has just been started the limit, for all that it will start.

        From outside, because a limit set on ourselves for the moment of the start would reach whatever other threads start then.
        """
        if not hasattr(resource, "prlimit"):
            return
        # Not ours to change (a program with other rights), or a lower hard limit is in force: the environment has to do.
        with contextlib.suppress(OSError, ValueError):
            hard = resource.prlimit(pid, resource.RLIMIT_RTTIME)[1]
            resource.prlimit(pid, resource.RLIMIT_RTTIME, (self._number, hard))

    def on(self, pid: int) -> bool:
        """True if process `pid` carries the mark."""
        return self._limit_on(pid) or self._environment_on(pid)

    def _limit_on(self, pid: int) -> bool:
        soft = _read(pid, "limits").partition(b"\nMax realtime timeout")[2].split(None, 1)[:1]
        shift = 0 if self.command else _COMMAND_BITS
        return bool(soft) and soft[0].isdigit() and int(soft[0]) >> shift == self._number >> shift

    def _environment_on(self, pid: int) -> bool:
        name, value = (COMMAND_VARIABLE, self.command) if self.command else (RUN_VARIABLE, self.run)
        line = os.fsencode(f"{name}={value}")
        return line in _environment(pid).split(b"\0")


@dataclass(frozen=True, slots=True)
class Process:
    """A process as it was seen: `start` (in clock ticks since boot, or seconds) tells it from a later one with its number."""

    pid: int
    parent: int
    start: float
    dead: bool


def _read(pid: int, name: str) -> bytes:
    # Hundreds of these make one look around, so: bare system calls.
    try:
        handle = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = [os.read(handle, 1 << 16)]
        while len(parts[-1]) == 1 << 16:
            parts.append(os.read(handle, 1 << 16))
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(handle)


def _environment(pid: int) -> bytes:
    if HAS_PROC:
        return _read(pid, "environ")
    import psutil

    try:
        return b"\0".join(os.fsencode(f"{name}={value}") for name, value in psutil.Process(pid).environ().items())
    except (psutil.Error, OSError):
        return b""


def process(pid: int) -> Process | None:
    """The process with this number, or None; the kernel's own threads, half of those there are, are none. A zombie is `dead`."""
    if not HAS_PROC:
        return _foreign(pid)
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    if len(fields) < 20 or int(fields[6]) & _KERNEL_THREAD:
        return None
    return Process(pid, int(fields[1]), float(fields[19]), fields[0] in {b"Z", b"X"})


def _foreign(pid: int) -> Process | None:
    import psutil

    try:
        one = psutil.Process(pid)
        return Process(pid, one.ppid(), one.create_time(), one.status() == psutil.STATUS_ZOMBIE)
    except (psutil.Error, OSError):
        return None


def _pids() -> list[int]:
    if HAS_PROC:
        return [int(name) for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208 - the names alone, three times as fast
    import psutil

    return psutil.pids()


def send(one: Process, number: signal.Signals) -> None:
    """Signal `one`, if it is still the process that it was."""
    try:
        handle = os.pidfd_open(one.pid) if hasattr(os, "pidfd_open") else -1
    except OSError:
        return
    try:
        now = process(one.pid)
        if now is None or now.start != one.start:
            return
        if handle < 0:
            os.kill(one.pid, number)
        else:
            signal.pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):
        return
    finally:
        if handle >= 0:
            os.close(handle)


def in_group(pid: int, group: int) -> bool:
    """True if the process is in that process group."""
    try:
        return os.getpgid(pid) == group
    except (ProcessLookupError, PermissionError):
        return False


def in_session(pid: int, session: int) -> bool:
    """True if the process is in that session; a dead one still is, until it is reaped."""
    try:
        return os.getsid(pid) == session
    except (ProcessLookupError, PermissionError):
        return False


def members(mark: Mark, seeds: Iterable[Process] = ()) -> dict[int, Process]:
    """Every process that carries `mark`, is one of `seeds`, or descends from one of these; zombies too, this process never."""
    table = {one.pid: one for pid in _pids() if (one := process(pid))}
    own = os.getpid()
    found = {one.pid for one in seeds if (now := table.get(one.pid)) and now.start == one.start}
    found |= {pid for pid in table if pid not in found and mark.on(pid)}
    children: dict[int, list[int]] = {}
    for one in table.values():
        children.setdefault(one.parent, []).append(one.pid)
    found.discard(own)
    fresh = list(found)
    while fresh:
        fresh = [child for pid in fresh for child in children.get(pid, ()) if child not in found and child != own]
        found.update(fresh)
    return {pid: table[pid] for pid in found}


def children(parent: int | None = None) -> list[int] | None:
    """The children of a process (this one if none is given), dead ones too, newest first; None if they can't be listed cheaply."""
    try:
        lists = [(task / "children").read_bytes() for task in (_PROC / str(parent or "self") / "task").iterdir()]
    except OSError:
        return None
    return sorted((int(pid) for listed in lists for pid in listed.split()), reverse=True)


def reap(pid: int) -> None:
    """Take the exit status of a dead child of ours, if it is one."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


class Subreaper:
    """Orphans come to this process while any command runs, and go to init again when none does.

    `works` says whether the kernel has agreed, so that what a command leaves is among `children`.
    """

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()
        self.works = False

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self.works = _prctl(1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                _prctl(0)


def _prctl(value: int) -> bool:
    if not HAS_PROC:
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(_SUBREAPER, value, 0, 0, 0) == 0)
