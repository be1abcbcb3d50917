"""The part of STATE.md that loopdeck itself writes: the last verdict, between two marks, below what maker and operator write.

The block is taken out before versions are compared or merged, and put back fresh, so that nobody else's edit of it counts.
"""

import re

from loopdeck.core.run import Run

BEGIN = "<!-- loopdeck: from here on written by the checks -->"
END = "<!-- loopdeck: end -->"
_BLOCK = re.compile(re.escape(BEGIN) + r".*?(?:" + re.escape(END) + r"\n?|\Z)", re.DOTALL)
_MOST_FINDINGS = 20


def initial(loop: str, goal: str) -> str:
    """What a state starts from if the loop has no STATE.initial.md."""
    return f"# State of {loop}\n\n{goal}\n\n## Open\n\n- [ ] {goal}\n\n## Done\n\n## Learned\n"


def without_block(text: str) -> str:
    """`text` as maker and operator wrote it."""
    return _BLOCK.sub("", text).rstrip() + "\n"


def block_of(text: str) -> str:
    """The block that loopdeck wrote last, as it stands in `text`; empty if there is none."""
    found = _BLOCK.search(text)
    return found[0] if found else ""


def with_block(text: str, run: Run, score: float, passed: bool, ended: str = "") -> str:
    """`text` with a fresh block on the newest verdicts of `run`; `ended` is the sentence on the run's end, if it has."""
    heading = f"Run {run.id}, iteration {run.iteration}: {'passed' if passed else 'not passed'}, score {score:.2f}"
    lines = [BEGIN, "", "## Verdict", "", heading]
    if ended:
        lines.append(f"Run {run.id} ended: {ended}")
    lines.append("")
    lines += [f"- [{'x' if one.passed else ' '}] {_line(one.check)}: {one.outcome}" for one in run.verdicts]
    lines += [f"- [ ] {_line(name)}: not run" for name in run.skipped]
    findings = [found for verdict in run.verdicts for found in verdict.findings]
    if findings:
        lines += ["", "Open findings:", ""]
        lines += [f"- {one.fingerprint} ({one.status}) {one.location} {_line(one.message)}" for one in findings[:_MOST_FINDINGS]]
        if len(findings) > _MOST_FINDINGS:
            lines.append(f"- …and {len(findings) - _MOST_FINDINGS} more")
    return "\n".join([without_block(text).rstrip("\n"), "", *lines, "", END, ""])


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
