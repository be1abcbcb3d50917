"""More than sixty ways out, tried for real, as root and as an ordinary user.

None may work from within a sandbox; most must work without, or they would prove nothing.
"""

import asyncio
import ctypes
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from loopdeck.sandbox import family
from loopdeck.sandbox.bubble import BubbleDoor
from loopdeck.sandbox.fenced import FencedDoor
from loopdeck.sandbox.plain import PlainDoor
from loopdeck.sandbox.port import Command, Door, Finished
from tests.kit.repos import git
from tests.kit.walled import ENV, bubble, bwrap, fenceable, name, plain, walled
from tests.sandbox.attacks import ATTACKS, Attack
from tests.sandbox.world import World, world

attacked = pytest.mark.parametrize("attack", ATTACKS, ids=[one.name.replace(" ", "-") for one in ATTACKS])


def tried(door: Door, attack: Attack, made: World) -> Finished:
    """Carry out the attack; what its last command came to."""

    async def steps() -> Finished:
        finished = None
        for step in attack.steps:
            command = Command(
                ("/bin/bash", "-c", step), made.tree, made.env, 1.5 if "bomb" in attack.name else 20, writable=(made.tree,)
            )
            finished = await door.run(command)
        assert finished is not None
        return finished

    return asyncio.run(steps())


@pytest.fixture(scope="module")
def besieged(tmp_path_factory):
    """A world that no attack changes, if all is well; so they all have the same."""
    with world(tmp_path_factory.mktemp("besieged")) as made:
        yield made


@pytest.fixture
def open_to_all(tmp_path):
    """A world that will not be the same after."""
    with world(tmp_path) as made:
        try:
            yield made
        finally:
            for folder in ("/tmp", "/dev/shm"):
                Path(folder, f"evil-{made.mark}").unlink(missing_ok=True)


def reset(made: World) -> None:
    """The maker's worktree as it was, whatever has been moved about in it, which is its right."""
    git(made.tree, "reset", "-q", "--hard", "loop/x")
    git(made.tree, "clean", "-qfdx")


def door_of(kind: str, made: World, run: str) -> Door:
    """The door by that name, as a runner would make it for that world."""
    if kind == "bubble":
        return BubbleDoor(bwrap(), made.walls(), run, grace_s=0.1)
    scratch = made.deck / "scratch"
    scratch.mkdir(exist_ok=True)
    return FencedDoor(made.walls(), run, scratch, grace_s=0.1)


@pytest.mark.parametrize("kind", [pytest.param("bubble", marks=walled), pytest.param("fence", marks=fenceable)])
@attacked
def test_nothing_gets_out_of_a_sandbox(attack, kind, besieged, monkeypatch):
    # The secret is also in the environment of whoever starts the commands.
    monkeypatch.setenv("API_KEY", besieged.canary)
    run = name()
    door = door_of(kind, besieged, run)
    try:
        finished = tried(door, attack, besieged)
        assert not attack.worked(besieged, finished), finished
        assert family.members(family.Mark(run)) == {}
        left = {".claude", ".mcp.json", "AGENTS.md", ".codex", "later"}
        assert left.isdisjoint(entry.name for entry in besieged.tree.iterdir())
    finally:
        door.close()
        reset(besieged)


@pytest.mark.chaos
@attacked
def test_without_walls_it_does(attack, open_to_all, monkeypatch):
    monkeypatch.setenv("API_KEY", open_to_all.canary)
    run = name()
    finished = tried(PlainDoor(run, grace_s=0.1), attack, open_to_all)
    if attack.anywhere:
        assert attack.worked(open_to_all, finished), f"{attack.name} proves nothing: it fails without a sandbox too\n{finished}"
    assert family.members(family.Mark(run)) == {}


@pytest.mark.parametrize("kind", [pytest.param("bubble", marks=walled), pytest.param("fence", marks=fenceable)])
@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root already has tried as an ordinary user")
def test_nor_for_somebody_who_is_not_root(kind):
    with tempfile.TemporaryDirectory() as base:
        Path(base).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-m", "tests.sandbox.as_user", f"{base}/theirs", kind],
            cwd=Path(__file__).parents[2], capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        assert json.loads(done.stdout) == []


_RING = """
import ctypes, sys
libc = ctypes.CDLL(None)
text = ctypes.create_string_buffer(100)
print(libc.syscall(250, 11, int(sys.argv[1]), text, 100) > 0 and text.value.decode(), libc.syscall(298, None, 0, -1, -1, 0))
"""


@walled
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls are this machine's")
@pytest.mark.parametrize("way", ["plain", "bubble"])
def test_keys_that_the_kernel_holds_stay_with_their_owner(tmp_path, way):
    libc = ctypes.CDLL(None)
    libc.syscall(250, 1, None)
    key = libc.syscall(248, b"user", name().encode(), b"hush", 4, -3)
    if key < 0:
        pytest.skip("this kernel keeps no keys")
    command = Command((sys.executable, "-I", "-S", "-c", _RING, str(key)), tmp_path, ENV, 20, writable=(tmp_path,))
    said = asyncio.run((bubble if way == "bubble" else plain)(tmp_path).run(command)).text
    assert ("hush" in said) == (way == "plain"), said
