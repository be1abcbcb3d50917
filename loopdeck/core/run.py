"""What a run is: the value that its journal folds into. Only `core.fold` writes it."""

from typing import Literal

from msgspec import Struct, field

from loopdeck.core.conversation import FailureKind
from loopdeck.core.findings import Finding, Outcome, Problem, Severity, Verdict
from loopdeck.core.happening import MakerEnd, Reason, Settings, Signal, Tier, Walls
from loopdeck.core.lifecycle import Phase, Status
from loopdeck.core.usage import Certainty, Usage
from loopdeck.errors import Bug

CHILD = "child"
"""The role of what is set aside for a run that a run starts."""
CallStatus = Literal["asked", "waiting", "approved", "denied", "granted", "finished", "refused", "lost"]


class Reservation(Struct):
    """A model call under way: the most it may take. `cost` in picodollars, None without a price."""

    role: str
    model: str
    input_bound: int
    output_cap: int
    cost: int | None
    life: int


class Call(Struct):
    """A tool call of the current iteration. `life` is the runner's that granted it; `arguments` are a person's edited ones."""

    id: str
    tool: str
    status: CallStatus = "asked"
    life: int = 0
    approval: str = ""
    arguments: str = ""
    why: str = ""
    problem: Problem | None = None


class Given(Struct, frozen=True):
    """A rule that a person gave to a run at `at`, for `for_s` seconds (0: to its end); `clock` is the run's own at that moment."""

    rule: str
    by: str = ""
    at: str = ""
    for_s: float = 0.0
    clock: float = 0.0


class Approval(Struct):
    """A tool call that waits, or waited, for a person, in whose `epoch` it was asked.

    The answer came `at` a time from `where`; `edited` are the parts that edited arguments bind it to. One that has lapsed is decided by
    nobody.
    """

    id: str
    call: str
    tool: str
    summary: str
    arguments: str
    cwd: str
    rule: str
    tier: Tier
    digest: str
    since: str
    reason: str = ""
    expires: str = ""
    decided: bool = False
    approved: bool = False
    by: str = ""
    why: str = ""
    walls: Walls = ""
    bound: tuple[tuple[str, str], ...] = ()
    epoch: int = 0
    at: str = ""
    where: str = ""
    edited: tuple[tuple[str, str], ...] = ()


class Child(Struct):
    """A run of another loop that a call of the maker's started; without a `reason` it has not ended."""

    run: str
    loop: str
    call: str
    reason: Reason | None = None


class Wait(Struct):
    """A back-off under way."""

    cause: str
    seconds: float
    until: str
    attempt: int


class Retry(Struct):
    """A failed model call of the maker that is to be made again: why, what the provider said (seconds), which failure in a row."""

    cause: FailureKind
    after: float | None
    attempt: int


class Spend(Struct):
    """What has been taken. `cost` in picodollars; `unpriced` says that some of it has no known price."""

    usage: Usage = Usage()
    cost: int = 0
    unpriced: bool = False
    certainty: Certainty = "metered"
    model_calls: int = 0
    tool_calls: int = 0


class Iteration(Struct):
    """One finished or running pass.

    `seconds` is active time, `check_seconds` what its checks took; `fingerprints` are those of its open findings, each as often as it
    was found; `floor` is the severity floor it was graded by.
    """

    number: int
    started: str
    state_hash: str
    final: bool = False
    maker: MakerEnd | None = None
    commit: str = ""
    digest: str = ""
    empty: bool = False
    files: int = 0
    added: int = 0
    removed: int = 0
    protected: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    graders: tuple[tuple[str, str], ...] = ()
    forged: bool = False
    score: float | None = None
    passed: bool = False
    floor: Severity = "minor"
    outcomes: dict[str, Outcome] = {}
    fingerprints: tuple[str, ...] = ()
    signals: tuple[Signal, ...] = ()
    spend: Spend = field(default_factory=Spend)
    check_spend: Spend = field(default_factory=Spend)
    check_seconds: float = 0.0
    turns: int = 0
    clock_start: float = 0.0
    seconds: float = 0.0


class Run(Struct):
    """A run, as its journal says it is. `clock` is its active time in seconds: a person's thinking time is not in it.

    `touches` counts the commands that had an effect on it, the last one at the active second `touched`; `alone` is the longest stretch
    between two of them in active seconds (the one that goes on is not in it). `stalled` is what stands in a paused run's way.
    `door` holds its commands by `walls`; `hosts` and `lacks` are as `DoorChosen` tells them.
    `conversation` is that of an outside agent in this iteration, `agent_end` how its last turn ended (empty: it goes on, or was cut).
    `children_cost` is the part of what was spent that its children spent, and that stands in their own journals too.
    `plan` is what the triage said to take first, None if nobody was asked in this iteration.
    """

    loop: str = ""
    id: str = ""
    status: Status = "idle"
    phase: Phase | None = None
    settings: Settings = Settings(max_iterations=0)
    spec_hash: str = ""
    exit_hash: str = ""
    harness: str = ""
    input: str = ""
    by: str = ""
    origin: str = ""
    origin_iteration: int = 0
    queued_at: str = ""
    started_at: str = ""
    ended_at: str = ""
    last_at: str = ""
    clock: float = 0.0
    epoch: int = 0
    life: int = 0
    pid: int = 0

    worktree: str = ""
    branch: str = ""
    base: str = ""
    commit: str = ""
    notices: list[str] = []
    door: str = ""
    walls: Walls = ""
    hosts: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    iteration: int = 0
    iterations: list[Iteration] = []
    verdicts: list[Verdict] = []
    findings: tuple[Finding, ...] = ()
    skipped: list[str] = []
    check_tries: dict[str, int] = {}

    spend: Spend = field(default_factory=Spend)
    reserved: dict[str, Reservation] = {}
    children: dict[str, Child] = {}
    children_cost: int = 0
    turns: int = 0
    tool_calls: int = 0
    calls: list[Call] = []
    answered: list[str] = []
    replied: bool = False
    session: str = ""
    conversation: str = ""
    agent_end: str = ""
    plan: str | None = None
    malformed: int = 0
    signatures: list[str] = []
    failures: int = 0
    patience: int = 0
    failure: str = ""
    fatal: FailureKind | None = None
    retry: Retry | None = None
    maker_end: MakerEnd | None = None
    committed: bool = False
    final: bool = False
    over_calls: int = 0
    no_room: str = ""

    approvals: dict[str, Approval] = {}
    asking: str = ""
    asking_for: str = ""
    given: dict[str, tuple[bool, str, str]] = {}
    rules: tuple[Given, ...] = ()
    wait: Wait | None = None
    state_settled: str = ""
    pause_wanted: str = ""
    pause_now: bool = False
    hold: str = ""
    stalled: str = ""
    stop: tuple[str, str, bool] | None = None
    nudges: list[str] = []
    told: list[str] = []
    commands: set[str] = set()
    refused: dict[str, str] = {}
    touches: int = 0
    touched: float = 0.0
    alone: float = 0.0

    reason: Reason | None = None
    why: str = ""
    limit: str = ""
    detector: str = ""
    ended_by: str = ""
    best: int = 0

    def call(self, id_: str) -> Call:
        """A call of the maker's newest turn. Raises Bug if there is none of that id."""
        for call in self.calls:
            if call.id == id_:
                return call
        raise Bug(f"the maker's newest turn asks for no call {id_}")

    @property
    def current(self) -> Iteration | None:
        """The running or last iteration."""
        return self.iterations[-1] if self.iterations else None

    @property
    def pending_approvals(self) -> list[Approval]:
        """Approvals that nobody has answered yet; a run that has ended waits for none."""
        return [] if self.status == "ended" else [one for one in self.approvals.values() if not one.decided]

    @property
    def score(self) -> float | None:
        """The newest score there is, in 0..1."""
        return next((one.score for one in reversed(self.iterations) if one.score is not None), None)

    @property
    def cost(self) -> int | None:
        """Picodollars spent, None if some of it has no known price."""
        return None if self.spend.unpriced else self.spend.cost
