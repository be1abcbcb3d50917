"""Seeing to it that a deck has a supervisor, without ever waiting for one or depending on it."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

from loopdeck.deck.decks import Deck
from loopdeck.deck.tending import supervisor
from loopdeck.errors import StoreError
from loopdeck.store.files import open_private
from loopdeck.supervisor import births
from loopdeck.supervisor.spawn import detached

SWITCH = "LOOPDECK_SUPERVISOR"
"""The variable that, set to `off`, keeps every process of ours from running on in the background but runners."""
_WARM_S = 5.0
_BORN_S = 1.5
"""How long a supervisor may take until it has its lease."""
_LOOK_S = 0.02
_LONGEST_LOG = 1 << 20


def ensure(deck: Deck, *, now: bool = False, environ: Mapping[str, str] | None = None) -> bool:
    """Start a supervisor for the deck in the background if it has none; False if it has none and is to have none, or can't have one.

    Returns at once. `now` lets it warm up a process for runners without delay. It inherits `environ` (that of this process), and with
    it the keys that runs need which it resumes later.
    """
    environ = os.environ if environ is None else environ
    if supervisor(deck.home).alive:
        return True
    if environ.get(SWITCH, "").lower() == "off" or births.WITHIN_A_RUN in environ:
        return False
    words = [sys.executable, "-m", "loopdeck.supervisor", str(deck.home.path), str(deck.root), *(["now"] if now else [])]
    # Runs are started without it as well.
    with suppress(StoreError, OSError):
        deck.home.make()
        detached(words, _log(deck), dict(environ))
        return True
    return False


def await_warmth(deck: Deck, patience_s: float = _WARM_S) -> bool:
    """Wait until runners can be forked from a warm process, for whoever is about to start many; False if they can't be in time."""
    began = time.monotonic()
    while births.WORKS and (waited := time.monotonic() - began) < patience_s:
        if births.is_warm(deck.home):
            return True
        if waited > _BORN_S and not supervisor(deck.home).alive:
            break
        time.sleep(_LOOK_S)
    return False


def _log(deck: Deck) -> int:
    """The supervisor's log, begun anew when it has grown long. Raises OSError."""
    path = deck.home.supervisor_log
    with suppress(OSError):
        if path.stat().st_size > _LONGEST_LOG:
            path.unlink()
    return open_private(path, os.O_WRONLY | os.O_APPEND)
