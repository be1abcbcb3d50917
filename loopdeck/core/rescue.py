"""What was done about a run whose runner is gone: the supervisor's memory of it, and what others tell of it."""

from msgspec import Struct


class Tries(Struct, frozen=True):
    """What was done about a run without a runner.

    `lives` of it, one after the other, came to nothing; the last one was started `at`, when the lease's epoch was `epoch`. No other is
    started before `due` (both in seconds since the epoch). `steps` is how far the run had come; `gave_up` is the evidence, once it was
    marked lost.
    """

    epoch: int = 0
    lives: int = 0
    at: float = 0.0
    due: float = 0.0
    steps: int = 0
    gave_up: str = ""
