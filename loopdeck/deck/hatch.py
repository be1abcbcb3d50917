"""Where snapshots go out: one at a time, and no faster than a screen can show them.

Invariant: after one was handed out none follows until it was taken, however much happens; then the newest state follows, and what lay
between is never made.
"""

import os
import select
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from loopdeck.deck.attention import Order
from loopdeck.deck.snapshot import DeckFacts, Detail, LoopRow, Snapshot

FRAME_S = 1 / 24
"""Snapshots come no faster than this, unless somebody has come to wait for the operator."""

Post = Callable[[Snapshot], None]


class Hatch:
    """Hands snapshots to `post`. All but `taken` is for one thread."""

    def __init__(self, post: Post, bell: "Bell") -> None:
        self._post = post
        self._bell = bell
        self._fresh = True
        self._urgent = False
        self._out = False
        self._at = 0.0
        self.number = 0

    @property
    def waits(self) -> bool:
        """True while the last snapshot has not been taken."""
        return self._out

    def taken(self) -> None:
        """The last snapshot has arrived. May be called in any thread."""
        self._out = False
        if self._fresh or self.number == 1:
            self._bell.ring()

    def stir(self, shows: bool = True, *, urgent: bool = False) -> None:
        """There is something new to show, if `shows`; what is `urgent` waits for no frame."""
        self._fresh = self._fresh or shows
        self._urgent = self._urgent or (shows and urgent)

    def due(self) -> float:
        """When the next may go out, on the monotonic clock; never if there is nothing to show or nobody to take it."""
        if not self._fresh or self._out:
            return float("inf")
        return self._at if self._urgent else self.opens

    @property
    def opens(self) -> float:
        """When the next may go out at the earliest, on the monotonic clock, if there is something by then."""
        return self._at + FRAME_S

    def hand_over(self, rows: Iterable[tuple[Order, LoopRow]], facts: Iterable[DeckFacts], details: tuple[Detail, ...]) -> None:
        """Hand out what there is now."""
        self._fresh = self._urgent = False
        self._out = True
        self._at = time.monotonic()
        self.number += 1
        ordered = sorted(rows, key=lambda pair: pair[0])
        self._post(Snapshot(self.number, time.time(), tuple(facts), tuple(row for _, row in ordered), details))


class Bell:
    """Wakes a thread that waits for something else as well."""

    def __init__(self) -> None:
        self._hear, self._strike = os.pipe()
        os.set_blocking(self._hear, False)
        os.set_blocking(self._strike, False)

    def ring(self) -> None:
        """Wake it. May be called in any thread."""
        with suppress(BlockingIOError, OSError):
            os.write(self._strike, b"!")

    def wait(self, until: float, other: int | None = None) -> bool:
        """Sleep until the monotonic clock says `until`, somebody rings, or `other` can be read; True if that can."""
        poller = select.poll()
        poller.register(self._hear, select.POLLIN)
        if other is not None:
            poller.register(other, select.POLLIN)
        ready = [found for found, _ in poller.poll(max(0.0, until - time.monotonic()) * 1000)]
        if self._hear in ready:
            with suppress(BlockingIOError):
                os.read(self._hear, 4096)
        return other in ready

    def close(self) -> None:
        """Give the descriptors back."""
        for one in (self._hear, self._strike):
            with suppress(OSError):
                os.close(one)
