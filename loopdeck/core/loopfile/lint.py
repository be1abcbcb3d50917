"""What is allowed in a loop file and still makes sloppy work: warnings, few and each with a way out.

They are about a loop as a whole: a goal that can't be told from its opposite, checks that can't say no, work
without bounds with nobody watching.
"""

import re
from collections.abc import Sequence

from loopdeck.core.findings import SEVERITIES, at_least
from loopdeck.core.spec import CheckSpec, LoopSpec
from loopdeck.core.tables import Table

_VAGUE = re.compile(
    r"\b(improve[sd]?|improvements?|better|clean(?:ed|er)? ?up|tidy|nicer?|polish(?:ed)?|optimi[sz]e[sd]?|enhance[sd]?"
    r"|modernize|appropriate(?:ly)?|properly|good|great|as needed|if possible|and so on|etc)\b",
    re.IGNORECASE,
)
_HOLLOW = re.compile(r"\s*(?:true|:|exit 0|(?:echo|printf)\b[^&|;]*)\s*")


def lint(top: Table, spec: LoopSpec, checks: Sequence[Table]) -> None:
    """Note the warnings for `spec`, which `top` and the tables of its `checks` were read as."""
    hollow = [bool(check.run and _HOLLOW.fullmatch(check.run)) for check in spec.checks]
    for table, empty in zip(checks, hollow, strict=True):
        if empty:
            remedy = "Write a command that fails when the goal isn't reached."
            table.note("run", "this check can't fail", remedy, warning=True)
    measured = any(_measures(check) and not empty for check, empty in zip(spec.checks, hollow, strict=True))
    if not measured:
        _unmeasured(top, spec, checks)
    bounded = bool(spec.workspace.protect) or any(check.scope for check in spec.checks)
    if not bounded and spec.trigger.scheduled:
        what = "a loop that starts by itself has no bounds: neither a scope check nor workspace.protect"
        remedy = 'Add `[[check]]` with `scope = {paths = ["src/**"]}`, or `[workspace]` with `protect = ["tests/**"]`.'
        top.note("trigger", what, remedy, warning=True)


def required(spec: LoopSpec, checks: Sequence[Table]) -> None:
    """Refuse a loop none of whose checks counts: it would be done before it began."""
    floor = spec.exit.severity_floor
    if checks and not any(at_least(check.severity, floor) for check in spec.checks):
        graver = SEVERITIES[SEVERITIES.index(floor) :]
        what = f"no check is of severity {' or '.join(graver)}, so none counts (exit.severity_floor)"
        checks[0].note("severity", what, f'Write `severity = "{floor}"` in a check, or lower `exit.severity_floor`.')


def _measures(check: CheckSpec) -> bool:
    return bool(check.run or check.links or check.schema or check.metric)


def _unmeasured(top: Table, spec: LoopSpec, checks: Sequence[Table]) -> None:
    vague = _VAGUE.search(spec.goal)
    if vague:
        remedy = "Say what will be true when it is done, or add a check that measures it."
        what = f"`goal` says {vague[0]!r}, and no check measures it"
        top.note("goal", what, remedy, warning=True)
    if spec.checks and all(check.rubric for check in spec.checks):
        what = "every check is a model's opinion"
        checks[0].note("rubric", what, "Add a command check, or `human = true`.", warning=True)
    elif spec.checks and all(check.scope for check in spec.checks):
        what = "no check can tell whether the goal is reached"
        checks[0].note("scope", what, "Add a command check; a scope check passes if nothing is done.", warning=True)
