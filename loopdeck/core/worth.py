"""What the money bought and how long it will last: cost per accepted result, the checker's share, the forecast.

Pure. A share of nothing and a cost that is not known are None, never 0.
"""

from collections.abc import Collection, Iterable

from msgspec import Struct

from loopdeck.core.ledger import NOTHING, Statement, Total, added

_HOUR_S = 3600.0


class Worth(Struct, frozen=True):
    """What one loop's runs came to. `merged` is None where nobody knows; `check` is the checks' part of `total`.

    Seconds are active ones.
    """

    loop: str
    runs: int = 0
    ended: int = 0
    done: int = 0
    merged: int | None = None
    iterations: int = 0
    total: Total = NOTHING
    check: Total = NOTHING
    seconds: float = 0.0
    check_s: float = 0.0

    @property
    def per_done(self) -> int | None:
        """Picodollars for each run that ended done; failures are in it, since they were the price of the rest."""
        return _each(self.total, self.done)

    @property
    def per_merged(self) -> int | None:
        """Picodollars for each run that was merged."""
        return _each(self.total, self.merged or 0)

    @property
    def per_iteration(self) -> int | None:
        """Picodollars for each iteration."""
        return _each(self.total, self.iterations)

    @property
    def done_per_iteration(self) -> float | None:
        """Accepted results for each iteration: the leverage of one."""
        return self.done / self.iterations if self.iterations else None

    @property
    def check_share(self) -> float | None:
        """The checks' part of the cost in 0..1, of the tokens where a price is unknown or nothing was charged."""
        if self.total.unpriced or not self.total.cost:
            tokens = self.total.usage.tokens
            return self.check.usage.tokens / tokens if tokens else None
        return self.check.cost / self.total.cost

    @property
    def check_time_share(self) -> float | None:
        """The checks' part of the active time in 0..1; checks that overlap can't take more than all of it."""
        return min(self.check_s / self.seconds, 1.0) if self.seconds > 0 else None


def worth(loop: str, statements: Iterable[Statement], merged: Collection[str] | None = None) -> Worth:
    """What the runs of `loop` came to; `merged` are the ids of runs that were merged, None if that is not known."""
    of = [one for one in statements if one.loop == loop]
    return Worth(
        loop=loop,
        runs=len(of),
        ended=sum(one.reason is not None for one in of),
        done=sum(one.reason == "done" for one in of),
        merged=None if merged is None else sum(one.run in merged for one in of),
        iterations=sum(one.iterations for one in of),
        total=added(one.total for one in of),
        check=added(line.total for one in of for line in one.lines if line.role == "check"),
        seconds=sum(one.seconds for one in of),
        check_s=sum(one.check_s for one in of),
    )


def _each(total: Total, count: int) -> int | None:
    return total.cost // count if count and not total.unpriced else None


def reached_in(left: int, rate: int) -> float | None:
    """Seconds until `left` picodollars are spent at `rate` an hour: 0 if none is left, None if nothing is being spent."""
    if left <= 0:
        return 0.0
    return left * _HOUR_S / rate if rate > 0 else None
