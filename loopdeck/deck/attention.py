"""Who needs the operator, and in which order: pure functions over rows.

Invariant: the order depends on nothing that changes by itself (no age, no spend), so that rows change places only when one of them
comes to need the operator more, or less.
"""

from datetime import datetime
from functools import lru_cache
from typing import get_args

from loopdeck.core.happening import Reason
from loopdeck.core.lifecycle import Status
from loopdeck.deck.snapshot import Attention, LoopRow

RANKS: dict[Attention, int] = {name: rank for rank, name in enumerate(get_args(Attention))}
"""The most urgent is 0."""

_LIVE: dict[Status, Attention] = {
    "asking": "asking", "hung": "broken", "waiting": "waiting", "paused": "waiting", "running": "working", "stopping": "working",
    "queued": "queued", "idle": "quiet",
}  # fmt: skip

Order = tuple[int, float, int, str, str]


def attention(status: Status, reason: Reason | None, *, unread: int = 0, damaged: bool = False) -> Attention:
    """How much a run needs the operator. What asks him does so even if its journal is damaged."""
    if status == "asking":
        return "asking"
    if damaged or reason in ("lost", "error"):
        return "broken"
    if status == "ended":
        return "unread" if unread else "quiet"
    return _LIVE[status]


def order(row: LoopRow) -> Order:
    """What rows are sorted by: who needs the operator most, then deck, loop and run by name.

    Of those that ask him the one comes first that has waited longest, of those that ended the newest.
    """
    when = 0.0
    match row.attention:
        case "asking":
            when = asked_at(row)
        case "broken" | "unread" if row.status == "ended":
            when = -row.ended_at
        case "queued":
            when = row.last_at
        case _:
            pass
    return (RANKS[row.attention], when, row.deck, row.loop, row.run)


def asked_at(row: LoopRow) -> float:
    """Since when somebody is waited for, in seconds since the epoch; 0 if nobody is."""
    if row.status != "asking":
        return 0.0
    return min((moment(one.since) for one in row.approvals), default=0.0) or row.last_at


@lru_cache(maxsize=2048)
def moment(at: str) -> float:
    """A time of a journal (UTC, RFC 3339) in seconds since the epoch; 0 if it is none."""
    if not at:
        return 0.0
    try:
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError):
        return 0.0
