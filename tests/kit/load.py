"""A deck under load: many loops, some of which write many events a second, as runners do; a process of its own.

    python -m tests.kit.load REPO HOME_BASE LOOPS BUSY EVENTS_A_SECOND [ITERATIONS]

A busy run that has had so many iterations ends, and its loop begins another, as runs do that may not go on for ever.
It says `ready` on its standard output once every run is there, and goes on until its standard input is closed. Lines on the standard
input are orders: `ask LOOP` lets that loop's run want an approval, `begin LOOP N` lets it begin its iteration N, and each is answered
by the moment at which that was written.
"""

import os
import select
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from loopdeck.core import events as ev
from loopdeck.deck.decks import Deck
from tests.kit.written import WrittenRun

_BEAT_S = 2.0


class Load:
    """The writing process, from outside."""

    def __init__(self, process: "Popen[str]") -> None:
        self._process = process

    def ask(self, loop: str) -> float:
        """Let a run ask for an approval; the moment it was in the journal, on the monotonic clock of all processes."""
        return self._order(f"ask {loop}")

    def begin(self, loop: str, iteration: int) -> float:
        """Let a run begin that iteration; the moment as for `ask`."""
        return self._order(f"begin {loop} {iteration}")

    def _order(self, order: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


@contextmanager
def load(
    deck: Deck, base: Path, env: Mapping[str, str], *, loops: int, busy: int = 0, rate: float = 20.0, most: int = 1_000_000
) -> Iterator[Load]:
    """`loops` live runs, `busy` of which write `rate` events a second each, at `most` so many iterations; over with the block."""
    words = [sys.executable, "-m", "tests.kit.load", str(deck.root), str(base), str(loops), str(busy), str(rate), str(most)]
    with Popen(words, stdin=PIPE, stdout=PIPE, text=True, env={**os.environ, **env}) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield Load(process)
        finally:
            process.stdin.close()
            process.wait(10)


def name(number: int) -> str:
    """What the loops are called."""
    return f"loop-{number:03}"


def main(words: list[str]) -> None:
    """Write until nobody listens any more."""
    root, base, loops, busy, rate = Path(words[0]), words[1], int(words[2]), int(words[3]), float(words[4])
    most = int(words[5]) if len(words) > 5 else 1_000_000
    deck = Deck.open(root, {"LOOPDECK_HOME": base, "HOME": base})
    deck.home.make()
    # Where all is quiet, nothing has happened or was spent lately either.
    ago = 0.0 if busy else 1200.0
    runs = {name(number): WrittenRun(deck, name(number), ago_s=ago).begun().go_on(40) for number in range(loops)}
    for run in runs.values():
        run.checkpoint()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    # The last are the busy ones, so that the first rows are quiet.
    writing = list(runs.values())[loops - busy :]
    began = beat = time.monotonic()
    done = 0
    while True:
        wait = 0.25 if not writing else max(0.0, began + (done + 1) / (rate * len(writing)) - time.monotonic())
        ready, _, _ = select.select([sys.stdin], [], [], min(wait, 0.25))
        if ready and not _obey(runs, sys.stdin.readline()):
            return
        now = time.monotonic()
        if now - beat > _BEAT_S:
            beat = now
            for run in runs.values():
                if run.lease is not None:
                    run.lease.beat()
        due = int((now - began) * rate * len(writing)) if writing else 0
        while done < due:
            at = done % len(writing)
            if writing[at].iteration > most:
                loop = name(loops - busy + at)
                writing[at].end("max_iterations", checkpoint=False)
                writing[at] = runs[loop] = WrittenRun(deck, loop, ago_s=ago).begun()
            writing[at].go_on()
            done += 1


def _obey(runs: Mapping[str, WrittenRun], order: str) -> bool:
    if not order:
        return False
    verb, loop, *more = order.split()
    if verb == "ask":
        runs[loop].ask(f"a-{runs[loop].iteration}", f"git push origin {loop}")
    else:
        assert verb == "begin"
        runs[loop].tell(ev.IterationStarted(int(more[0]), "ab" * 32))
    sys.stdout.write(f"{time.monotonic()}\n")
    sys.stdout.flush()
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
