"""Which rows a person means by some words, and in which order they stand while he moves among them. Pure."""

from loopdeck.deck.snapshot import LoopRow

REST_S = 2.0
"""How long after the last key of a moving hand the rows stay in their order."""


def fits(row: LoopRow, words: str) -> bool:
    """True if each of `words` is somewhere in what the row says. Asked of every row with every snapshot, mostly without words."""
    if not words:
        return True
    text = f"{row.loop} {row.status} {row.reason or ''} {row.why} {row.agent} {row.model}".lower()
    return all(word in text for word in words.lower().split())


def named(rows: tuple[LoopRow, ...], words: str) -> LoopRow | None:
    """The first row whose loop begins with `words`, or has them in its name."""
    found = [row for row in rows if row.loop.startswith(words)] or [row for row in rows if words in row.loop]
    return found[0] if words and found else None


class Order:
    """The order of rows: the reader's, but not under a moving hand; what is new then comes at the end. `now` is seconds."""

    def __init__(self) -> None:
        self._keys: tuple[str, ...] = ()
        self._moved_at = float("-inf")

    def moved(self, now: float) -> None:
        """The hand has moved."""
        self._moved_at = now

    def of(self, keys: tuple[str, ...], now: float) -> tuple[str, ...]:
        """`keys`, which stand as the reader has them, as they are to be shown."""
        if now - self._moved_at < REST_S:
            there = set(keys)
            still = [key for key in self._keys if key in there]
            keys = (*still, *(key for key in keys if key not in set(still)))
        self._keys = keys
        return keys
