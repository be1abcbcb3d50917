"""Two iterations of a run beside each other: what was mended, what came, what the checks say now, and what each took. Pure.

The older one is always `before`, whichever was chosen first. Without one the run's beginning stands for it.
"""

from collections.abc import Sequence
from difflib import unified_diff
from typing import Literal

from msgspec import Struct

from loopdeck.core.findings import Finding, Outcome, Verdict
from loopdeck.core.shares import checker_share, cost_of, hit_share
from loopdeck.deck.passes import Pass

Unit = Literal["count", "dollars", "seconds", "share", "score"]


class Judged(Struct, frozen=True):
    """A check before and after: outcome and score; None where it was not run, or not there."""

    check: str
    before: Outcome | None
    after: Outcome | None
    score_before: float | None
    score_after: float | None

    @property
    def changed(self) -> bool:
        """True if it says something else now."""
        return self.before != self.after or self.score_before != self.score_after


class Figure(Struct, frozen=True):
    """A number before and after; None where it is not known. `better` says which way is, if one of them is."""

    name: str
    unit: Unit
    before: float | None
    after: float | None
    better: Literal["less", "more", "neither"] = "less"

    @property
    def change(self) -> float | None:
        """How much more it is; None if one of them is not known."""
        return None if self.before is None or self.after is None else self.after - self.before


class Comparison(Struct, frozen=True):
    """What differs between two iterations. A finding is in exactly one of `fixed`, `new` and `still`."""

    before: int
    after: int
    fixed: tuple[Finding, ...]
    new: tuple[Finding, ...]
    still: tuple[Finding, ...]
    checks: tuple[Judged, ...]
    figures: tuple[Figure, ...]


def ordered(one: int, other: int) -> tuple[int, int]:
    """The two numbers, the older iteration first."""
    return (one, other) if one <= other else (other, one)


def compare(before: Pass | None, after: Pass) -> Comparison:
    """What `after` has come to against `before`; without that, against the beginning, which had no verdicts and cost nothing."""
    old = before.findings if before else ()
    fixed, new, still = split(old, after.findings)
    return Comparison(
        before.number if before else 0, after.number, fixed, new, still, _checks(before.verdicts if before else (), after.verdicts),
        _figures(before, after),
    )  # fmt: skip


def split(before: Sequence[Finding], after: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[Finding, ...], tuple[Finding, ...]]:
    """Those only `before` has, those only `after` has, and those both have, as `after` tells them.

    What was found several times in one place counts as often: of three of which one is left, two are mended.
    """
    left: dict[str, list[Finding]] = {}
    for one in before:
        left.setdefault(one.fingerprint, []).append(one)
    new: list[Finding] = []
    still: list[Finding] = []
    for one in after:
        known = left.get(one.fingerprint)
        if known:
            known.pop()
            still.append(one)
        else:
            new.append(one)
    return tuple(one for known in left.values() for one in known), tuple(new), tuple(still)


def lines_between(before: str, after: str, context: int = 3) -> tuple[str, ...]:
    """The unified diff of two texts, without its heads; empty if they say the same."""
    return tuple(unified_diff(before.splitlines(), after.splitlines(), n=context, lineterm=""))[2:]


def _checks(before: Sequence[Verdict], after: Sequence[Verdict]) -> tuple[Judged, ...]:
    old = {(one.check, one.of_harness): one for one in before}
    now = {(one.check, one.of_harness): one for one in after}
    return tuple(_judged(key[0], old.get(key), now.get(key)) for key in dict.fromkeys((*now, *old)))


def _judged(check: str, old: Verdict | None, now: Verdict | None) -> Judged:
    return Judged(
        check, old.outcome if old else None, now.outcome if now else None, old.score if old else None, now.score if now else None
    )  # fmt: skip


def _figures(before: Pass | None, after: Pass) -> tuple[Figure, ...]:
    old, now = _numbers(before) if before else {}, _numbers(after)
    return tuple(Figure(name, unit, old.get(name), now[name], _BETTER.get(name, "less")) for name, unit in _UNITS.items())


_UNITS: dict[str, Unit] = {
    "score": "score", "findings": "count", "new findings": "count", "turns": "count", "tool calls": "count", "files": "count",
    "lines added": "count", "lines removed": "count", "tokens": "count", "cost": "dollars", "from cache": "share",
    "checker's cost": "share", "checker's time": "share", "duration": "seconds",
}  # fmt: skip
_BETTER: dict[str, Literal["more", "neither"]] = {
    "score": "more", "from cache": "more", "files": "neither", "lines added": "neither", "lines removed": "neither",
}  # fmt: skip


def _numbers(one: Pass) -> dict[str, float | None]:
    of, spend = one.iteration, one.iteration.spend
    values = (
        of.score, len(one.findings), one.new, of.turns, spend.tool_calls, of.files, of.added, of.removed, spend.usage.tokens,
        cost_of(spend), hit_share(spend.usage), checker_share(of), one.checker_time_share, of.seconds if one.over else None,
    )  # fmt: skip
    return dict(zip(_UNITS, values, strict=True))
