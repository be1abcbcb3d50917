import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from loopdeck.sandbox.plain import PlainDoor
from loopdeck.tools import registry
from loopdeck.tools.port import ToolContext, ToolOutcome

Call = Callable[..., ToolOutcome]
FILES = {
    "src/calc.py": "def add(a, b):\n    return a - b\n",
    "src/deep/er/util.py": "import calc\n# TODO one\n",
    "docs/guide.md": "# Guide\n\nTODO two (a+b)\n",
    "README.md": "# Calc\n",
    "node_modules/x/index.js": "// TODO three\n",
}


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    """A worktree as a run has it: `.git` is a file that points elsewhere; a secret lies beside it."""
    root = tmp_path / "work"
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (root / ".git").write_text("gitdir: /elsewhere/.git/worktrees/work\n")
    (tmp_path / "secret.txt").write_text("outside\n")
    return root


@pytest.fixture
def context(worktree: Path) -> ToolContext:
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return ToolContext(worktree, PlainDoor("tools-test", grace_s=0.2), env, skills={"review": "# How to review\n"})


@pytest.fixture
def call(context: ToolContext) -> Call:
    """Carries out a tool call, its arguments given by name, through the registry."""

    def carried_out(tool: str, /, **given: object) -> ToolOutcome:
        return asyncio.run(registry.call(tool, json.dumps(given), context))

    return carried_out
