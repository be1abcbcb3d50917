"""A verb run for the room: in a process of its own, so that what it takes on (git, checks) goes on if the room is closed meanwhile.

The verb is the same that a person would type; what it says is handed on line by line.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from msgspec import Struct

from loopdeck.deck.decks import Deck
from loopdeck.errors import StoreError

_LOOK_S = 0.05
_MOST = 1 << 20


class Outcome(Struct, frozen=True):
    """What came of it: the exit code (0: done), what it said, and what it complained of; raw text."""

    code: int
    said: str
    complaint: str


def errand(deck: Deck, words: tuple[str, ...], told: Callable[[str], object] = lambda _: None) -> Outcome:
    """Run `loopdeck` with `words` in the deck and wait for its end; blocks. `told` gets each line as it is said.

    Raises StoreError if it can't be started.
    """
    # Files and no pipes: whoever writes to a pipe that nobody reads any more is ended half-way.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = subprocess.Popen(
                # Without -P whatever is called `loopdeck` in the operator's checkout would be run; with -u it is heard as it goes.
                [sys.executable, "-P", "-u", "-m", "loopdeck", *words],
                cwd=deck.root, env={**os.environ, "LOOPDECK_HOME": str(deck.home.path.parent)},
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise StoreError(f"loopdeck can't be started: {error.strerror}", where=str(deck.root)) from error
        said, at = b"", 0
        while True:
            ended = process.poll()
            said += os.pread(out.fileno(), _MOST - len(said), len(said))
            *lines, _ = said[at:].split(b"\n")
            for line in lines:
                told(line.decode("utf-8", "replace"))
                at += len(line) + 1
            if ended is not None:
                complaint = os.pread(err.fileno(), _MOST, 0).decode("utf-8", "replace")
                return Outcome(ended, said.decode("utf-8", "replace"), complaint.strip().removeprefix("loopdeck: "))
            time.sleep(_LOOK_S)
