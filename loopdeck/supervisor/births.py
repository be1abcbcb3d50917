"""Asking the deck's warm process for a runner: what is said on its socket, and the asker's end of it.

Invariant: asking never hangs and never fails. Where there is no such process, or it refuses or is silent, the answer is None and the
asker starts the runner itself; should both come to life, the lease lets one of them work.
"""

import contextlib
import os
import resource
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from loopdeck.errors import StoreError
from loopdeck.incarnation import start_ticks
from loopdeck.store.layout import DeckHome, RunPaths

WORKS = sys.platform.startswith("linux")
"""Forking a process that has loaded everything is safe on Linux; elsewhere the system's own libraries forbid it."""
PATIENCE_S = 2.0
"""How long a warm process may take; it takes some milliseconds, and half a second when it loads an SDK first."""
MOST = 1 << 24
"""Bytes of the longest message."""
ROOM = " " * 140
"""An argument of the warm process that says nothing: where it lies in memory, the forked write their own command line."""
FIXED = ("PYTHON", "LD_", "MALLOC_", "LC_", "LANG", "ANTHROPIC_LOG", "OPENAI_LOG")
"""Beginnings of variables that count when an interpreter or an SDK is loaded, and can't be changed afterwards."""
WITHIN_A_RUN = "LOOPDECK_RUN"
"""Who has this variable belongs to a run (`sandbox.family` gives it): what they start must stay in its family, and end with it."""
_HEAD = struct.Struct("!I")
_LIMITS = tuple(sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")}))

Environment = dict[bytes, bytes]


class Request(Struct, array_like=True):
    """A runner wanted for the run in the folder `dir`, as a child of the asker would be: its environment, umask and limits.

    `limits` are (which, soft, hard); a `umask` of -1 is not known.
    """

    dir: str
    environment: Environment
    umask: int
    limits: tuple[tuple[int, int, int], ...]


class Reply(Struct, array_like=True):
    """The runner's process and its start in clock ticks, or why there is none."""

    pid: int = 0
    ticks: int = 0
    refused: str = ""


class Born:
    """A runner that is nobody's child."""

    def __init__(self, reply: Reply) -> None:
        self.pid = reply.pid
        self._ticks = reply.ticks

    def gone(self) -> bool:
        """True once that very process has ended."""
        return not self._ticks or start_ticks(self.pid) != self._ticks


def ask(paths: RunPaths, environment: Environment | None = None) -> Born | None:
    """A runner on the run, forked from the deck's warm process; None if it can't be had there."""
    environment = dict(os.environb) if environment is None else environment
    if not WORKS or os.fsencode(WITHIN_A_RUN) in environment:
        return None
    wanted = Request(str(paths.dir), environment, _umask(), _limits())
    with contextlib.suppress(OSError, msgspec.MsgspecError, StoreError), socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE_S)
        with at_home(paths.home) as address:
            line.connect(address)
        send(line, msgspec.msgpack.encode(wanted))
        reply = msgspec.msgpack.decode(receive(line), type=Reply)
        return Born(reply) if reply.pid else None
    return None


@contextlib.contextmanager
def at_home(home: DeckHome) -> Iterator[str]:
    """The address of the deck's socket. An address has 107 bytes at most and a home may have more, so it goes through a descriptor."""
    folder = os.open(home.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{home.births.name}"
    finally:
        os.close(folder)


def send(line: socket.socket, message: bytes) -> None:
    """Send one message. Raises OSError."""
    line.sendall(_HEAD.pack(len(message)) + message)


def receive(line: socket.socket) -> bytes:
    """One message whole. Raises OSError if the other end goes away or says too much."""
    (size,) = _HEAD.unpack(_exactly(line, _HEAD.size))
    if size > MOST:
        raise OSError("message too long")
    return _exactly(line, size)


def is_warm(home: DeckHome) -> bool:
    """True if there is a process that would answer."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE_S)
        with at_home(home) as address:
            line.connect(address)
        return True
    return False


def _exactly(line: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = line.recv(min(size - len(parts), 1 << 18))
        if not part:
            raise OSError("the other end is gone")
        parts += part
    return bytes(parts)


def _limits() -> tuple[tuple[int, int, int], ...]:
    found = []
    for which in _LIMITS:
        with contextlib.suppress(ValueError, OSError):
            found.append((which, *resource.getrlimit(which)))
    return tuple(found)


def _umask() -> int:
    # To ask the system itself means to change it for a moment, in which other threads may make files.
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_bytes().splitlines():
            if line.startswith(b"Umask:"):
                return int(line.split()[1], 8)
    return -1
