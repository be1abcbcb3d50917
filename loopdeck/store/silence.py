"""How long somebody has been silent, to one who goes on looking: what the clock on the wall says, unless that has been set.

Heartbeats are times of files, so that a clock that is set, or a machine that has slept, would make everybody look hung, or nobody.
Invariant: once the wall clock is seen to have moved by itself, silence is counted anew, on the clock that nobody sets.
"""

import time

_SET_S = 2.0
"""The two clocks drift apart by less than this between looks unless one was set or the machine slept."""


class Silence:
    """One observer's sense of time."""

    def __init__(self) -> None:
        self._apart: float | None = None
        self._since = float("-inf")

    def of(self, beat: float) -> float:
        """Seconds since a `beat` at that time of the wall clock."""
        wall, steady = time.time(), time.monotonic()
        apart, self._apart = self._apart, wall - steady
        if apart is not None and abs(self._apart - apart) > _SET_S:
            self._since = steady
        told, known = wall - beat, steady - self._since
        if told < -_SET_S and self._since > float("-inf"):
            # It beat before the clock was set back.
            return known
        return max(0.0, min(told, known))
