"""What a sentence was understood to ask for."""

from msgspec import Struct

from loopdeck.core.spec import CheckSpec


class Caps(Struct, frozen=True, omit_defaults=True):
    """What the sentence limits; None where it says nothing. Money in picodollars, durations in seconds."""

    max_iterations: int | None = None
    max_cost: int | None = None
    max_tokens: int | None = None
    max_wall_s: float | None = None
    max_tool_calls: int | None = None
    no_progress: int | None = None


class Missed(Struct, frozen=True):
    """Words of the sentence that came to nothing, and why."""

    words: str
    why: str


class Wish(Struct, frozen=True):
    """The sentence as checks, caps, protected paths and a schedule.

    `goal` is what of it says what will be true at the end. `heard` are the words that were understood, each with what they came to,
    `missed` all others: together they are the whole sentence but for its filling words.
    """

    goal: str
    checks: tuple[CheckSpec, ...] = ()
    caps: Caps = Caps()
    protect: tuple[str, ...] = ()
    every_s: float = 0
    cron: str = ""
    heard: tuple[tuple[str, str], ...] = ()
    missed: tuple[Missed, ...] = ()
