"""What the tests of checks share: a checkout on disk, and a check run in it through the plain door."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loopdeck.checks.port import Check, CheckContext
from loopdeck.checks.registry import make_check
from loopdeck.core.findings import Verdict
from loopdeck.core.spec import CheckSpec
from loopdeck.sandbox.plain import PlainDoor

NOW = "2026-11-21T07:15:00Z"
ENV = {
    # The interpreter of the tests first, so that `python` and `pytest` in a command are the ones that run here.
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "LC_ALL": "C.UTF-8",
}


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """The folder `root` with `files` in it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def context(checkout: Path, **fields) -> CheckContext:
    """All a check may look at; the operator's root is the checkout unless another is given."""
    given: dict[str, Any] = {
        "checkout": checkout, "root": checkout, "loop_dir": checkout, "door": PlainDoor("checks-tests", grace_s=0.2), "env": ENV,
        "goal": "All tests pass.", "state": "", "iteration": 1, "changed": (), "diff": "", "transcript": "", "ask": None, "now": NOW,
    }  # fmt: skip
    return CheckContext(**(given | fields))


def grade(spec: CheckSpec, where: CheckContext, check: Check | None = None, **making) -> tuple[Verdict, bytes]:
    """The verdict and the output of the check that `spec` means."""
    return asyncio.run((check or make_check(spec, **making)).run(spec, where))


def verdict(spec: CheckSpec, where: CheckContext, **making) -> Verdict:
    """The verdict alone, which holds what every verdict must."""
    said, output = grade(spec, where, **making)
    assert said.check == spec.name
    assert said.evidence.at == where.now
    assert said.evidence.output_hash
    assert isinstance(output, bytes)
    assert 0 <= said.score <= 1
    assert said.passed == (said.score == 1 and not said.findings)
    assert all(one.severity for one in said.findings)
    assert len(said.findings) <= 20
    return said
