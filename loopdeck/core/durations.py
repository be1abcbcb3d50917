"""Durations as people write them: `"90s"`, `"30m"`, `"1h30m"`, `"2d"`."""

import re

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_AMOUNT = r"(?:(\d{1,9}(?:\.\d{1,6})?)%s)?"
_WRITTEN = re.compile("".join(_AMOUNT % unit for unit in _UNITS), re.ASCII)


def seconds(written: str) -> float | None:
    """`written` in seconds; None if it is not a duration. Each unit comes once at most, the longest first."""
    found = _WRITTEN.fullmatch(written.strip())
    if found is None or not any(found.groups()):
        return None
    sizes = zip(found.groups(), _UNITS.values(), strict=True)
    return sum(float(amount) * size for amount, size in sizes if amount)


def written(span: float) -> str:
    """`span` seconds as a loop file has it: `90s`, `1h30m`; the shortest that means the same."""
    if span != int(span):
        return f"{span:.6f}".rstrip("0").rstrip(".") + "s"
    left, parts = int(span), []
    for unit, size in _UNITS.items():
        amount, left = divmod(left, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"
