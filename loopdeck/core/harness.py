"""What the harness itself finds fault with in a maker's part of an iteration, said as verdicts beside those of the checks."""

from msgspec import structs

from loopdeck.core.findings import Finding, Severity, Verdict, finding
from loopdeck.core.run import Run

BASE_DIGEST = "base"
"""The digest of work that changes nothing against the base."""

PROTECT = "protected paths"
OUTSIDE = "outside the worktree"
GRADERS = "what grades"
STATE = "the state's verdicts"
MAKER = "maker"


def reports(run: Run) -> list[str]:
    """Names of the reports due for the iteration whose work has just been committed."""
    now = run.current
    due = []
    if now is not None and now.protected:
        due.append(PROTECT)
    if now is not None and now.outside:
        due.append(OUTSIDE)
    if now is not None and now.graders:
        due.append(GRADERS)
    if now is not None and now.forged:
        due.append(STATE)
    if run.maker_end not in (None, "ended", "budget"):
        due.append(MAKER)
    return due


def report(run: Run, name: str) -> Verdict:
    """The report `name` as a verdict."""
    if name == PROTECT:
        assert run.current is not None
        return _verdict(PROTECT, "protect", "major", tuple(_protected(path) for path in run.current.protected))
    if name == OUTSIDE:
        assert run.current is not None
        return _verdict(OUTSIDE, "protect", "blocker", tuple(_outside(path) for path in run.current.outside))
    if name == GRADERS:
        assert run.current is not None
        return _verdict(GRADERS, "protect", "major", tuple(_grader(path, check) for path, check in run.current.graders))
    if name == STATE:
        return _verdict(STATE, "protect", "major", (_forged(),))
    return _verdict(MAKER, "tools", "minor", (_maker(run),))


def _verdict(name: str, kind: str, severity: Severity, findings: tuple[Finding, ...]) -> Verdict:
    return Verdict(name, kind, "failed", 0.0, severity, findings)  # type: ignore[arg-type]  # kind is one of the literals


def _protected(path: str) -> Finding:
    found = finding(PROTECT, "unchanged", f"{path} is protected and was put back as it was", path=path)
    return structs.replace(found, evidence="Mend the work, not what grades it.")


def _grader(path: str, check: str) -> Finding:
    found = finding(GRADERS, "unchanged", f"{path} is what the check '{check}' runs, and this run changed it", path=path)
    told = "Put it back as it was: what is graded may not change what grades it. If it is the work itself, its operator has to say so."
    return structs.replace(found, evidence=told)


def _forged() -> Finding:
    found = finding(
        STATE, "unchanged", "the part of the state that the checks write was written by somebody else", path=".loop/STATE.md"
    )
    return structs.replace(found, evidence="Leave out what stands between loopdeck's two marks: it counts for nothing there.")


def _outside(path: str) -> Finding:
    found = finding(OUTSIDE, "unchanged", f"{path} in the operator's own checkout changed, and a call of yours names it", path=path)
    told = "Your work is in your worktree alone. Put nothing anywhere else, and leave it to the operator to put that right."
    return structs.replace(found, evidence=told, severity="blocker")


def _maker(run: Run) -> Finding:
    said = {
        "tool_calls": f"all {run.settings.max_tool_calls} tool calls of the iteration were used up before the work was finished",
        "repeating": "the same tool calls with the same results were made again and again",
        "malformed": "replies or tool arguments could not be understood, several times in a row",
        "max_turns": f"{run.turns} turns were used up before the work was finished",
        "refused": "the model refused to go on",
        "context": "the conversation outgrew the model's window",
    }
    return finding(MAKER, run.maker_end or "ended", said.get(run.maker_end or "", "it did not finish"), severity="minor")
