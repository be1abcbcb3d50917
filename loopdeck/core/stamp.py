"""An event's envelope, as far as the fold reads it."""

from typing import NamedTuple


class Stamp(NamedTuple):
    """UTC time, active seconds of the run, epoch of the writer."""

    at: str
    clock: float
    epoch: int
