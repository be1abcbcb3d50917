"""A count with its word, the one way it is written everywhere: `1 file`, `2 files`, `3 matches`.

Pure. Invariant: no sentence of ours says "1 files".
"""


def some(number: int, one: str, more: str = "") -> str:
    """`number` with `one`, or with `more` (else `one` with an s) unless it is 1; thousands are parted."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"
