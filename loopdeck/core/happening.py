"""The base of all events, and the values that several of them carry."""

import re
from typing import Literal

from msgspec import Struct

from loopdeck.core.findings import Severity

Role = Literal["maker", "check", "agent", "triage"]
"""Who a model call is for. `triage`: what to take first, asked before the maker begins. `agent`: an outside agent asked for it itself,
within the maker's turn; it is paid as the maker's, and is no turn of ours."""
Reason = Literal["done", "max_iterations", "budget", "no_progress", "human", "error", "lost"]
Walls = Literal["", "none", "closed", "listed", "open"]
"""What holds the commands of a run: nothing, a sandbox, one that lets listed hosts be reached, one with the whole network open; empty
where an older journal does not say."""
Tier = Literal["low", "medium", "high", "dangerous"]
MakerEnd = Literal["ended", "max_turns", "tool_calls", "repeating", "malformed", "refused", "context", "budget"]
"""How a maker's part of an iteration came to its end; only `ended` is its own word."""

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def snake(name: str) -> str:
    """The tag of a class: `RunEnded` → `run_ended`."""
    return _HUMP.sub("_", name).lower()


class Happening(Struct, frozen=True, omit_defaults=True, tag_field="kind", tag=snake):
    """Base of all events, of the journal and of the trace."""


class Commanded(Happening, frozen=True, omit_defaults=True, kw_only=True):
    """Base of what a person's word comes to. `command` is the one it came in, which is thereby taken: no crash can come between."""

    command: str = ""


class Settings(Struct, frozen=True, omit_defaults=True):
    """What a person may change while the run lives, as frozen at its start and changed since."""

    max_iterations: int
    max_cost: int | None = None
    max_tokens: int | None = None
    max_wall_s: float | None = None
    max_tool_calls: int | None = None
    no_progress: int = 3
    severity_floor: Severity = "major"
    final_pass: bool = False
    model: str = ""


class CallAsked(Struct, frozen=True):
    """A tool call that a reply asks for; its arguments are in the trace."""

    id: str
    tool: str


class Signal(Struct, frozen=True, omit_defaults=True):
    """A no-progress detector's word after an iteration: which, how many iterations in a row, which rung, and on what evidence."""

    detector: str
    streak: int
    rung: Literal["note", "nudge", "stop"]
    evidence: str
