"""How a run looks from outside: what its journal says, put beside what can be seen of its runner.

Pure: the observer's facts are arguments. `hung` and `lost` exist only here.
"""

from typing import Any

from msgspec import Struct

from loopdeck.core.happening import Reason
from loopdeck.core.lifecycle import Phase, Status
from loopdeck.core.run import Run
from loopdeck.core.usage import dollars

HUNG_AFTER_S = 15.0
"""Seconds without a heartbeat (it beats every 2) after which a living runner is called hung."""
SETTLING_S = 30.0
"""Seconds after its start in which a run that no runner has had yet is still being started, not lost: forty at once take a while."""


class Seen(Struct, frozen=True):
    """What an observer sees of a runner: is the lease held, how old is its heartbeat, how old is the run directory (seconds).

    `begun` says that the lease has been held at all.
    """

    held: bool
    beat_age_s: float
    age_s: float
    begun: bool = False


class RunView(Struct, frozen=True):
    """One run as it is shown. `damage` says what is wrong with its journal, if something is."""

    run: Run
    status: Status
    reason: Reason | None
    seen: Seen
    dir: str
    damage: str = ""
    changed: bool = False

    @property
    def phase(self) -> Phase | None:
        """The phase, as long as somebody works on it."""
        return None if self.status == "ended" else self.run.phase

    @property
    def live(self) -> bool:
        """True while a runner holds it."""
        return self.seen.held


def view(run: Run, seen: Seen, directory: str, *, damage: str = "", changed: bool = False) -> RunView:
    """`run` with its status as an observer must call it. `changed`: the loop file differs from the frozen one."""
    status, reason = _status(run, seen)
    return RunView(run, status, reason, seen, directory, damage, changed)


def _status(run: Run, seen: Seen) -> tuple[Status, Reason | None]:
    if run.status == "ended":
        return "ended", run.reason
    if not seen.held:
        if run.status in ("idle", "queued") and not seen.begun and seen.age_s < SETTLING_S:
            return "queued", None
        return "ended", "lost"
    if seen.beat_age_s > HUNG_AFTER_S:
        return "hung", None
    return ("queued" if run.status == "idle" else run.status), None


def document(one: RunView) -> dict[str, Any]:
    """The entry of a run in `loopdeck status --json`, as product.md gives it, with a few more keys."""
    run, limits = one.run, one.run.settings
    usage = run.spend.usage
    return {
        "loop": run.loop,
        "run": run.id,
        "status": one.status,
        "reason": one.reason,
        "phase": one.phase,
        "iteration": run.iteration,
        "max_iterations": limits.max_iterations,
        "score": run.score,
        "usage": {
            "input": usage.input,
            "output": usage.output,
            "cache_read": usage.cache_read,
            "cache_write": usage.cache_write,
            "cost_usd": None if run.cost is None else dollars(run.cost),
            "tool_calls": run.spend.tool_calls,
        },
        "limits": {
            "cost_usd": None if limits.max_cost is None else dollars(limits.max_cost),
            "tokens": limits.max_tokens,
            "wall_s": limits.max_wall_s,
            "tool_calls_per_iteration": limits.max_tool_calls,
        },
        "approvals": [
            {"id": each.id, "tool": each.tool, "summary": each.summary, "since": each.since} for each in run.pending_approvals
        ]
        if one.reason in (None, "lost")
        else [],
        "branch": run.branch or None,
        "worktree": run.worktree or None,
        "dir": one.dir,
        "pid": run.pid or None,
        "started": run.started_at or None,
        "ended": run.ended_at or None,
        "harness": run.harness or None,
        "why": waiting_for(one),
    }


def idle_document(loop: str) -> dict[str, Any]:
    """The entry of a loop that has no run."""
    nothing = {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "cost_usd": 0.0, "tool_calls": 0}
    limits = {"cost_usd": None, "tokens": None, "wall_s": None, "tool_calls_per_iteration": None}
    absent = ("reason", "phase", "max_iterations", "score", "branch", "worktree", "dir", "pid", "started", "ended", "harness")
    return {
        "loop": loop, "run": None, "status": "idle", "iteration": 0, "usage": nothing, "limits": limits, "approvals": [],
        **dict.fromkeys(absent), "why": "",
    }  # fmt: skip


def waiting_for(one: RunView) -> str:
    """What it waits for, or why it ended, in a few words; empty while it simply works."""
    run = one.run
    match one.status:
        case "asking" if run.asking == "approval":
            approval = run.approvals[run.asking_for]
            return f"approval {approval.id}: {approval.tool} {approval.summary}"
        case "asking" if run.asking == "verdict":
            return f"verdict on '{run.asking_for}'"
        case "asking":
            return "the state was changed by the maker and by hand; both versions are kept"
        case "waiting" if run.wait is not None:
            return f"{run.wait.cause} until {run.wait.until}"
        case "paused":
            return f"paused by {run.pause_wanted or run.hold}"
        case "hung":
            return f"silent for {one.seen.beat_age_s:.0f} s"
        case "queued":
            return "waits for a place"
        case "ended" if one.reason == "lost":
            return "the runner is gone; `loopdeck resume` goes on at its last step"
        case "ended":
            return ": ".join(part for part in (run.limit or run.detector, run.why) if part)
        case _:
            return run.pause_wanted and "will pause at the next step"
