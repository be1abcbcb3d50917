"""Fees, in cents."""

GRACE_DAYS = 2
FEE_PER_DAY = 150
HIGHEST_FEE = 3000


def late_fee(days_late: int) -> int:
    """What a late tool costs: the grace days are free, and no fee is above the highest."""
    return max(0, days_late) * FEE_PER_DAY


def split(amount: int, people: int) -> list[int]:
    """`amount` shared out among people; the first ones pay the cents that don't divide."""
    return [amount // people] * people
