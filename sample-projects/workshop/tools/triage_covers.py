"""Holds a triage report against the recorded nights: python3 tools/triage_covers.py REPORT

Every failure of ci-history/ must have a line of the report that names it, the night it was first seen, and what it is:
`flaky` (passed and failed on the same commit), `lasting` (failed in every later night too), or `once`.
"""

import json
import sys
from pathlib import Path

KINDS = ("flaky", "lasting", "once")


def failures(history):
    """For each failure that was ever seen: its first night, and its kind."""
    nights = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(history.glob("night-*.json"))]
    seen = {}
    for night in nights:
        for name in night["failed"]:
            seen.setdefault(name, []).append(night)
    return {name: (those[0]["night"], kind(name, those, nights)) for name, those in seen.items()}


def kind(name, failed, nights):
    commits = {night["commit"] for night in failed}
    if any(night["commit"] in commits and name not in night["failed"] for night in nights):
        return "flaky"
    later = [night for night in nights if night["night"] >= failed[0]["night"]]
    return "lasting" if len(later) > 1 and all(name in night["failed"] for night in later) else "once"


def main(report):
    lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    wrong = []
    for name, (first, what) in sorted(failures(Path("ci-history")).items()):
        at, line = next(((at, line) for at, line in enumerate(lines, 1) if name in line), (0, ""))
        if not at:
            wrong.append(f"{report.as_posix()}:1: {name}, first seen in {first}, is not in the report")
            continue
        if first not in line:
            wrong.append(f"{report.as_posix()}:{at}: {name} was first seen in {first}; the line doesn't say so")
        said = [one for one in KINDS if one in line.lower().split(name.lower())[-1]]
        if said != [what]:
            wrong.append(f"{report.as_posix()}:{at}: {name} is called {' and '.join(said) or 'nothing'}, but it is {what}")
    print("\n".join(wrong) or "every failure is in the report")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
