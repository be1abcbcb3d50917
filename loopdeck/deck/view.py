"""How a run looks from outside: what its journal says, put beside what can be seen of its runner.

Pure: the observer's facts are arguments. `hung` and `lost` exist only here.
"""

from msgspec import Struct

from loopdeck.core.entry import Entry, ended_why, entry
from loopdeck.core.happening import Reason
from loopdeck.core.lifecycle import Phase, Status
from loopdeck.core.run import Run
from loopdeck.store import lease

HUNG_AFTER_S = lease.HUNG_AFTER_S
"""Seconds without a heartbeat (it beats every 2) after which a living runner is called hung."""
SETTLING_S = 30.0
"""Seconds after its start in which a run that no runner has had yet is still being started, not lost: forty at once take a while."""


class Seen(Struct, frozen=True):
    """What an observer sees of a runner: is the lease held, how old is its heartbeat, how old is the run directory (seconds).

    `begun` says that the lease has been held at all, `tended` that nobody holds it and a supervisor will start the next runner.
    """

    held: bool
    beat_age_s: float
    age_s: float
    begun: bool = False
    tended: bool = False


class RunView(Struct, frozen=True):
    """One run as it is shown.

    `damage` says what is wrong with its journal, if something is; `said` are the last words of a runner that is gone.
    """

    run: Run
    status: Status
    reason: Reason | None
    seen: Seen
    dir: str
    damage: str = ""
    said: str = ""

    @property
    def phase(self) -> Phase | None:
        """The phase, as long as somebody works on it."""
        return None if self.status == "ended" else self.run.phase

    @property
    def live(self) -> bool:
        """True while a runner holds it."""
        return self.seen.held


def view(run: Run, seen: Seen, directory: str, *, damage: str = "") -> RunView:
    """`run` with its status as an observer must call it."""
    status, reason = _status(run, seen)
    return RunView(run, status, reason, seen, directory, damage)


def _status(run: Run, seen: Seen) -> tuple[Status, Reason | None]:
    if run.status == "ended":
        return "ended", run.reason
    if not seen.held:
        if run.status in ("idle", "queued") and not seen.begun and (seen.tended or seen.age_s < SETTLING_S):
            return "queued", None
        return ("waiting", None) if seen.tended else ("ended", "lost")
    if seen.beat_age_s > HUNG_AFTER_S:
        return "hung", None
    return ("queued" if run.status == "idle" else run.status), None


def document(one: RunView) -> Entry:
    """The entry of a run in `loopdeck status --json`, as product.md gives it, with a few more keys."""
    seen = {"status": one.status, "reason": one.reason, "phase": one.phase, "dir": one.dir, "why": waiting_for(one)}
    return entry(one.run) | seen


def waiting_for(one: RunView) -> str:
    """What it waits for, or why it ended, in a few words; empty while it simply works."""
    run = one.run
    match one.status:
        case "asking":
            return _asked(run)
        case "waiting" if run.wait is not None and one.seen.held:
            return f"{run.wait.cause} until {run.wait.until}"
        case "paused" if run.stalled:
            return run.stalled
        case "paused":
            return f"paused by {run.pause_wanted or run.hold}"
        case "hung":
            return f"silent for {one.seen.beat_age_s:.0f} s"
        case "queued":
            return "waits for a place"
        case "ended" if one.reason == "lost":
            said = f": {one.said}" if one.said else ""
            return f"the runner is gone{said}; `loopdeck resume` goes on at its last step"
        case "ended":
            return ended_why(run)
        case _:
            gone = one.seen.tended and "its runner is gone; the supervisor starts another"
            return gone or (run.pause_wanted and "will pause at the next step")


def _asked(run: Run) -> str:
    """What a run that asks wants of a person."""
    match run.asking:
        case "approval":
            approval = run.approvals[run.asking_for]
            return f"approval {approval.id}: {approval.tool} {approval.summary}"
        case "verdict":
            return f"verdict on '{run.asking_for}'"
        case _:
            return "the state was changed by the maker and by hand; both versions are kept"
