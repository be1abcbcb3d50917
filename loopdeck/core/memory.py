"""The part of STATE.md that loopdeck itself writes: the last verdict, between two marks, below what maker and operator write.

The block is taken out before versions are compared or merged, and put back fresh, so that nobody else's edit of it counts.
"""

import re

from loopdeck.core.run import Run

BEGIN = "<!-- loopdeck: from here on written by the checks -->"
END = "<!-- loopdeck: end -->"
_BLOCK = re.compile(re.escape(BEGIN) + r".*?(?:" + re.escape(END) + r"\n?|\Z)", re.DOTALL)
_MOST_FINDINGS = 20

MOST = 32 * 1024
"""Bytes of all that maker and operator may write: it is read into every prompt."""
MOST_BLOCK = 8 * 1024
"""Bytes of the block, marks included, which come on top."""


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


def is_forged(text: str, given: str) -> bool:
    """True if `text` has a part between the marks that is not the one in `given`: somebody wrote there what only the checks may."""
    ours = block_of(given).strip()
    return any(found[0].strip() != ours for found in _BLOCK.finditer(text))


def size(text: str) -> int:
    """Bytes of what maker and operator wrote."""
    return len(without_block(text).rstrip("\n").encode("utf-8", "replace"))


def with_block(text: str, run: Run, score: float, passed: bool, ended: str = "", note: str = "") -> str:
    """`text` with a fresh block on the newest verdicts of `run`; `ended` is the sentence on the run's end, if it has.

    `note` is what the maker must know of its own state.
    """
    heading = f"Run {run.id}, iteration {run.iteration}: {'passed' if passed else 'not passed'}, score {score:.2f}"
    lines = [BEGIN, "", "## Verdict", "", heading]
    if ended:
        lines.append(f"Run {run.id} ended: {_line(ended)}")
    lines += ["", note, ""] if note else [""]
    lines += [f"- [{'x' if one.passed else ' '}] {_line(one.check)}: {one.outcome}" for one in run.verdicts]
    lines += [f"- [ ] {_line(name)}: not run" for name in run.skipped]
    findings = [found for verdict in run.verdicts for found in verdict.findings]
    if findings:
        lines += ["", "Open findings:", ""]
        lines += [f"- {one.fingerprint} ({one.status}) {_line(one.location)} {_line(one.message)}" for one in findings[:_MOST_FINDINGS]]
        if len(findings) > _MOST_FINDINGS:
            lines.append(f"- …and {len(findings) - _MOST_FINDINGS} more")
    return "\n".join([without_block(text).rstrip("\n"), "", *_fitting(lines), "", END, ""])


def _fitting(lines: list[str]) -> list[str]:
    """As many of the lines as there is room for, and how many are missing."""
    room = MOST_BLOCK - 200
    for number, line in enumerate(lines):
        room -= len(line.encode("utf-8", "replace")) + 1
        if room < 0:
            return [*lines[:number], f"- …and {len(lines) - number} more lines"]
    return lines


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
