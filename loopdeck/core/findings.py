"""Verdicts and findings: what a check says, and each single thing that is wrong.

A finding's fingerprint survives moved lines, other numbers and other paths of the same run, so that `new` and `repeated xN`
can be told apart. The statuses map without loss onto LangChain's rubric results (an `unknown` criterion is one failed with its gap).
"""

import hashlib
import re
from typing import Literal

from msgspec import Struct, structs

Severity = Literal["blocker", "major", "minor"]
SEVERITIES: tuple[Severity, ...] = ("minor", "major", "blocker")
Outcome = Literal["passed", "failed", "unknown", "error"]
"""`unknown`: could not be judged; `error`: the check itself broke. Neither is ever a pass."""

CheckKind = Literal["command", "links", "schema", "scope", "metric", "rubric", "human", "protect", "tools"]
Problem = Literal["malformed_output", "tool_failed", "regression"]
"""Three ways to go wrong that are never mixed up: the model's output, a tool, the work."""


class Evidence(Struct, frozen=True, omit_defaults=True):
    """How a verdict is proven: the command or model asked, its exit code, the hash of its whole output, the end of it, and when.

    `at` is UTC, RFC 3339; `output_hash` is the SHA-256 of the whole output, which the run keeps as a blob of that name.
    """

    command: str = ""
    exit_code: int | None = None
    output_hash: str = ""
    tail: str = ""
    at: str = ""
    model: str = ""


class Finding(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong, as the maker will read it.

    `path` is relative to the repository root, `line` counts from 1 (0: none). `seen` counts the iterations in a row that had
    it: 1 is new. `regression` says that its check had passed in the iteration before.
    """

    fingerprint: str
    check: str
    criterion: str
    message: str
    severity: Severity = "major"
    path: str = ""
    line: int = 0
    snippet: str = ""
    evidence: str = ""
    seen: int = 1
    regression: bool = False

    @property
    def status(self) -> str:
        """`new`, or `repeated xN`."""
        return "new" if self.seen <= 1 else f"repeated x{self.seen}"

    @property
    def location(self) -> str:
        """`path:line`, `path`, or nothing."""
        return f"{self.path}:{self.line}" if self.path and self.line else self.path


class Criterion(Struct, frozen=True, omit_defaults=True):
    """The verdict on one criterion of a check; checks without criteria have one, named as the check."""

    id: str
    outcome: Outcome
    reason: str = ""


class Verdict(Struct, frozen=True, omit_defaults=True):
    """What one check said of one commit. `score` is in 0..1; `seconds` is how long it took."""

    check: str
    kind: CheckKind
    outcome: Outcome
    score: float
    severity: Severity = "major"
    findings: tuple[Finding, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    evidence: Evidence = Evidence()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Only `passed` is a pass."""
        return self.outcome == "passed"

    @property
    def of_harness(self) -> bool:
        """True if the harness says it of its own accord, and no check of the loop, whatever that is called."""
        return self.kind in ("protect", "tools")


_UUID = r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
_VOLATILE = re.compile(rf"{_UUID}|0x[0-9a-fA-F]+|\b[0-9a-f]{{7,64}}\b|\d+")
# Only an absolute path's folders: those of a relative path or of an address tell one place from another.
_ROOTED = re.compile(r"(?<![\w.+@/-])(?:/[\w.+@-]+)+/")


def fingerprint(check: str, criterion: str, path: str, message: str) -> str:
    """A finding's identity: 12 hex digits over what stays when lines move, clocks tick and checkouts change place."""
    steady = _VOLATILE.sub("#", _ROOTED.sub("", message)).strip().lower()
    return hashlib.sha256("\x00".join((check, criterion, path, steady)).encode("utf-8", "replace")).hexdigest()[:12]


def finding(check: str, criterion: str, message: str, *, severity: Severity = "major", path: str = "", line: int = 0) -> Finding:
    """A new finding with its fingerprint; add `snippet` and `evidence` with `msgspec.structs.replace`."""
    return Finding(fingerprint(check, criterion, path, message), check, criterion, message, severity, path, line)


def at_least(severity: Severity, floor: Severity) -> bool:
    """True if `severity` is as grave as `floor` or graver."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(floor)


def counted(found: tuple[Finding, ...], before: tuple[Finding, ...], regressed: bool) -> tuple[Finding, ...]:
    """`found` with `seen` counted on from the findings of the iteration `before`, and marked where the check had passed there."""
    known = {old.fingerprint: old.seen for old in before}
    return tuple(
        structs.replace(one, seen=known.get(one.fingerprint, 0) + 1, regression=regressed and one.fingerprint not in known)
        for one in found
    )
