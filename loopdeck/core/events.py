"""What happened to a run: the closed union of journal events, all in the past tense.

They are the only facts a run's status is computed from. Each is small and frozen; big payloads are in the trace and its blobs. The
tag on disk is the class name in snake case. A kind that this version does not know is kept as `Unknown` and ignored by the fold.
Money is in picodollars, `None` where a price is not known; every `at` and `until` is UTC, RFC 3339.
"""

from typing import Literal

from loopdeck.core.agentevents import AgentEvent
from loopdeck.core.childevents import ChildEvent
from loopdeck.core.conversation import FailureKind, Stop
from loopdeck.core.findings import Finding, Problem, Severity, Verdict
from loopdeck.core.happening import CallAsked, Commanded, Happening, MakerEnd, Reason, Role, Settings, Signal, Tier, Walls
from loopdeck.core.unknown import Unknown
from loopdeck.core.usage import Certainty, Usage

# A run's life


class RunQueued(Happening, frozen=True):
    """The run exists; it waits for a place among `max_runs`.

    One that goes on from iteration `origin_iteration` of the run `origin` begins with the `findings` that were open there.
    """

    loop: str
    run: str
    settings: Settings
    spec_hash: str
    exit_hash: str
    harness: str
    by: str = ""
    input: str = ""
    origin: str = ""
    origin_iteration: int = 0
    findings: tuple[Finding, ...] = ()


class RunnerStarted(Happening, frozen=True):
    """A process took the run in hand. What an earlier life left unfinished is from now on lost or charged in full."""

    pid: int
    life: int
    boot_id: str = ""
    nonce: str = ""


class RunStarted(Happening, frozen=True):
    """It has its place; its clock begins."""


class WorkspacePrepared(Happening, frozen=True):
    """Worktree and branch are there, made from commit `base`, or from `start` if there was work on top of it already."""

    worktree: str
    branch: str
    base: str
    notices: tuple[str, ...] = ()
    start: str = ""


class RunEnded(Happening, frozen=True):
    """The run is over. `limit` names the budget, `detector` the detector; `commit` is the result kept, `best` its iteration."""

    reason: Reason
    why: str = ""
    limit: str = ""
    detector: str = ""
    by: str = ""
    best: int = 0
    commit: str = ""


# An iteration


class IterationStarted(Happening, frozen=True):
    """State read, the maker's turn. `final` is the tidying pass after everything had passed."""

    iteration: int
    state_hash: str
    final: bool = False


class ModelCallReserved(Happening, frozen=True):
    """The worst case of a model call has been set aside. `cost` is None if the model has no price."""

    call: str
    role: Role
    model: str
    input_bound: int
    output_cap: int
    cost: int | None = None


class ModelCallSettled(Happening, frozen=True):
    """The reserved call was answered, or failed with what it cost. `session` is handed to the next call."""

    call: str
    usage: Usage = Usage()
    cost: int | None = None
    certainty: Certainty = "priced"
    failure: FailureKind | None = None
    message: str = ""
    retry_after: float | None = None
    stop: Stop = "end"
    asked: tuple[CallAsked, ...] = ()
    problem: Problem | None = None
    session: str = ""


class LimitReached(Happening, frozen=True):
    """The next model call `needs` (0: not known) more than is `left` of `limit`: `cost_usd` (in picodollars) or `tokens`."""

    limit: str
    role: Role
    left: float
    needs: float = 0


class WaitStarted(Happening, frozen=True):
    """Back-off after a failed call: waiting `seconds`, until `until`, for the given cause; the `attempt`-th in a row."""

    cause: FailureKind
    seconds: float
    until: str
    attempt: int


class WaitEnded(Happening, frozen=True):
    """The back-off is over."""


class ToolCallGranted(Happening, frozen=True):
    """The call may run now, once. Written durably before it runs."""

    call: str
    tool: str
    rule: str = ""
    approval: str = ""


class ToolCallRefused(Happening, frozen=True):
    """The call was not run: a rule or a person said no, or its arguments made no sense."""

    call: str
    tool: str
    rule: str = ""
    why: str = ""
    problem: Problem | None = None


class ToolCallFinished(Happening, frozen=True):
    """The granted call came to its end. `signature` is a hash over tool, arguments and result, to see repetition."""

    call: str
    tool: str
    seconds: float = 0.0
    problem: Problem | None = None
    signature: str = ""


class ToolCallLost(Happening, frozen=True):
    """The runner died while the call ran: whether it took effect is not known, and it is never silently repeated."""

    call: str
    tool: str


class MakerFinished(Happening, frozen=True):
    """The maker's part of the iteration is over."""

    how: MakerEnd


class WorkCommitted(Happening, frozen=True):
    """The runner committed what the maker did. `digest` covers the tree and the report; `protected` paths were put back.

    `problems` are what could not be committed, and what changed elsewhere meanwhile, for the operator to read; `outside` are paths
    outside of the worktree that changed and that a call of the maker's names. `graders` are programs of checks that are no longer what
    they were at the base, each with its check; `forged` says that the maker wrote into the checks' part of the state.
    """

    commit: str
    digest: str
    empty: bool = False
    files: int = 0
    added: int = 0
    removed: int = 0
    protected: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    graders: tuple[tuple[str, str], ...] = ()
    forged: bool = False


class CheckFinished(Happening, frozen=True):
    """One check's verdict on the iteration's commit, with its findings counted (`new` or `repeated xN`)."""

    verdict: Verdict


class CheckSkipped(Happening, frozen=True):
    """A check that waits for the others was not run."""

    check: str
    why: str


class IterationFinished(Happening, frozen=True):
    """State written. `passed` says that every required check did, by severity floor `floor`; `signals` are the detectors' words."""

    iteration: int
    score: float
    passed: bool
    state_hash: str
    signals: tuple[Signal, ...] = ()
    floor: Severity = "minor"


# Waiting for a person


class ApprovalRequested(Happening, frozen=True):
    """A tool call waits for a person. `digest` binds the answer to exactly this call, as its parts `bound` have it.

    `walls` say what would hold the call, were it allowed. From `expires` on it is asked for anew (empty: never).
    """

    approval: str
    call: str
    tool: str
    summary: str
    arguments: str
    cwd: str
    rule: str
    tier: Tier
    digest: str
    reason: str = ""
    expires: str = ""
    walls: Walls = ""
    bound: tuple[tuple[str, str], ...] = ()


class ApprovalDecided(Commanded, frozen=True):
    """A person answered: who, when (`at`) and from where. `arguments` are the edited ones, if they were, and `bound` what they name.

    `always` is a rule that holds from then on, for `for_s` seconds (0: to the end of the run).
    """

    approval: str
    approved: bool
    by: str
    why: str = ""
    arguments: str = ""
    always: str = ""
    at: str = ""
    where: str = ""
    for_s: float = 0.0
    bound: tuple[tuple[str, str], ...] = ()


class ApprovalLapsed(Happening, frozen=True):
    """Nobody answered in time: the question is over, its call has not run, and is weighed anew."""

    approval: str
    why: str


class VerdictAsked(Happening, frozen=True):
    """A human check waits for its verdict."""

    check: str


class VerdictGiven(Commanded, frozen=True):
    """A person graded."""

    check: str
    passed: bool
    by: str
    why: str = ""


class StateClashed(Happening, frozen=True):
    """The maker and a person both changed the state, at the same place; both versions are kept and a person decides."""

    ours: str
    theirs: str


class StateSettled(Commanded, frozen=True):
    """A person has said which state holds."""

    state_hash: str
    by: str


# The operator's hand


class CommandTaken(Happening, frozen=True):
    """A command from the inbox was taken up, once, by its id; what it came to stands before it. `refused` says why it had no effect."""

    command: str
    verb: str
    by: str = ""
    refused: str = ""
    where: str = ""


class PauseAsked(Commanded, frozen=True):
    """Somebody wants it to stop at the next step, or `now`, with the commands under way standing still."""

    by: str
    now: bool = False


class RunPaused(Happening, frozen=True):
    """It stands still; `cause` is `pause` or `hold`, or `stall`: something stands in its way, and `why` says what."""

    cause: Literal["pause", "hold", "stall"]
    by: str = ""
    why: str = ""


class RunResumed(Commanded, frozen=True):
    """It goes on."""

    by: str


class HoldSet(Commanded, frozen=True):
    """It will stop before its next iteration."""

    by: str


class Nudged(Commanded, frozen=True):
    """A person's word for the next iteration."""

    text: str
    by: str


class SettingChanged(Commanded, frozen=True):
    """A limit, model or strictness of the live run was changed. `settings` is the whole after the change."""

    key: str
    old: str
    new: str
    by: str
    settings: Settings


class StopAsked(Commanded, frozen=True):
    """Somebody wants the run ended; `now` skips every grace."""

    by: str
    why: str = ""
    now: bool = False


class DoorChosen(Happening, frozen=True, omit_defaults=True):
    """What holds the commands of this runner: the door by its name, and what `walls` it makes.

    `hosts` are those that commands may reach where they are `listed`. `lacks` are sentences: what this door can't hold that a whole
    sandbox does; of a door without walls there are none, since it holds nothing.
    """

    door: str
    walls: Walls
    hosts: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class NoticeRaised(Happening, frozen=True):
    """Something a person should know that changes nothing."""

    text: str


Event = (
    RunQueued | RunnerStarted | RunStarted | WorkspacePrepared | RunEnded | IterationStarted | ModelCallReserved
    | ModelCallSettled | LimitReached | WaitStarted | WaitEnded | ToolCallGranted | ToolCallRefused | ToolCallFinished
    | ToolCallLost | MakerFinished | WorkCommitted | CheckFinished | CheckSkipped | IterationFinished | ApprovalRequested
    | ApprovalDecided | ApprovalLapsed | VerdictAsked | VerdictGiven | StateClashed | StateSettled | CommandTaken | PauseAsked
    | RunPaused | RunResumed | HoldSet | Nudged | SettingChanged | StopAsked | DoorChosen | NoticeRaised | AgentEvent | ChildEvent
)  # fmt: skip
"""Every event this version writes; `AnyEvent` is what it may read."""

AnyEvent = Event | Unknown
