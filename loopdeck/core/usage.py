"""What a model call takes: tokens in four disjoint kinds, and money as an integer.

Money is counted in picodollars (1e-12 dollar), so that sums and comparisons with a budget are exact; dollars as a float appear
only where a person or a JSON document reads them.
"""

from decimal import Decimal
from typing import Literal

from msgspec import Struct

PICO_PER_DOLLAR = 10**12

Certainty = Literal["metered", "priced", "estimated"]
"""How a cost is known: charged by the provider itself, its usage times a price list, or our own upper bound."""


class Usage(Struct, frozen=True, omit_defaults=True):
    """Tokens of one or more model calls. The kinds are disjoint: all input is `input + cache_read + cache_write`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )

    @property
    def tokens(self) -> int:
        """All tokens that count against `max_tokens`."""
        return self.input + self.output + self.cache_read + self.cache_write


class Rates(Struct, frozen=True):
    """Prices of one model in picodollars per token, and where they come from (`source`, for the receipt)."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    source: str = ""

    @property
    def dearest_input(self) -> int:
        """The most that one input token can cost, whatever the cache does."""
        return max(self.input, self.cache_read, self.cache_write)

    def cost(self, usage: Usage) -> int:
        """Picodollars for `usage`."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
        )


FREE = Rates(0, 0, 0, 0, "free")


def dollars(pico: int) -> float:
    """Picodollars as dollars, for people and JSON."""
    return pico / PICO_PER_DOLLAR


def picodollars(amount: float) -> int:
    """Dollars from a loop file or a command as picodollars."""
    # By its digits: of the product in binary the last ones are lost from nine thousand dollars on.
    return round(Decimal(repr(amount)) * PICO_PER_DOLLAR)
