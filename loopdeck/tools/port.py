"""What a tool is given to work with, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loopdeck.core.spec import Level
from loopdeck.sandbox.port import Door

ToolProblem = Literal["", "tool_failed", "malformed_output"]
"""Nothing; the tool could not do it, or its command failed; the model's arguments make no sense."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """All that a call may touch. `env` is the whole environment of commands; `skills` are texts of SKILL.md by name.

    The gate has let the call through; protected and gated paths are its matter. The worktree's border is the tools' own.
    """

    worktree: Path
    door: Door
    env: Mapping[str, str]
    level: Level = "assisted"
    skills: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What the model is told. `is_error` goes with a `problem`, always."""

    output: str
    is_error: bool = False
    problem: ToolProblem = ""


class ToolFailed(Exception):
    """A tool could not do what it was asked; the message is for the model, and says how to go on."""


def failed(message: str) -> ToolOutcome:
    """The outcome of a tool that could not do it."""
    return ToolOutcome(message, is_error=True, problem="tool_failed")
