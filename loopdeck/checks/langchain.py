"""Our verdicts as LangChain's rubric evaluations, without loss.

Their record is a part of ours: the statuses map one to one, an `unknown` criterion is one that failed with its gap, and the whole
verdict travels along under a key of our own, from which it is read back as it was.
"""

from collections.abc import Mapping

import msgspec

from loopdeck.core.findings import Criterion, Outcome, Verdict

KEY = "loopdeck"
_RESULTS: dict[Outcome, str] = {"passed": "satisfied", "failed": "needs_revision", "unknown": "failed", "error": "grader_error"}
MAX_ITERATIONS = "max_iterations_reached"


def as_langchain(verdict: Verdict, *, grading_run_id: str = "", iteration: int = 0, last: bool = False) -> dict[str, object]:
    """`verdict` in the shape of a recorded rubric evaluation.

    `iteration` counts from 0; `last` says that the run ended with it for want of iterations. Without a `grading_run_id` the
    verdict's evidence names it.
    """
    out_of_turns = last and verdict.outcome == "failed"
    return {
        "grading_run_id": grading_run_id or verdict.evidence.output_hash[:32],
        "iteration": iteration,
        "result": MAX_ITERATIONS if out_of_turns else _RESULTS[verdict.outcome],
        "explanation": _explanation(verdict),
        "criteria": [
            {"name": one.id, "passed": True} if one.outcome == "passed" else {"name": one.id, "passed": False, "gap": _gap(one)}
            for one in verdict.criteria
        ],
        KEY: msgspec.to_builtins(verdict),
    }


def from_langchain(record: Mapping[str, object]) -> Verdict:
    """The verdict that `as_langchain` wrote. Raises msgspec.ValidationError if there is none in the record."""
    return msgspec.convert(record.get(KEY), Verdict)


def _explanation(verdict: Verdict) -> str:
    if verdict.kind == "rubric" and verdict.evidence.tail:
        return verdict.evidence.tail
    if verdict.findings:
        return verdict.findings[0].message
    return "All criteria are met." if verdict.passed else verdict.evidence.tail


def _gap(one: Criterion) -> str:
    return one.reason or f"{one.outcome}, without a reason"
