"""Scenarios that more than one test plays.

The server's process knows them as `tests.kit.model_scenarios:NAME`.
"""

import random

from loopdeck.core.usage import Usage
from tests.kit.model_talk import Answer, Request


def finished(request: Request) -> Answer:
    """Says that it is done, at once, with no calls."""
    return Answer(text=f"Done after {request.turns} replies.")


def as_many_pieces_as_asked(request: Request) -> Answer:
    """Streams as many pieces of eight characters as the number that the prompt ends with."""
    return Answer(text="abcdefg " * int(request.prompt.split()[-1]), piece=8)


def as_many_slow_pieces_as_asked(request: Request) -> Answer:
    """The same, each sent on its own: two milliseconds lie between them."""
    return Answer(text="abcdefg " * int(request.prompt.split()[-1]), piece=8, pace_s=0.002)


def erratic(seed: int = 0):
    """Bills at random: output up to what was allowed, input split over the caches in any way."""
    dice = random.Random(seed)

    def scenario(request: Request) -> Answer:
        total = dice.randint(1, len(request.raw))
        read = dice.randint(0, total)
        write = dice.randint(0, total - read)
        output = dice.choice([request.max_tokens, dice.randint(0, request.max_tokens)])
        return Answer(text="ok", usage=Usage(total - read - write, output, read, write))

    return scenario
