"""What an approval holds for, how long it holds, and what has changed since: pure, over parts that the runner measures.

Invariant: an answer is used for the very question that it answers, within its time, and only while every part of the call is as it was
when it was asked. A part is a name and a short digest; the digest of the question covers them all. No clock that jumps, and nobody who
stays away, ever turns a question into a yes: what is too old is asked again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from loopdeck.core.run import Approval, Given, Run

LASTS_S = 24 * 3600.0
"""So long a question stands; then it is asked anew, with things as they are by then."""
FRESH_S = 600.0
"""So long an answer is good for: its call has to start within that time."""
_AHEAD_S = 60.0
"""An answer from further ahead than this comes from another clock."""

Parts = tuple[tuple[str, str], ...]

_CHANGED = {
    "arguments": "its arguments are others",
    "argv": "what would be started is something else",
    "folder": "the folder it runs in is another one",
    "environment": "its environment changed",
    "sandbox": "what holds it changed",
    "policy": "the rules changed",
    "program": "the program it starts is another one",
}
FILE = "file "
"""What the name of a part begins with that is a file's content."""


def short(value: object) -> str:
    """A part's value as it is kept: the beginning of a SHA-256, in hex."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def canonical(arguments: str) -> str:
    """Arguments as the JSON value that they are, however they are written."""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return arguments


def digest(question: str, parts: Parts) -> str:
    """What an answer names: SHA-256, in hex, over the question's own name (run, number, epoch) and all parts."""
    whole = json.dumps([question, sorted(parts)], separators=(",", ":"))
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def differences(before: Parts, now: Parts) -> tuple[str, ...]:
    """What has changed, in words."""
    old, new = dict(before), dict(now)
    return tuple(_said(name, old, new) for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name))


def _said(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    if not name.startswith(FILE):
        return _CHANGED.get(name, f"its {name} changed")
    path = name.removeprefix(FILE)
    if name not in new:
        return f"{path} is gone"
    return f"{path} changed" if name in old else f"{path} is new"


def lapsed(approval: Approval, now: str) -> str:
    """Why a question can't be answered any more; empty if it can. A time that can't be read has passed."""
    if not approval.expires:
        return ""
    left = seconds_between(now, approval.expires)
    return "" if left is not None and left > 0 else f"nobody answered it before {approval.expires}"


def stale(approval: Approval, now: str) -> str:
    """Why an answer is not used; empty if it may be."""
    if not approval.at:
        return ""
    age = seconds_between(approval.at, now)
    if age is None or age < -_AHEAD_S:
        return f"the answer says it was given at {approval.at}, which is no time before now"
    if age > FRESH_S:
        return f"the answer was given at {approval.at}, longer than {FRESH_S / 60:g} minutes ago"
    late = seconds_between(approval.expires, approval.at) if approval.expires else None
    return f"the answer came at {approval.at}, after the question had expired" if late is not None and late >= 0 else ""


def due(run: Run, now: str) -> tuple[Approval, str] | None:
    """The question that a run waits with and that has lapsed, and why."""
    if run.status != "asking" or run.asking != "approval":
        return None
    approval = run.approvals[run.asking_for]
    why = lapsed(approval, now)
    return (approval, why) if why else None


def in_force(rules: Sequence[Given], now: str, clock: float) -> tuple[str, ...]:
    """The rules given by hand that still hold: by the wall's clock and by the run's own, which nobody can set back."""
    return tuple(one.rule for one in rules if _holds(one, now, clock))


def _holds(one: Given, now: str, clock: float) -> bool:
    if not one.for_s:
        return True
    age = seconds_between(one.at, now)
    return age is not None and -_AHEAD_S <= age < one.for_s and clock - one.clock < one.for_s


def seconds_between(first: str, then: str) -> float | None:
    """Seconds from one time to another (RFC 3339); None if one of them can't be read."""
    try:
        return (datetime.fromisoformat(then) - datetime.fromisoformat(first)).total_seconds()
    except (ValueError, TypeError):
        return None
