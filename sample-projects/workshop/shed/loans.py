"""When a tool is due, and when it is late."""

from datetime import date, timedelta

CLOSED = 6  # Sunday


def due_date(lent: date, days: int) -> date:
    """The day a tool has to be back; if the shed is closed on it, the day after."""
    due = lent + timedelta(days=days)
    return due + timedelta(days=1) if due.weekday() == CLOSED else due


def is_late(due: date, today: date) -> bool:
    """True from the day after it was due."""
    return today >= due
