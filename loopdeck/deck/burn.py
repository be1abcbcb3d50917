"""How fast a run spends: picodollars an hour over the last minutes. Pure: the time is an argument."""

from collections import deque
from collections.abc import Iterable

WINDOW_S = 300.0
"""What was spent longer ago than this says nothing of now."""
LEAST_S = 60.0
"""A run that has just begun is taken to have gone on for so long, so that its first call does not look like a fortune an hour."""
_HOUR_S = 3600.0

Charge = tuple[float, int]
"""When (seconds since the epoch) and how much (picodollars)."""


def rate(charges: Iterable[Charge], began: float, now: float) -> int:
    """Picodollars an hour, from what was charged in the window before `now` by a run that began at `began`."""
    since = now - WINDOW_S
    spent = sum(cost for at, cost in charges if at > since)
    span = min(WINDOW_S, max(LEAST_S, now - began))
    return round(spent * _HOUR_S / span)


def forget(charges: "deque[Charge]", now: float) -> None:
    """Drop from the left what is too old to matter at `now`."""
    while charges and charges[0][0] <= now - WINDOW_S:
        charges.popleft()
