"""What a runner does next: the closed union of steps that `core.decide` returns, each carried out and answered by events."""

from typing import Literal

from msgspec import Struct

from loopdeck.core.conversation import FailureKind
from loopdeck.core.findings import Severity
from loopdeck.core.happening import MakerEnd, Reason, Signal


class TakePlace(Struct, frozen=True):
    """Wait for a place among the deck's runs, then start."""


class PrepareWorkspace(Struct, frozen=True):
    """Make worktree and branch."""


class StartIteration(Struct, frozen=True):
    """Read the state and begin."""

    number: int
    final: bool = False


class Triage(Struct, frozen=True):
    """Ask the small model what to take first."""


class CallModel(Struct, frozen=True):
    """Ask the maker's model for its next turn."""


class RunAgent(Struct, frozen=True):
    """Start the outside agent for its turn, or to go on with it."""


class ReportLost(Struct, frozen=True):
    """Say that the outcome of this call is not known."""

    call: str


class WeighCall(Struct, frozen=True):
    """Put a tool call before the gate."""

    call: str


class GrantCall(Struct, frozen=True):
    """A person allowed the call: see that it is still the same one, and run it."""

    call: str


class RefuseCall(Struct, frozen=True):
    """Don't run the call; the maker is told why."""

    call: str
    why: str
    rule: str = ""


class RunCall(Struct, frozen=True):
    """Run the granted call."""

    call: str


class FinishMaker(Struct, frozen=True):
    """End the maker's part."""

    how: MakerEnd


class CommitWork(Struct, frozen=True):
    """Commit what the maker did."""


class ReportMaker(Struct, frozen=True):
    """Turn what the harness itself saw of the maker's part into findings, under the name of `check`."""

    check: str


class RunCheck(Struct, frozen=True):
    """Run one check on the commit."""

    check: str


class SkipCheck(Struct, frozen=True):
    """Leave a check out that waits for the others to pass."""

    check: str
    why: str


class AskVerdict(Struct, frozen=True):
    """Wait for a person's grade."""

    check: str


class FinishIteration(Struct, frozen=True):
    """Write the state back and close the iteration, graded by severity floor `floor`.

    `signals` are the detectors' words, `flaky` names checks that contradict themselves on unchanged work.
    """

    score: float
    passed: bool
    signals: tuple[Signal, ...]
    flaky: str = ""
    floor: Severity = "minor"


class WaitOut(Struct, frozen=True):
    """Sit out a back-off."""


class BackOff(Struct, frozen=True):
    """Begin a back-off of `seconds`."""

    cause: FailureKind
    seconds: float
    attempt: int


class AwaitPerson(Struct, frozen=True):
    """Nothing to do until a person says something."""


class StandStill(Struct, frozen=True):
    """Pause now; `by` who wanted it."""

    cause: Literal["pause", "hold"]
    by: str


class EndRun(Struct, frozen=True):
    """The run is over, for this reason; `best` is the iteration whose work is kept (0: none)."""

    reason: Reason
    why: str = ""
    limit: str = ""
    detector: str = ""
    by: str = ""
    best: int = 0


class Nothing(Struct, frozen=True):
    """The run has ended."""


Step = (
    TakePlace | PrepareWorkspace | StartIteration | Triage | CallModel | RunAgent | ReportLost | WeighCall | GrantCall | RefuseCall
    | RunCall | FinishMaker | CommitWork | ReportMaker | RunCheck | SkipCheck | AskVerdict | FinishIteration | WaitOut | BackOff
    | AwaitPerson | StandStill | EndRun | Nothing
)  # fmt: skip
