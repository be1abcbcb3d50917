"""A run's report: what came of it, for a person who reads it the next morning. Pure text from the folded run."""

from loopdeck.core.findings import Finding
from loopdeck.core.plural import some
from loopdeck.core.run import Iteration, Run
from loopdeck.core.usage import dollars

_MOST_FINDINGS = 30
_HEAD = "| n | score | checks | change | maker | tokens | cost | seconds |"


def report(run: Run, goal: str, makers: str) -> str:
    """Markdown: outcome, result, cost, each iteration, open findings; `makers` is the maker's own report, if it left one."""
    lines = [f"# {run.loop} {run.id}", "", goal, "", f"**Ended: {run.reason}.** {_why(run)}", ""]
    lines += _result(run)
    lines += ["", "## Iterations", "", _HEAD, "|---" * _HEAD.count(" | ") + "|---|"]
    lines += [_row(one) for one in run.iterations]
    if run.findings and run.reason != "done":
        lines += ["", "## Open findings", ""]
        lines += [_finding(one) for one in run.findings[:_MOST_FINDINGS]]
    if run.notices:
        lines += ["", "## Notices", "", *(f"- {_flat(text)}" for text in run.notices)]
    if makers.strip():
        lines += ["", "## The maker's report", "", makers.strip()]
    return "\n".join(lines) + "\n"


def _why(run: Run) -> str:
    named = run.limit or run.detector
    by = f" By {run.ended_by}." if run.ended_by else ""
    return f"{named + ': ' if named else ''}{run.why}.{by}" if run.why or named else by.strip()


def _result(run: Run) -> list[str]:
    spend = run.spend
    cost = "unknown" if run.cost is None else f"${dollars(run.cost):.4f} ({spend.certainty})"
    kept = f"iteration {run.best}" if run.best else "no graded iteration"
    retried = [f"- A retry: goes on from iteration {run.origin_iteration} of {run.origin}, whose spending is not in here"]
    calls = f"{some(spend.model_calls, 'model call')}, {some(spend.tool_calls, 'tool call')}"
    return [
        *(retried if run.origin else []),
        f"- Branch `{run.branch}`, commit `{run.commit[:12]}` ({kept} is kept)" if run.branch else "- No branch was made",
        f"- Spent: {cost}, {spend.usage.tokens} tokens, {calls}, {run.clock:.1f} s",
        f"- Human inputs: {len(run.commands)}",
    ]


def _row(one: Iteration) -> str:
    score = "" if one.score is None else f"{one.score:.2f}"
    passed = sum(outcome == "passed" for outcome in one.outcomes.values())
    change = "none" if one.empty else f"{some(one.files, 'file')} +{one.added} -{one.removed}"
    cost = "unknown" if one.spend.unpriced else f"${dollars(one.spend.cost):.4f}"
    tokens, seconds = one.spend.usage.tokens, f"{one.seconds:.1f}"
    cells = (one.number, score, f"{passed}/{len(one.outcomes)}", change, one.maker or "", tokens, cost, seconds)
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _finding(one: Finding) -> str:
    return f"- {one.fingerprint} ({one.severity}, {one.status}) {one.check} {one.location} {_flat(one.message)}"


def _flat(text: str) -> str:
    return " ".join(text.split())[:300]
