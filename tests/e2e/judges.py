"""Loops with a judge: a rubric check whose scripted model answers in the schema that rubrics want."""

import json
from typing import Any

from tests.cli.loops import loop, turn


def verdict(**criteria: bool | str) -> str:
    """A judge's answer: of each criterion True, or why not."""
    graded = [
        {
            "id": name,
            "outcome": "passed" if word is True else "failed",
            "reason": "" if word is True else str(word),
            "path": "",
            "line": 0,
        }
        for name, word in criteria.items()
    ]
    fine = all(one["outcome"] == "passed" for one in graded)
    return json.dumps({"criteria": graded, "result": "satisfied" if fine else "needs_revision", "explanation": "as said"})


def judged(name: str, turns: list[dict[str, Any]], answers: list[dict[str, Any]], rubric: str, **more: Any) -> dict[str, str]:
    """A loop graded by `checks` and then by a judge who says `answers`, turns of a script."""
    judge = {"name": "judge", "rubric": "RUBRIC.md", "agent": "scripted", "script": "judge.toml", **more.pop("judge", {})}
    made = loop(name, turns, checks=[*more.pop("checks", ()), judge], **more)
    folder = f".loopdeck/loops/{name}"
    script = loop("judge", answers)[".loopdeck/loops/judge/play.toml"]
    return {**made, f"{folder}/RUBRIC.md": rubric, f"{folder}/judge.toml": script}


def answer(text: str, **more: Any) -> dict[str, Any]:
    """A judge's turn."""
    return turn(text, **more)
