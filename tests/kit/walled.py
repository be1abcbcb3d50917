"""Doors for tests: the plain one, and the sandbox where this machine can make one."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from loopdeck.sandbox.bubble import BubbleDoor
from loopdeck.sandbox.fenced import LEAST_VERSION, FencedDoor, version
from loopdeck.sandbox.plain import PlainDoor
from loopdeck.sandbox.port import Door
from loopdeck.sandbox.toolchains import toolchains
from loopdeck.sandbox.walls import Walls

ENV = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
HOME = Path.home()
MakeDoor = Callable[..., Door]


@cache
def bwrap() -> str:
    """The bubblewrap of this machine, or nothing if it is not there or may not make a sandbox."""
    found = shutil.which("bwrap")
    trial = ("--unshare-all", "--unshare-user", "--disable-userns", "--ro-bind", "/", "/", "--proc", "/proc", "/bin/sh", "-c", "exit 7")
    return found if found and subprocess.run([found, *trial], capture_output=True, check=False).returncode == 7 else ""


walled = pytest.mark.skipif(not bwrap(), reason="bubblewrap is not installed, or may not make a sandbox here")


def bubble(tree: Path, grace_s: float = 0.2, run: str = "", **walls: object) -> BubbleDoor:
    """A sandbox around `tree`, with the home of whoever runs the tests hidden."""
    standing = {"home": HOME, "tools": toolchains(ENV, HOME), **walls}
    return BubbleDoor(bwrap(), Walls(tree, **standing), run or name(), grace_s=grace_s)  # type: ignore[arg-type]  # of several types


fenceable = pytest.mark.skipif(version() < LEAST_VERSION, reason="this kernel's Landlock is too old, or it has none")


def fence(tree: Path, grace_s: float = 0.2, run: str = "", **walls: object) -> FencedDoor:
    """A fence around `tree`, as where there is no bubblewrap."""
    standing = {"home": HOME, "tools": toolchains(ENV, HOME), **walls}
    scratch = Path(tempfile.gettempdir(), f"loopdeck-tests-{os.getuid()}")
    scratch.mkdir(mode=0o700, exist_ok=True)
    return FencedDoor(Walls(tree, **standing), run or name(), scratch, grace_s=grace_s)  # type: ignore[arg-type]  # of several types


def plain(tree: Path, grace_s: float = 0.2, run: str = "") -> PlainDoor:
    """No walls."""
    return PlainDoor(run or name(), grace_s=grace_s)


def name() -> str:
    """A run that nobody else has."""
    return f"run-{uuid.uuid4().hex[:8]}"


EVERY = [plain, pytest.param(bubble, marks=walled), pytest.param(fence, marks=fenceable)]
"""The makers of doors, to run a test with each."""
