"""The warm process: `python -m loopdeck.supervisor.forkserver HOME SDKS`, a child of the deck's supervisor.

It has loaded all that runners need and forks one whenever it is asked to; nothing else ever happens in it. Invariant: it has one
thread, no event loop and no connection of its own, so that a fork copies nothing that is half done; and it ends with the supervisor,
or when the code it has loaded is not that on disk any more.
"""

import ctypes
import gc
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from loopdeck.errors import LoopdeckError
from loopdeck.incarnation import start_ticks
from loopdeck.store.files import failure
from loopdeck.store.layout import DeckHome, RunPaths
from loopdeck.supervisor import code, warm
from loopdeck.supervisor.birth import born
from loopdeck.supervisor.births import FIXED, Environment, Reply, Request, at_home, receive, send

_LISTENED_S = 1.0
_BACKLOG = 256
_M_ARENA_MAX = -8
_UCRED = struct.Struct("3i")


class Refused(Exception):
    """No runner can be had here; why."""


class ForkServer:
    """Listens for requests, one at a time, until its control descriptor is at its end."""

    def __init__(self, home: DeckHome, sdks: list[str], control: int) -> None:
        self._home = home
        self._control = control
        self._cold = [kind for kind in sdks if kind in warm.SDKS]
        self._loaded: set[str] = set()
        warm.rooms()
        self._code = code.loaded()
        self._started_with = _fixed(os.environb)
        self._listener = _listening(home)

    def serve(self) -> None:
        """Until the supervisor is gone, or our code is another."""
        watch = select.poll()
        watch.register(self._listener, select.POLLIN)
        watch.register(self._control, select.POLLIN)
        while True:
            ready = dict(watch.poll(0 if self._cold else None))
            if self._control in ready:
                return
            if ready and not self._answer():
                return
            if not ready and self._cold:
                self._warm(self._cold[0])

    def _answer(self) -> bool:
        """Attend to one who asks; False if nobody is to be attended to any more."""
        line, _ = self._listener.accept()
        with line:
            try:
                line.settimeout(_LISTENED_S)
                if _peer(line) != os.geteuid():
                    return True
                request = msgspec.msgpack.decode(receive(line), type=Request)
                reply = self._reply(request)
                send(line, msgspec.msgpack.encode(reply))
            except (OSError, msgspec.MsgspecError):
                return True
        return reply.refused != _OTHER_CODE

    def _reply(self, request: Request) -> Reply:
        try:
            self._check(request)
            pid = born(request)
        except (Refused, OSError) as error:
            return Reply(refused=str(error))
        return Reply(pid, start_ticks(pid))

    def _check(self, request: Request) -> None:
        """Raises Refused unless a runner forked from here will be as good as one that is spawned."""
        paths = RunPaths(Path(request.dir))
        if paths.home != self._home:
            raise Refused("the run is none of this deck")
        if code.is_another(self._code):
            raise Refused(_OTHER_CODE)
        if _fixed(request.environment) != self._started_with:
            raise Refused("the interpreter was started with other settings")
        if set(warm.SDKS) - self._loaded:
            for kind in sorted(warm.needed(paths.spec) - self._loaded):
                self._warm(kind)
        if not warm.single_threaded():
            raise Refused("not the only thread")

    def _warm(self, kind: str) -> None:
        if kind not in self._loaded:
            warm.sdk(kind)
        self._loaded.add(kind)
        self._cold = [one for one in self._cold if one != kind]


_OTHER_CODE = "the code on disk is another by now"


def _fixed(environment: Mapping[bytes, bytes]) -> Environment:
    """What of an environment can't be changed once an interpreter runs."""
    beginnings = tuple(name.encode() for name in FIXED)
    return {name: value for name, value in environment.items() if name.startswith(beginnings)}


def _peer(line: socket.socket) -> int:
    """The user at the other end."""
    return int(_UCRED.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))[1])


def _listening(home: DeckHome) -> socket.socket:
    """The deck's socket, ours alone. One left by another is replaced: only the supervisor, under its lease, starts a warm process."""
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        with at_home(home) as address:
            home.births.unlink(missing_ok=True)
            listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise failure("listen at the socket", home.births, error) from error
    finally:
        os.umask(before)
    return listener


def main(argv: list[str]) -> int:
    """Serve the deck's home. Returns 0 when it is time to go, 14 if it can't begin."""
    gc.disable()
    # The threads of those that are forked share what memory is free, instead of a piece of their own for each.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        server = ForkServer(DeckHome(Path(argv[1])), [one for one in argv[2].split(",") if one], 0)
    except LoopdeckError as error:
        sys.stderr.write(f"{error}\n")
        return 14
    server.serve()
    return 0


if __name__ == "__main__":
    left = main(sys.argv)
    sys.stderr.flush()
    os._exit(left)
