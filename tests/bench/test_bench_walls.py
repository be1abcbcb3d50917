"""What the walls cost a command, and how fast everything behind them is gone."""

import asyncio
import time
from pathlib import Path

import pytest

from loopdeck.sandbox.fenced import LEAST_VERSION, version
from loopdeck.sandbox.port import Command, Door
from tests.bench.report import goal, say
from tests.kit import walled
from tests.kit.repos import git, make_repo

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300), walled.walled]
COMMANDS = 200
KILLS = 100
_STUBBORN = """
trap '' TERM
for i in 1 2 3 4 5 6 7 8 9 10; do (setsid sh -c "trap '' TERM; (setsid sleep 600 &) ; sleep 600" &) ; done
echo in
while :; do sleep 1; done
"""


@pytest.fixture
def tree(tmp_path):
    """A worktree with what many have: some places that are sealed because they are there."""
    files = {
        "README.md": "x",
        "package.json": "{}",
        ".github/workflows/ci.yml": "x",
        "tests/a.py": "x",
        ".gitignore": "x",
        "AGENTS.md": "x",
    }
    repo = make_repo(tmp_path / "repo", files)
    git(repo, "worktree", "add", "-q", str(tmp_path / "tree"))
    return tmp_path / "tree"


def timed(door: Door, tree: Path, count: int) -> list[float]:
    """Milliseconds of `true`, sorted."""

    async def run() -> list[float]:
        times = []
        for _ in range(count):
            began = time.perf_counter()
            done = await door.run(Command(("true",), tree, walled.ENV, 20, writable=(tree,)))
            times.append((time.perf_counter() - began) * 1e3)
            assert done.exit_code == 0
        return sorted(times)

    return asyncio.run(run())


def at(times: list[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    return times[min(len(times) - 1, int(len(times) * share))]


def test_a_command_behind_walls_is_quick(tree):
    bubble = timed(walled.bubble(tree, shared=(tree.parent / "repo" / ".git",), protect=("tests/**",)), tree, COMMANDS)
    plain = timed(walled.plain(tree), tree, COMMANDS)
    led = walled.bubble(tree, shared=(tree.parent / "repo" / ".git",), protect=("tests/**",), network=("api.example.com",))
    timed(led, tree, 1)
    listed = timed(led, tree, COMMANDS)
    led.close()
    every = [("plain", plain), ("bubblewrap", bubble), ("with hosts", listed)]
    if version() >= LEAST_VERSION:
        fence = walled.fence(tree, shared=(tree.parent / "repo" / ".git",), protect=("tests/**",))
        every.append(("landlock", timed(fence, tree, COMMANDS)))
        fence.close()
    for name, times in every:
        say(f"{name:<11} `true`: median {at(times, 0.5):.1f} ms, p95 {at(times, 0.95):.1f} ms, p99 {at(times, 0.99):.1f} ms")
    goal("S", "p95 of a command behind walls, ms", at(bubble, 0.95), 25, 10)
    goal("S", "p95 of a command that may reach listed hosts, ms", at(listed, 0.95), 25, 12)


def test_a_family_that_does_not_want_to_end_is_gone_at_once(tree):
    async def killed() -> float:
        door = walled.bubble(tree, grace_s=0)
        said: list[bytes] = []
        task = asyncio.create_task(door.run(Command(("/bin/sh", "-c", _STUBBORN), tree, walled.ENV, 60, writable=(tree,)), said.append))
        while not said:
            await asyncio.sleep(0.001)
        began = time.perf_counter()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return (time.perf_counter() - began) * 1e3

    times = sorted(asyncio.run(killed()) for _ in range(KILLS))
    say(f"21 processes, kill to verified empty: median {at(times, 0.5):.1f} ms, p99 {at(times, 0.99):.1f} ms")
    goal("T", "p99 from the kill to verified empty, ms", at(times, 0.99), 500, 50)
