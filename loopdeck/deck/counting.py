"""Unread lines counted aside: git is asked, which takes as long as it likes, and nobody waits for it.

Invariant: while nothing has changed that a count depends on, nothing is counted.
"""

import threading
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from loopdeck.deck.decks import Deck
from loopdeck.deck.snapshot import Fate
from loopdeck.errors import LoopdeckError


class Counts(NamedTuple):
    """By the ids of runs: the lines of them that are unread, and what became of their changes."""

    lines: Mapping[str, int] = {}
    fates: Mapping[str, Fate] = {}


Counted = Callable[[int, Counts, str], None]
"""Takes the number of a deck, its counts, and what went wrong, if something did."""


class Counting:
    """Counts for several decks, in one thread that is there from the first question on."""

    def __init__(self, decks: tuple[Deck, ...], counted: Counted) -> None:
        self._decks = decks
        self._counted = counted
        self._asked: SimpleQueue[int | None] = SimpleQueue()
        self._stamps: dict[int, Hashable] = {}
        self._thread: threading.Thread | None = None

    def ask(self, number: int, over: Hashable) -> None:
        """Count for that deck if marks, branches or `over` (which runs have ended) are others than the last time."""
        stamp = (_stamp(self._decks[number]), over)
        if self._stamps.get(number) == stamp:
            return
        self._stamps[number] = stamp
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="counting", daemon=True)
            self._thread.start()
        self._asked.put(number)

    def stop(self) -> None:
        """Count no more. A git that is at it is not waited for."""
        self._asked.put(None)

    def _run(self) -> None:
        from loopdeck.deck.unread import Unread

        counters = [Unread(deck) for deck in self._decks]
        while (number := self._asked.get()) is not None:
            said, counts = "", Counts()
            try:
                # Asked only because something has changed.
                debt = counters[number].look(closely=True)
                counts = Counts({one.run: one.lines for one in debt.owed}, debt.fates)
            except LoopdeckError as error:
                said = str(error)
            self._counted(number, counts, said)


def _stamp(deck: Deck) -> Hashable:
    """What changes when somebody reads, merges, discards, commits or changes branches."""
    common = deck.repo.common_dir
    places = (
        deck.home.readmarks, deck.repo.git_dir / "logs" / "HEAD", deck.repo.git_dir / "HEAD", common / "packed-refs",
        common / "refs" / "heads", common / "refs" / "heads" / "loop",
    )  # fmt: skip
    return tuple(_changed(one) for one in places)


def _changed(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0
