"""Goals of speed: what was measured, beside the least that must hold and the best there is a point in aiming for.

Ratios and counts of one run only, so that a noisy machine moves both sides of a figure.
"""

from collections.abc import Callable
from statistics import median
from typing import Literal

Better = Literal["lower", "higher"]

summary: list[str] = []
"""A line for each goal measured in this process, in the order they were."""


def goal(number: int | str, name: str, measured: float, minimum: float, extreme: float, better: Better = "lower") -> None:
    """Print a line for goal `number` (a letter for those outside the table) and fail if `measured` misses `minimum`.

    The distance is how far it is from the extreme: 0 % is reached or passed, 100 % stands just on the minimum.
    """
    met = measured <= minimum if better == "lower" else measured >= minimum
    span = abs(extreme - minimum)
    short = (measured - extreme) if better == "lower" else (extreme - measured)
    distance = max(0.0, short / span) if span else float(short > 0)
    sign = "<=" if better == "lower" else ">="
    line = (
        f"goal {number:>2} {name}: {measured:.4g} (minimum {sign} {minimum:g}, extreme {sign} {extreme:g}, "
        f"{distance:.0%} of the way back from the extreme to the minimum) {'met' if met else 'MISSED'}"
    )
    summary.append(line)
    # The figures are the very output of a bench.
    print(f"\n{line}")  # noqa: T201 - the figures are the output
    assert met, f"goal {number} {name}: {measured:.4g} is not {sign} {minimum:g}"


def say(text: str) -> None:
    """Print figures that explain a goal's."""
    # The figures are the very output of a bench.
    print(f"\n  {text}", end="")  # noqa: T201 - the figures are the output


def rounds(times: int, *ways: Callable[[], float]) -> list[float]:
    """The median of `times` results of each of `ways`, taken in turns, so that a slow moment hits all of them."""
    results: list[list[float]] = [[] for _ in ways]
    for _ in range(times):
        for way, kept in zip(ways, results, strict=True):
            kept.append(way())
    return [median(kept) for kept in results]
