"""The scope check: the run changes only what it may, and not too much of it.

It looks at the run's diff alone, so an empty diff is in scope. Each path outside is a finding of its own.
"""

from collections.abc import Sequence

from loopdeck.checks.grading import Stopwatch, capped, found, graded, sha256, share, timed
from loopdeck.checks.output import plain_line
from loopdeck.checks.port import ChangedPath, CheckContext
from loopdeck.core.findings import Evidence, Finding, Verdict
from loopdeck.core.globs import any_match
from loopdeck.core.plural import some
from loopdeck.core.spec import CheckSpec, ScopeCheck


class ScopeOfChange:
    """Holds `context.changed` against globs and bounds."""

    async def run(self, spec: CheckSpec, context: CheckContext) -> tuple[Verdict, bytes]:
        """As `Check.run`."""
        watch = Stopwatch()
        assert spec.scope is not None
        outside = [one for one in context.changed if spec.scope.paths and not any_match(one.path, spec.scope.paths)]
        findings = [*_sizes(spec, spec.scope, context.changed), *(_outside(spec, spec.scope, one) for one in outside)]
        lines = sum(one.added + one.removed for one in context.changed)
        changed = f"{some(len(context.changed), 'file')} and {some(lines, 'line')} changed"
        summary = f"{changed}, {some(len(outside), 'file')} outside the scope"
        listed = (f"+{one.added} -{one.removed} {one.path}" for one in context.changed)
        output = "\n".join([*listed, summary, ""]).encode("utf-8", "replace")
        evidence = Evidence(command=_said(spec.scope), output_hash=sha256(output), tail=summary, at=context.now)
        score = share(len(context.changed) - len(outside), len(context.changed)) if findings else 1.0
        if findings and not outside:
            score = 0.0
        return timed(graded(spec, "scope", capped(spec, findings), evidence, score=score), watch.seconds), output


def _outside(spec: CheckSpec, scope: ScopeCheck, one: ChangedPath) -> Finding:
    allowed = ", ".join(scope.paths)
    return found(spec, f"changed outside the scope, which is {allowed}: undo it", criterion="paths", path=one.path)


def _sizes(spec: CheckSpec, scope: ScopeCheck, changed: Sequence[ChangedPath]) -> list[Finding]:
    findings: list[Finding] = []
    if scope.max_files and len(changed) > scope.max_files:
        findings.append(found(spec, f"{some(len(changed), 'file')} changed, at most {scope.max_files} may be", criterion="max_files"))
    lines = sum(one.added + one.removed for one in changed)
    if scope.max_lines and lines > scope.max_lines:
        most = sorted(changed, key=lambda one: -(one.added + one.removed))[:5]
        largest = ", ".join(f"{one.path} (+{one.added} -{one.removed})" for one in most)
        findings.append(
            found(
                spec,
                f"{some(lines, 'line')} added or removed, at most {scope.max_lines} may be",
                criterion="max_lines",
                evidence=plain_line(f"The most: {largest}", 1500),
            )
        )
    return findings


def _said(scope: ScopeCheck) -> str:
    bounds = [f"scope {' '.join(scope.paths) or '**'}"]
    bounds += [f"max_files={scope.max_files}"] if scope.max_files else []
    bounds += [f"max_lines={scope.max_lines}"] if scope.max_lines else []
    return " ".join(bounds)
