"""The human check: a person's answer as a verdict like any other. The waiting is the runner's."""

from loopdeck.checks.grading import found, graded, sha256
from loopdeck.checks.output import plain_line, tail
from loopdeck.checks.port import CheckContext
from loopdeck.core.findings import Evidence, Verdict
from loopdeck.core.spec import CheckSpec


def verdict(spec: CheckSpec, passed: bool, by: str, why: str, at: str) -> Verdict:
    """What the person `by` said at `at` (UTC, RFC 3339) of the check `spec`, and why; the reason of a `fail` is the finding."""
    words = f"{'passed' if passed else 'failed'} by {plain_line(by, 100) or 'somebody'}" + (f": {why}" if why else "")
    evidence = Evidence(
        command=f"loopdeck verdict {spec.name} {'pass' if passed else 'fail'}",
        output_hash=sha256(words.encode("utf-8", "replace")),
        tail=tail(words),
        at=at,
    )
    if passed:
        return graded(spec, "human", (), evidence)
    message = why.strip() or f"{by or 'somebody'} did not accept it and gave no reason"
    return graded(spec, "human", (found(spec, message, evidence=tail(words, 1500)),), evidence)


class HumanCheck:
    """Says, as long as nobody has answered, that it can't be judged yet."""

    async def run(self, spec: CheckSpec, context: CheckContext) -> tuple[Verdict, bytes]:
        """The verdict `unknown`."""
        message = "nobody has given a verdict yet: loopdeck verdict RUN CHECK pass|fail"
        output = message.encode()
        evidence = Evidence(output_hash=sha256(output), tail=message, at=context.now)
        return graded(spec, "human", (found(spec, message),), evidence, outcome="unknown"), output
