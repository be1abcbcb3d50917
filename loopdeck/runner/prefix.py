"""Whether a run can read what the run before it left in the provider's cache, and if not, what was changed since.

A cache is read as far as the beginning of a prompt is the same. All steady parts stand there, so a change in one costs the rest.
"""

import time
from pathlib import Path

from loopdeck.core.caching import LONG_S, SHORT_S, keep_for
from loopdeck.core.spec import OUTSIDE
from loopdeck.errors import LoopdeckError
from loopdeck.store.frozen import Frozen, thaw
from loopdeck.store.layout import DeckHome


def broken(home: DeckHome, frozen: Frozen) -> str:
    """What a change since the last run costs, in a sentence; empty if nothing was changed, or nothing would be in a cache any more."""
    maker = frozen.spec.maker.agent
    if maker in OUTSIDE or maker == "scripted":
        return ""
    earlier = [paths for paths in home.runs_of(frozen.loop) if paths.run < frozen.run]
    if not earlier or _age_s(earlier[-1].journal) > (LONG_S if keep_for(frozen.spec) == "1h" else SHORT_S):
        return ""
    try:
        changed = _changed(thaw(earlier[-1].dir), frozen)
    except LoopdeckError:
        return ""
    if not changed:
        return ""
    return f"changed since run {earlier[-1].run}: {', '.join(changed)}; what it left in the provider's cache can't be read any more"


def _age_s(path: Path) -> float:
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return float("inf")


def _changed(before: Frozen, now: Frozen) -> list[str]:
    """The steady parts that differ, by the names a person knows them by."""
    old, new = before.spec, now.spec
    said = {
        "the model": old.maker.model != new.maker.model or old.maker.agent != new.maker.agent or old.models.draft != new.models.draft,
        "the tools": (old.maker.tools, old.maker.connectors) != (new.maker.tools, new.maker.connectors),
        "the prompt template": before.files.get("template") != now.files.get("template"),
        "the system file": before.files.get("system") != now.files.get("system"),
        "the skills": _skills(before) != _skills(now),
        "the goal": (old.goal, old.prompt) != (new.goal, new.prompt),
        "the checks": old.checks != new.checks,
    }
    return [name for name, differs in said.items() if differs]


def _skills(frozen: Frozen) -> dict[str, str]:
    return {key: text for key, text in frozen.files.items() if key.startswith("skill:")}
