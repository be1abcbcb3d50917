"""How fast a run spends: picodollars an hour over the last minutes. The time is an argument."""

from collections import deque
from collections.abc import Iterable

WINDOW_S = 300.0
"""What was spent longer ago than this says nothing of now."""
LEAST_S = 60.0
"""A run that has just begun is taken to have gone on for so long, so that its first call does not look like a fortune an hour."""
_HOUR_S = 3600.0

Charge = tuple[float, int]
"""When (seconds since the epoch) and how much (picodollars)."""


class Burn:
    """The charges of the last minutes, in the order they were made; asking for the rate costs no more if there are many."""

    def __init__(self) -> None:
        self._charges: deque[Charge] = deque()
        self._sum = 0

    def __bool__(self) -> bool:
        return bool(self._charges)

    @property
    def first(self) -> float:
        """When the oldest that counts was made; for ever hence if there is none."""
        return self._charges[0][0] if self._charges else float("inf")

    def add(self, at: float, cost: int) -> None:
        """One more charge, the newest."""
        self._charges.append((at, cost))
        self._sum += cost

    def recall(self, earlier: Iterable[Charge]) -> None:
        """Charges from before the first, in their order."""
        older = list(earlier)
        self._charges.extendleft(reversed(older))
        self._sum += sum(cost for _, cost in older)

    def rate(self, began: float, now: float) -> int:
        """Picodollars an hour at `now`, of a run that began at `began`; what is too old is forgotten.

        So is what was made by a clock that has been set back since.
        """
        while self._charges and not now - WINDOW_S < self._charges[0][0] < now + WINDOW_S:
            self._sum -= self._charges.popleft()[1]
        span = min(WINDOW_S, max(LEAST_S, now - began))
        return round(self._sum * _HOUR_S / span)
