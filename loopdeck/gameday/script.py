"""Loop files of misbehaving makers: scripts for the scripted agent, with real tools, gates and checks."""

from collections.abc import Mapping, Sequence

import tomli_w

MODEL = "claude-sonnet-4-5"
"""For its prices only: no model is called."""

Call = tuple[str, dict[str, object]]
Turn = dict[str, object]
Check = Mapping[str, object]


def turn(text: str, *calls: Call, **more: object) -> Turn:
    """One turn of a script; one without calls ends the iteration."""
    made = [{"tool": tool, "input": given} for tool, given in calls]
    return {"text": text, "usage": {"input": 1000, "output": 100}, **({"calls": made} if made else {}), **more}


def bash(command: str) -> Call:
    """A call that runs a command."""
    return ("bash", {"command": command})


def write(path: str, content: str) -> Call:
    """A call that writes a file."""
    return ("write_file", {"path": path, "content": content})


def loop(
    name: str,
    turns: Sequence[Turn],
    *,
    checks: Sequence[Check] = ({"name": "fine", "run": "true"},),
    end: Mapping[str, object] | None = None,
    gates: Mapping[str, object] | None = None,
    maker: Mapping[str, object] | None = None,
    **more: object,
) -> dict[str, str]:
    """The files of a loop whose commands need no approval, unless `gates` say otherwise. `more` are further tables and keys."""
    spec = {
        "goal": f"Survive: {name}.",
        **more,
        "maker": {"agent": "scripted", "script": "play.toml", "model": MODEL, **(maker or {})},
        "check": list(checks),
        "exit": {"max_iterations": 2, "max_cost_usd": 1.0, "max_wall": "2m", "no_progress": False, **(end or {})},
        "gates": gates or {"allow": ["bash"]},
    }
    folder = f".loopdeck/loops/{name}"
    played = {"model": MODEL, "turn": list(turns)}
    return {f"{folder}/loop.toml": tomli_w.dumps(spec), f"{folder}/play.toml": tomli_w.dumps(played)}
