"""How a process forked from the warm one becomes a runner that nobody could tell from a spawned one.

A session of its own, nobody's child; no descriptor of its parents but the three standard ones, opened anew; signals, limits, umask and
environment as the asker has them; new random numbers; and the words in the process table that a spawned runner has.
"""

import ctypes
import gc
import os
import random
import resource
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from loopdeck.store.files import open_private
from loopdeck.store.layout import RunPaths
from loopdeck.supervisor.births import Request

# Made before anything is forked, as all that can be: what a runner makes or changes for itself takes memory that it could share.
_libc = ctypes.CDLL(None)
_SIGNALS = tuple(int(number) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_NAME = b"loopdeck.runner"
_PR_SET_NAME = 15
_ARGUMENTS = slice(45, 47)
"""Where /proc/PID/stat says from where to where the command line lies in memory, counted from behind the name."""
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)
"""What an interpreter ignores by itself."""


def born(request: Request) -> int:
    """Fork twice and let the grandchild become the runner; returns its process number once it is one. Raises OSError."""
    heard, told = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        try:
            if os.fork():
                os._exit(0)
            _become(request, told)
        finally:
            os._exit(70)
    os.close(told)
    with os.fdopen(heard, "rb") as words:
        said = words.read()
    os.waitpid(child, 0)
    number, _, why = said.partition(b" ")
    if not number:
        raise OSError(why.decode(errors="replace") or "the child died at birth")
    return int(number)


def _become(request: Request, told: int) -> NoReturn:
    """Be the runner. Says on `told` that all is well, or what is not, before the first thing is done."""
    paths = RunPaths(Path(request.dir))
    try:
        os.setsid()
        _signals()
        _surroundings(request)
        _descriptors(paths, told)
        os.write(told, str(os.getpid()).encode())
    except BaseException as error:
        os.write(told, f" {error}".encode())
        os._exit(70)
    os.close(told)
    random.seed()
    _title(paths)
    gc.enable()
    sys.argv = [sys.argv[0], str(paths.dir)]
    code = 1
    try:
        from loopdeck.runner.__main__ import main

        code = main(sys.argv)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def _signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN if number in _IGNORED else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _surroundings(request: Request) -> None:
    # Most of it is as it was: what isn't touched goes on being shared.
    for name in set(os.environb) - request.environment.keys():
        del os.environb[name]
    for name, value in request.environment.items():
        if os.environb.get(name) != value:
            os.environb[name] = value
    time.tzset()
    if request.umask >= 0:
        os.umask(request.umask)
    for which, soft, hard in request.limits:
        _limit(which, soft, hard)
    os.chdir("/")


def _limit(which: int, soft: int, hard: int) -> None:
    """Set a limit to what the asker has, as far as that is not more than we may."""
    now = resource.getrlimit(which)
    if (soft, hard) == now:
        return
    with suppress(ValueError, OSError):
        most = _less(hard, now[1])
        resource.setrlimit(which, (_less(soft, most), most))


def _less(one: int, other: int) -> int:
    if resource.RLIM_INFINITY in (one, other):
        return other if one == resource.RLIM_INFINITY else one
    return min(one, other)


def _descriptors(paths: RunPaths, told: int) -> None:
    log = open_private(paths.runner_log, os.O_WRONLY | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, number)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        if (number := int(name)) > 2 and number != told:
            # The one that listed them is closed already.
            with suppress(OSError):
                os.close(number)


def _title(paths: RunPaths) -> None:
    """Show in the process table what a spawned runner shows: over the words, and the room behind them, that we were started with."""
    words = b"\0".join((os.fsencode(sys.executable), b"-m", _NAME, os.fsencode(paths.dir))) + b"\0"
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        first, last = (int(field) for field in fields[_ARGUMENTS])
        if len(words) < last - first:
            ctypes.memmove(first, words.ljust(last - first, b"\0"), last - first)
        _libc.prctl(_PR_SET_NAME, _NAME, 0, 0, 0)
