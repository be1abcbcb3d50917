"""What a row of the survival matrix is: a promise, an attack on it, and a judge of what was seen.

Invariant: a judge is a pure function of what was observed. It can't see the attack, only its traces, so whatever breaks the promise
turns the row, and an attack that left no trace of itself has proven nothing.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from loopdeck.core.events import AnyEvent
from loopdeck.core.happening import Reason
from loopdeck.core.lifecycle import Status
from loopdeck.core.run import Run
from loopdeck.core.trace import AnyTraceEvent

if TYPE_CHECKING:
    from loopdeck.gameday.stage import Stage

Verdict = Literal["held", "broken", "not tried"]


class Seen(Struct, frozen=True):
    """What was observed of one run after the attack.

    `damage` names every part of the record that is not whole, `left` counts processes of the run that were alive after its end,
    `walled` says that its commands ran in a sandbox. `numbers` (seconds, bytes, counts) and `texts` are what the scenario itself
    measured, by name.
    """

    run: Run
    status: Status
    reason: Reason | None
    events: tuple[AnyEvent, ...] = ()
    trace: tuple[AnyTraceEvent, ...] = ()
    damage: tuple[str, ...] = ()
    left: int = 0
    walled: bool = False
    numbers: Mapping[str, float] = {}
    texts: Mapping[str, str] = {}


class Outcome(Struct, frozen=True):
    """A judge's word: the figure to show, and `why` where the promise did not hold or was not tried."""

    verdict: Verdict
    figure: str = ""
    why: str = ""


class Scenario(Struct, frozen=True):
    """A row: its name (the loop's too), promise and attack in a sentence each, and the loop's files (path in the repository → text).

    `attack` is made on the stage and gives what was seen; `judge` says what that comes to.
    """

    name: str
    promise: str
    attack: str
    files: Mapping[str, str]
    drive: "Callable[[Stage, str], Seen]"
    judge: Callable[[Seen], Outcome]
    needs: Literal["", "walls", "setsid"] = ""


class Ground(Struct, frozen=True):
    """What attacks are aimed at: the checkout, a file in the deck's home that holds `canary`, a server's port on this machine."""

    root: str
    secret: str
    canary: str
    port: int


def held(figure: str) -> Outcome:
    """The promise held."""
    return Outcome("held", figure)


def ruling(figure: str, *broken: tuple[bool, str]) -> Outcome:
    """Held if none of `broken` (is it so, what it means) is so; else broken, with all that are as the reason."""
    wrong = [what for is_so, what in broken if is_so]
    return Outcome("broken", figure, "; ".join(wrong)) if wrong else held(figure)
