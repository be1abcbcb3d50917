"""What a run was charged, call by call, and how that adds up: the account of one run's journal.

Invariant: the account charges what the fold charges, each call once and never another amount, so that receipts, ledger and the run's
own figures are equal to the picodollar. What is not known is counted as unknown and never as 0.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from msgspec import Struct

from loopdeck.core import events as ev
from loopdeck.core.fold import Stamp
from loopdeck.core.happening import Reason, Role
from loopdeck.core.shares import hit_share
from loopdeck.core.unknown import Unknown
from loopdeck.core.usage import Certainty, Usage

_WORSE: tuple[Certainty, ...] = ("metered", "priced", "estimated")
K = TypeVar("K")


class Charge(Struct, frozen=True):
    """One model call as it was charged. `cost` in picodollars, None without a price; `at` is UTC, RFC 3339."""

    iteration: int
    role: Role
    model: str
    at: str
    usage: Usage
    cost: int | None
    certainty: Certainty
    failed: bool = False


Saving = Callable[[Charge], int | None]
"""What the provider's cache saved on a call in picodollars, less where writing to it cost more; None if no price is known."""


def no_saving(charge: Charge) -> int | None:
    """The saving where nobody knows a price: known only of a call in which no cache took part."""
    return None if charge.usage.cache_read or charge.usage.cache_write else 0


class Total(Struct, frozen=True):
    """What some calls came to. Totals add up in any order and grouping.

    `cost` is the known part in picodollars and `estimated` what of it is our own bound; `unpriced` counts calls whose price is not
    known, `unsaved` those of which nobody can say what the cache saved. `certainty` is that of the least certain call.
    """

    calls: int = 0
    failed: int = 0
    usage: Usage = Usage()
    cost: int = 0
    estimated: int = 0
    unpriced: int = 0
    saved: int = 0
    unsaved: int = 0
    certainty: Certainty = "metered"

    def __add__(self, other: "Total") -> "Total":
        return Total(
            self.calls + other.calls,
            self.failed + other.failed,
            self.usage + other.usage,
            self.cost + other.cost,
            self.estimated + other.estimated,
            self.unpriced + other.unpriced,
            self.saved + other.saved,
            self.unsaved + other.unsaved,
            max(self.certainty, other.certainty, key=_WORSE.index),
        )

    @property
    def whole_cost(self) -> int | None:
        """Picodollars, None if some of it has no known price."""
        return None if self.unpriced else self.cost

    @property
    def whole_saved(self) -> int | None:
        """Picodollars that caching saved, None if that is not known of some call."""
        return None if self.unsaved else self.saved

    @property
    def hit_share(self) -> float | None:
        """The part of all input that came from the provider's cache, in 0..1; None if nothing was sent."""
        return hit_share(self.usage)


NOTHING = Total()


def charged(charge: Charge, saved: int | None) -> Total:
    """One call as a total."""
    known = charge.cost or 0
    return Total(
        calls=1,
        failed=int(charge.failed),
        usage=charge.usage,
        cost=known,
        estimated=known if charge.certainty == "estimated" else 0,
        unpriced=int(charge.cost is None and charge.usage.tokens > 0),
        saved=saved or 0,
        unsaved=int(saved is None),
        certainty=charge.certainty,
    )


class Line(Struct, frozen=True):
    """All calls of one role with one model, on one day (UTC) of one iteration. Iteration 0 is before the first."""

    iteration: int
    role: Role
    model: str
    day: str
    total: Total


class Statement(Struct, frozen=True):
    """The account of one run as it stands. Seconds are active ones; `check_s` is the checks' part of them.

    `max_cost` is the run's cap in picodollars. A run that is still going on has no `reason`.
    """

    loop: str
    run: str
    lines: tuple[Line, ...] = ()
    reason: Reason | None = None
    iterations: int = 0
    seconds: float = 0.0
    check_s: float = 0.0
    max_cost: int | None = None

    @property
    def total(self) -> Total:
        """Everything the run was charged."""
        return added(line.total for line in self.lines)


class Account:
    """Takes in a run's journal, entry by entry."""

    def __init__(self, loop: str, run: str, saving: Saving = no_saving) -> None:
        self._loop, self._run = loop, run
        self._saving = saving
        self._lines: dict[tuple[int, Role, str, str], Total] = {}
        self._reserved: dict[str, ev.ModelCallReserved] = {}
        self._epoch = self._iteration = 0
        self._clock = self._check_s = 0.0
        self._reason: Reason | None = None
        self._max_cost: int | None = None

    def take(self, event: ev.AnyEvent, stamp: Stamp) -> None:
        """Charge what `event` charges. As in the fold, events of an older epoch and of unknown kinds don't count."""
        if stamp.epoch < self._epoch or isinstance(event, Unknown):
            return
        self._epoch, self._clock = stamp.epoch, stamp.clock
        match event:
            case ev.ModelCallReserved():
                self._reserved[event.call] = event
            case ev.ModelCallSettled():
                self._settle(event, stamp.at)
            case ev.RunnerStarted():
                self._charge_unsettled(stamp.at)
            case ev.RunEnded():
                self._reason = event.reason
                self._charge_unsettled(stamp.at)
            case ev.IterationStarted():
                self._iteration = event.iteration
            case ev.CheckFinished():
                self._check_s += event.verdict.seconds
            case ev.RunQueued() | ev.SettingChanged():
                self._max_cost = event.settings.max_cost
            case _:
                pass

    def statement(self) -> Statement:
        """What has come together so far."""
        lines = tuple(Line(*key, total) for key, total in self._lines.items())
        return Statement(self._loop, self._run, lines, self._reason, self._iteration, self._clock, self._check_s, self._max_cost)

    def _settle(self, event: ev.ModelCallSettled, at: str) -> None:
        reserved = self._reserved.pop(event.call, None)
        if reserved is not None:
            self._charge(reserved, at, event.usage, event.cost, event.certainty, failed=event.failure is not None)

    def _charge_unsettled(self, at: str) -> None:
        # Nobody will say any more what they cost, so they cost what was set aside.
        for reserved in self._reserved.values():
            bound = Usage(input=reserved.input_bound, output=reserved.output_cap)
            self._charge(reserved, at, bound, reserved.cost, "estimated", failed=True)
        self._reserved.clear()

    def _charge(self, of: ev.ModelCallReserved, at: str, usage: Usage, cost: int | None, certainty: Certainty, *, failed: bool) -> None:
        charge = Charge(self._iteration, of.role, of.model, at, usage, cost, certainty, failed)
        key = (self._iteration, of.role, of.model, at[:10])
        self._lines[key] = self._lines.get(key, NOTHING) + charged(charge, self._saving(charge))


def statement(loop: str, run: str, entries: Iterable[tuple[ev.AnyEvent, Stamp]], saving: Saving = no_saving) -> Statement:
    """The statement of a whole journal."""
    account = Account(loop, run, saving)
    for event, stamp in entries:
        account.take(event, stamp)
    return account.statement()


def added(totals: Iterable[Total]) -> Total:
    """Their sum."""
    return sum(totals, NOTHING)


def gathered(lines: Iterable[tuple[K, Total]]) -> Mapping[K, Total]:
    """The sum for each key, in the order in which the keys first came."""
    sums: dict[K, Total] = {}
    for key, total in lines:
        sums[key] = sums.get(key, NOTHING) + total
    return sums


class Receipt(Struct, frozen=True):
    """What one iteration of a run was charged, checks and everybody else (the maker) apart."""

    run: str
    iteration: int
    maker: Total
    check: Total

    @property
    def total(self) -> Total:
        """Both together."""
        return self.maker + self.check


def receipts(of: Statement) -> tuple[Receipt, ...]:
    """A receipt for each iteration that was charged anything, in order; together they are the statement's total."""
    sums = gathered(((line.iteration, line.role == "check"), line.total) for line in of.lines)
    numbers = sorted({iteration for iteration, _ in sums})
    return tuple(Receipt(of.run, number, sums.get((number, False), NOTHING), sums.get((number, True), NOTHING)) for number in numbers)
