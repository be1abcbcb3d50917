"""A warm process of a test's own, and runs that nobody has begun."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from loopdeck.deck.launch import readied
from loopdeck.shipped import prompt_text
from loopdeck.store import specs
from loopdeck.store.files import open_private
from loopdeck.store.frozen import Frozen, freeze
from loopdeck.store.layout import RunPaths, claim_run
from loopdeck.supervisor import births
from loopdeck.supervisor.spawn import detached
from tests.e2e.seat import Seat


@contextlib.contextmanager
def warmed(seat: Seat, *sdks: str) -> "Iterator[subprocess.Popen[bytes]]":
    """The warm process of the seat's deck, ready; gone when the block ends."""
    home = seat.deck.home
    home.make()
    command = [sys.executable, "-m", "loopdeck.supervisor.forkserver", str(home.path), ",".join(sdks), births.ROOM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=seat.env, cwd="/", start_new_session=True) as process:
        try:
            deadline = time.monotonic() + 20
            while not births.is_warm(home):
                assert process.poll() is None
                assert time.monotonic() < deadline, "it does not get warm"
                time.sleep(0.01)
            yield process
        finally:
            process.kill()


def environment(seat: Seat, **more: str) -> dict[bytes, bytes]:
    """What a verb at that seat has in its environment."""
    return {os.fsencode(name): os.fsencode(value) for name, value in {**seat.env, **more}.items()}


def begun(seat: Seat, name: str) -> RunPaths:
    """A run of the loop with a runner on it, as a verb would leave it, in a tenth of the time."""
    paths = made(seat, name)
    log = open_private(paths.runner_log, os.O_WRONLY | os.O_APPEND)
    detached([sys.executable, "-m", "loopdeck.runner", str(paths.dir)], log, seat.env)
    return paths


def made(seat: Seat, name: str) -> RunPaths:
    """A run of the loop that was written down, and that nobody has begun."""
    deck = seat.deck
    [spec] = readied(deck, [name])
    paths = claim_run(deck.home, name, datetime.now(UTC))
    texts = {"template": prompt_text("maker.md"), "state": specs.initial_state(deck.root, name)}
    files = {**specs.gather(deck.root, spec), **texts}
    settings = specs.load_deck(deck.root).deck
    freeze(paths.dir, Frozen(name, paths.run, str(deck.root), str(deck.repo.common_dir), "2026-11-21T07:15:00Z", spec, settings, files))
    return paths
