"""Loop files for tests: scripted makers that take no time, checks that are one line of shell."""

from collections.abc import Mapping, Sequence
from typing import Any

import tomli_w

Call = tuple[str, dict[str, Any]]


def turn(text: str, *calls: Call, **more: Any) -> dict[str, Any]:
    """One turn of a script; one without calls ends the iteration."""
    usage = {"input": 1000, "output": 100}
    made = [{"tool": tool, "input": given} for tool, given in calls]
    return {"text": text, "usage": usage, **({"calls": made} if made else {}), **more}


def write(path: str, content: str) -> Call:
    """A call that writes a file."""
    return ("write_file", {"path": path, "content": content})


def loop(
    name: str,
    turns: Sequence[Mapping[str, Any]],
    *,
    checks: Sequence[Mapping[str, Any]] = ({"name": "fine", "run": "true"},),
    end: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, str]:
    """The files of a scripted loop: path in the repository → text. `more` are further tables and keys."""
    spec = {
        "goal": f"The goal of {name}.",
        **more,
        "maker": {"agent": "scripted", "script": "play.toml", "model": "claude-sonnet-4-5", **more.get("maker", {})},
        "check": list(checks),
        "exit": {"max_iterations": 3, "max_cost_usd": 1.0, **(end or {})},
    }
    folder = f".loopdeck/loops/{name}"
    script = {"model": "claude-sonnet-4-5", "turn": list(turns)}
    return {f"{folder}/loop.toml": tomli_w.dumps(spec), f"{folder}/play.toml": tomli_w.dumps(script)}


def fixer(name: str = "fixer", content: str = "fixed\n", **more: Any) -> dict[str, str]:
    """A loop that ends `done` after one iteration, in which it writes `answer.txt`."""
    turns = [turn("Writing.", write("answer.txt", content)), turn("Done.")]
    return loop(name, turns, checks=[{"name": "answered", "run": "grep -q fixed answer.txt"}], **more)


def waiting(name: str = "waiting", seconds: float = 30) -> dict[str, str]:
    """A loop whose first turn takes its time."""
    return loop(name, [turn("Thinking.", delay_s=seconds)])
