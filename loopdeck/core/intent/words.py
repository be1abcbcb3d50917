"""The words that sentences are made of: numbers, amounts of money, durations, paths. Each a pattern and what a match of it means."""

import re
from decimal import Decimal
from typing import NamedTuple

from loopdeck.core import shapes
from loopdeck.core.intent.facts import Facts

_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_OTHERS = {"a": 1, "an": 1, "a single": 1, "single": 1, "once": 1, "twice": 2, "a couple of": 2, "a dozen": 12, "a few": 3}
_UNITS = {
    "second": 1,
    "sec": 1,
    "s": 1,
    "minute": 60,
    "min": 60,
    "m": 60,
    "hour": 3600,
    "h": 3600,
    "hr": 3600,
    "day": 86_400,
    "d": 86_400,
}
_SIZES = {"": 1, "k": 1000, "thousand": 1000, "m": 1_000_000, "million": 1_000_000}

NUMBER = (
    rf"(?:\d{{1,3}}(?:,\d{{3}})+|\d{{1,9}}|a single|a couple of|a dozen|a few|(?:{'|'.join(reversed(_NUMBERS))}|single|an|a)(?!\w))"
)
"""A whole number, in digits or words."""
MONEY = r"(?:(?:US)?\$\s?\d{1,7}(?:\.\d{1,4})?|\d{1,7}(?:\.\d{1,4})?\s?(?:\$|usd\b|dollars?\b|bucks\b|cents?\b|¢)|" + (
    rf"(?:{'|'.join(reversed(_NUMBERS))}|a|one)\s(?:dollars?|bucks|cents?)\b)"
)
"""An amount in dollars or cents."""
DURATION = (
    r"(?:(?:half an hour|an hour and a half)|"
    rf"(?:\d{{1,6}}(?:\.\d{{1,3}})?|{NUMBER})\s?(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|[smhd])(?![a-z])"
    r"(?:(?:\sand\s|\s)?\d{1,4}\s?(?:seconds?|secs?|minutes?|mins?|[sm])(?![a-z]))?)"
)
"""A span of time."""
TOKENS = r"(?:\d{1,3}(?:,\d{3})+|\d{1,12}(?:\.\d{1,3})?)\s?(?:k|m|thousand|million)?\s?tokens?\b"
"""A number of tokens."""
PATH = (
    r"(?:`[^`\n]{1,200}`|\"[^\"\n]{1,200}\"|'[^'\n]{1,200}'"
    r"|(?:the |my |our |any |its )?(?:[\w.@+*?\[\]-]+/)*[\w.@+*?\[\]-]*[\w/*](?:/)?)"
)
"""What may be a path; whether it is one, `paths` says."""
PATHS = rf"{PATH}(?:(?:\s?,\s?(?:and |or )?| and | or ){PATH}){{0,9}}"
"""Several, perhaps."""

_BETWEEN = re.compile(r"\s?,\s?(?:and |or )?| and | or ", re.IGNORECASE)
_TEST_FOLDERS = ("tests", "test", "spec", "__tests__")
_DOC_FOLDERS = ("docs", "doc", "documentation")
_SOURCE_FOLDERS = ("src", "lib", "source")
_NAMED = {
    "tests": _TEST_FOLDERS, "test": _TEST_FOLDERS, "test files": _TEST_FOLDERS, "docs": _DOC_FOLDERS, "documentation": _DOC_FOLDERS,
    "source": _SOURCE_FOLDERS, "sources": _SOURCE_FOLDERS, "code": _SOURCE_FOLDERS,
}  # fmt: skip


def number(word: str) -> int:
    """`three` or `1,200` as a number."""
    plain = word.strip().lower().replace(",", "")
    if plain.isdigit():
        return int(plain)
    return _NUMBERS.index(plain) if plain in _NUMBERS else _OTHERS[plain]


def picodollars(written: str) -> int:
    """`$2`, `1.50 USD`, `two dollars` or `50 cents` in picodollars."""
    found = re.search(r"\d+(?:\.\d+)?", written)
    amount = Decimal(found[0]) if found else Decimal(number(written.split()[0]))
    scale = 10**10 if re.search(r"cent|¢", written, re.IGNORECASE) else 10**12
    return int(amount * scale)


def seconds(written: str) -> float:
    """`30 minutes`, `an hour and a half` or `1h 30m` in seconds."""
    plain = " ".join(written.lower().split())
    if plain in ("half an hour", "an hour and a half"):
        return 1800.0 if plain == "half an hour" else 5400.0
    total = Decimal(0)
    for amount, unit in re.findall(rf"(\d+(?:\.\d+)?|{NUMBER})\s?([a-z]+)", plain):
        one = Decimal(amount) if amount[0].isdigit() and "," not in amount else Decimal(number(amount))
        total += one * _UNITS[unit.removesuffix("s") or "s"]
    return float(total)


def tokens(written: str) -> int:
    """`500k tokens` as a number."""
    found = re.match(r"([\d,.]+)\s?([a-z]*?)\s?tokens?", written.lower())
    assert found is not None
    return int(Decimal(found[1].replace(",", "")) * _SIZES[found[2]])


class Named(NamedTuple):
    """Globs that some words name, and how many characters of the words they took."""

    globs: tuple[str, ...]
    taken: int


def named(written: str, facts: Facts) -> Named:
    """The paths with which `written` begins, up to the first word that is plainly none of this repository's."""
    found: list[str] = []
    taken = at = 0
    while at < len(written):
        between = _BETWEEN.search(written, at)
        end = between.start() if between else len(written)
        one = _glob(written[at:end].strip(), facts)
        if one is None:
            break
        found.append(one)
        taken = end
        at = between.end() if between else end
    return Named(tuple(dict.fromkeys(found)), taken)


def paths(written: str, facts: Facts) -> tuple[str, ...] | None:
    """The globs that `written` names; None if anything in it is not plainly a path of this repository."""
    found = named(written, facts)
    return found.globs if found.taken == len(written) else None


def _glob(piece: str, facts: Facts) -> str | None:
    quoted = len(piece) > 2 and piece[0] in "`\"'" and piece[-1] == piece[0]
    name = piece[1:-1] if quoted else re.sub(r"^(?:the|my|our|any|its) ", "", piece, flags=re.IGNORECASE)
    if not quoted and (known := _named(name, facts)):
        return known
    bare = name.rstrip("/")
    if not bare or shapes.path(bare) is not None:
        return None
    if name.endswith("/") or bare in facts.folders:
        return f"{bare}/**"
    looks = quoted or "/" in name or "*" in name or bare in facts.files or re.search(r"\w\.\w{1,8}$", name)
    return bare if looks else None


def _named(name: str, facts: Facts) -> str | None:
    lower = name.lower()
    if lower == "readme":
        return next((file for file in facts.files if file.lower().startswith("readme")), None)
    folder = next((one for one in _NAMED.get(lower, ()) if one in facts.folders), None)
    return f"{folder}/**" if folder else None
