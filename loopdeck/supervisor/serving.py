"""A supervisor from its lease to its end, in the foreground or behind everybody's back."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from loopdeck.store.layout import DeckHome
from loopdeck.store.lease import Lease
from loopdeck.supervisor.observe import Observer
from loopdeck.supervisor.plan import is_open
from loopdeck.supervisor.service import WARM_AFTER_S, Supervisor, Tell

AT_ONCE_CODE = 128 + signal.SIGTERM
"""The exit code of a supervisor that was told to go twice."""


def serve(home: DeckHome, root: Path, tell: Tell, *, for_ever: bool, warm_after_s: float = WARM_AFTER_S) -> bool:
    """Supervise the deck until told to go, or, if not `for_ever`, until nothing is left to look after; False if somebody else does.

    TERM or INT: nothing more is started, what is being started is waited for. A second one ends the process at once. Either way all
    runners live on. Raises StoreError.
    """
    if for_ever:
        home.make()
    elif not (home.runs.is_dir() and root.is_dir()):
        # Deleted since it was asked for: nothing of it is to be made again behind anybody's back.
        return False
    with _woken() as (wake, signals):
        while (held := Lease.take(home.supervisor)) is not None:
            supervisor = Supervisor(home, root, held, tell)
            signals.append(supervisor)
            tell(f"supervises {root}, process {os.getpid()}, life {held.epoch}")
            try:
                reason = supervisor.serve(wake, for_ever=for_ever, warm_after_s=warm_after_s)
            finally:
                held.release()
            if reason == "stale":
                tell("loopdeck is another version by now: begins anew")
                os.execv(sys.executable, sys.orig_argv)
            # Who looked at the lease a moment before it was given back counts on it.
            if reason != "idle" or not any(is_open(one) for one in Observer(home).look((), {}).values()):
                tell(f"leaves: {_WHY[reason]}")
                return True
    return False


_WHY = {
    "drained": "it was told to; all runs go on",
    "idle": "there is nothing to look after",
    "replaced": "its lease is gone, or its checkout",
}


@contextmanager
def _woken() -> Iterator[tuple[int, list[Supervisor]]]:
    """A descriptor that can be read once a signal came, and a list whose last supervisor will have been told."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    told_to_go: list[Supervisor] = []

    def go(number: int, frame: FrameType | None) -> None:
        if not told_to_go or told_to_go[-1].draining:
            os._exit(AT_ONCE_CODE)
        told_to_go[-1].draining = True

    before = {number: signal.signal(number, go) for number in (signal.SIGTERM, signal.SIGINT)}
    waker = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    try:
        yield heard, told_to_go
    finally:
        signal.set_wakeup_fd(waker)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(heard)
        os.close(told)
