"""What a status line says of a run, in plain values: the entry of `loopdeck status --json`.

Light to import, since a status of a hundred runs that have ended should not have to load what a journal's events are.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loopdeck.core.run import Run

Entry = dict[str, Any]


def entry(run: "Run") -> Entry:
    """The entry of `run` by its journal alone; what an observer adds (whether it is lost or hung, where its files are) is not in it."""
    from loopdeck.core.usage import dollars

    limits, usage, over = run.settings, run.spend.usage, run.status == "ended"
    return {
        "loop": run.loop,
        "run": run.id,
        "status": run.status,
        "reason": run.reason,
        "phase": None if over else run.phase,
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
        ],
        "branch": run.branch or None,
        "worktree": run.worktree or None,
        "dir": None,
        "pid": run.pid or None,
        "started": run.started_at or None,
        "ended": run.ended_at or None,
        "harness": run.harness or None,
        "why": ended_why(run) if over else "",
    }


def ended_why(run: "Run") -> str:
    """Why the run ended, in a few words; of one that a person stopped also who it was."""
    if run.reason == "human":
        return f"stopped by {run.ended_by}" + (f": {run.why}" if run.why else "")
    return ": ".join(part for part in (run.limit or run.detector, run.why) if part)


def bereft(loop: str, run: str, worktree: str) -> Entry:
    """The entry of a run whose folder somebody has deleted: what is left of it is its worktree."""
    known = {"run": run, "status": "ended", "reason": "lost", "worktree": worktree, "branch": f"loop/{loop}/{run}", "why": BEREFT}
    return idle(loop) | known


BEREFT = "its folder is gone, and its journal with it; the work is in its worktree and on its branch"


def idle(loop: str) -> Entry:
    """The entry of a loop that has no run."""
    nothing = {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "cost_usd": 0.0, "tool_calls": 0}
    limits = {"cost_usd": None, "tokens": None, "wall_s": None, "tool_calls_per_iteration": None}
    absent = ("reason", "phase", "max_iterations", "score", "branch", "worktree", "dir", "pid", "started", "ended", "harness")
    return {
        "loop": loop, "run": None, "status": "idle", "iteration": 0, "usage": nothing, "limits": limits, "approvals": [],
        **dict.fromkeys(absent), "why": "",
    }  # fmt: skip
