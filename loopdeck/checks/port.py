"""What a check is given, and what every kind of check offers the runner."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loopdeck.core.conversation import AskModel
from loopdeck.core.findings import Verdict
from loopdeck.core.spec import CheckSpec
from loopdeck.sandbox.port import Door


@dataclass(frozen=True, slots=True)
class ChangedPath:
    """A path of the run's diff against its base; `added` and `removed` are lines (0 for binary files)."""

    path: str
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class CheckContext:
    """All that a check may look at. `checkout` is clean: the run's commit, with protected paths as they were at the base.

    `loop_dir` is the folder of the loop file (for schemas and rubrics named there, which come from the operator's checkout, never
    from a worktree); `root` is the operator's repository root, to be read only. `transcript` and `diff` are the maker's words:
    untrusted. `keep` stores whole output and returns its SHA-256. `now` is UTC, RFC 3339.
    """

    checkout: Path
    root: Path
    loop_dir: Path
    door: Door
    env: Mapping[str, str]
    goal: str
    state: str
    iteration: int
    changed: tuple[ChangedPath, ...]
    diff: str
    transcript: str
    ask: AskModel | None
    now: str


class Check(Protocol):
    """One kind of check."""

    async def run(self, spec: CheckSpec, context: CheckContext) -> tuple[Verdict, bytes]:
        """Grade the checkout; returns the verdict and the whole output behind it (kept by the runner as evidence).

        A check that could not be carried out is a verdict `error`, not an exception; BudgetSpent and ModelFailed pass through.
        """
        ...
