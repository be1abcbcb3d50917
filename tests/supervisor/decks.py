"""A deck with a supervisor, and what can be asked of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loopdeck.core import events as ev
from loopdeck.deck.serving import SWITCH, ensure
from loopdeck.deck.tending import supervisor
from loopdeck.store.journal import verify_journal
from loopdeck.store.lease import look
from loopdeck.store.trace import verify_trace
from tests.e2e.seat import Seat, seated

ON = {SWITCH: "on"}


def until(holds: Callable[[], object], patience_s: float = 20, what: str = "") -> float:
    """Wait until it is so; how long that took, in seconds."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < patience_s, what or "in vain"
        time.sleep(0.01)
    return time.monotonic() - began


@contextmanager
def supervised(base: Path, files: dict[str, str]) -> Iterator[Seat]:
    """A seat before a deck whose verbs start supervisors; none is left at the end."""
    with seated(base, {"README.md": "# A project\n", **files}, ON) as seat:
        yield seat


def attend(seat: Seat) -> int:
    """Start a supervisor in the background, wait until it has its lease, and give its process."""
    assert ensure(seat.deck, environ=seat.env)
    # It has its lease a moment before its name is in it.
    until(lambda: (now := supervisor(seat.deck.home)).awake and now.pid is not None)
    return attending(seat)


def attending(seat: Seat) -> int:
    """The process of the supervisor there is."""
    pid = supervisor(seat.deck.home).pid
    assert pid is not None
    return pid


def slay_supervisor(seat: Seat) -> None:
    """kill -9 the supervisor, and see it gone."""
    with suppress(ProcessLookupError):
        os.kill(attending(seat), signal.SIGKILL)
    until(lambda: not supervisor(seat.deck.home).alive)


def words(seat: Seat) -> list[str]:
    """What supervisors in the background have said, without the time."""
    return [line[20:] for line in seat.deck.home.supervisor_log.read_text().splitlines()]


def lives(seat: Seat, loop: str) -> list[int]:
    """The lives of the loop's newest run, as its journal tells them."""
    return [one.life for one in seat.events(loop) if isinstance(one, ev.RunnerStarted)]


def holder(seat: Seat, loop: str) -> int:
    """The process that has or had the loop's newest run."""
    held = look(seat.paths(loop).lease).holder
    assert held is not None
    return held.pid


def whole(seat: Seat, loop: str) -> None:
    """Neither journal nor trace of the loop's newest run has a gap or damage."""
    paths = seat.paths(loop)
    for verification in (verify_journal(paths.journal), verify_trace(paths.trace)):
        assert verification.damage is None, (loop, verification)
    assert lives(seat, loop) == list(range(1, len(lives(seat, loop)) + 1))


@contextmanager
def serving(seat: Seat) -> "Iterator[subprocess.Popen[str]]":
    """`loopdeck serve`, its words to be read from its output."""
    command = [sys.executable, "-m", "loopdeck", "serve"]
    with subprocess.Popen(
        command, cwd=seat.repo, env=seat.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            until(lambda: supervisor(seat.deck.home).awake and attending(seat) == process.pid)
            yield process
        finally:
            process.kill()
