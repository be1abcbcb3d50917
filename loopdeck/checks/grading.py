"""How every check says its verdict, so that all of them look alike.

The invariant: a verdict that isn't `passed` always has a finding that says why, and one that is `passed` has none.
"""

import hashlib
import time
from collections.abc import Sequence

from msgspec import structs

from loopdeck.checks.output import plain_line
from loopdeck.core.findings import (
    SEVERITIES,
    CheckKind,
    Criterion,
    Evidence,
    Finding,
    Outcome,
    Verdict,
    finding,
)
from loopdeck.core.plural import some
from loopdeck.core.spec import CheckSpec
from loopdeck.core.text import clean_line

MOST_FINDINGS = 20
LONGEST_MESSAGE = 500


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)


def found(
    spec: CheckSpec,
    message: str,
    *,
    criterion: str = "",
    path: str = "",
    line: int = 0,
    evidence: str = "",
) -> Finding:
    """A finding of `spec`'s check, as grave as the check is. Outside text in `message`, `criterion` and `path` may be raw."""
    one = finding(
        spec.name,
        plain_line(criterion, 200) or spec.name,
        plain_line(message, LONGEST_MESSAGE),
        severity=spec.severity,
        path=clean_line(path, 400),
        line=line,
    )
    return structs.replace(one, evidence=evidence) if evidence else one


def with_snippet(one: Finding, snippet: str) -> Finding:
    """`one` with the code that causes it."""
    return structs.replace(one, snippet=snippet) if snippet else one


def capped(spec: CheckSpec, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """`findings`, at most `MOST_FINDINGS`: if there are more, the last one says how many are not listed."""
    if len(findings) <= MOST_FINDINGS:
        return tuple(findings)
    kept = MOST_FINDINGS - 1
    more = found(spec, f"and {some(len(findings) - kept, 'more finding')} of this check, not listed", criterion="more")
    return (*findings[:kept], more)


def graded(
    spec: CheckSpec,
    kind: CheckKind,
    findings: Sequence[Finding],
    evidence: Evidence,
    *,
    score: float | None = None,
    outcome: Outcome | None = None,
) -> Verdict:
    """The verdict of a check with one criterion: passed if there are no findings, unless `outcome` says what else it is."""
    decided: Outcome = outcome or ("failed" if findings else "passed")
    share = (1.0 if decided == "passed" else 0.0) if score is None else score
    reason = findings[0].message if findings else ""
    return Verdict(
        check=spec.name,
        kind=kind,
        outcome=decided,
        score=share,
        severity=spec.severity,
        findings=tuple(findings),
        criteria=(Criterion(spec.name, decided, reason),),
        evidence=evidence,
    )


def timed(verdict: Verdict, seconds: float) -> Verdict:
    """`verdict` with how long it took."""
    return structs.replace(verdict, seconds=seconds)


def broken(spec: CheckSpec, kind: CheckKind, message: str, now: str) -> tuple[Verdict, bytes]:
    """The verdict `error` of a check that could not be carried out, and its output."""
    one = found(spec, message, criterion="could not be carried out")
    output = message.encode("utf-8", "replace")
    evidence = Evidence(output_hash=sha256(output), tail=one.message, at=now)
    return graded(spec, kind, (one,), evidence, score=0.0, outcome="error"), output


def share(good: int, total: int) -> float:
    """The part of `total` that is good, in 0..1; never 1 unless all of it is."""
    if total <= 0:
        return 0.0
    return 1.0 if good >= total else min(round(max(good, 0) / total, 4), 0.9999)


def gravest_first(findings: Sequence[Finding]) -> list[Finding]:
    """`findings` with the gravest in front, else as they were."""
    return sorted(findings, key=lambda one: -SEVERITIES.index(one.severity))


def sha256(output: bytes) -> str:
    """The hash under which the run keeps `output`."""
    return hashlib.sha256(output).hexdigest()
