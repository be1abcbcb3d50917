"""Goals 26 and 27: a tree of seven, killed and seen empty, frozen and let go; and what it costs to see that a checkout is unchanged."""

import asyncio
import contextlib
import os
import sys
import time
import uuid
from pathlib import Path

import pytest

from loopdeck.git.footprint import changes, footprint
from loopdeck.git.repository import find
from loopdeck.sandbox import family
from loopdeck.sandbox.port import Command, Door
from tests.bench.report import goal, rounds, say
from tests.kit import walled
from tests.kit.repos import make_repo

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
KILLS = 200
PAUSES = 100
SEVEN = """
import os, sys, time
for number in range(5):
    if os.fork() == 0:
        if number == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
        if number == 1:
            os.fork()
        break
print(".", end="", flush=True)
while True:
    time.sleep(60)
"""
DOORS = pytest.mark.parametrize("make", walled.EVERY, ids=["plain", "bubble", "fence"])


def tree(cwd: Path, word: str) -> Command:
    return Command((sys.executable, "-I", "-S", "-c", SEVEN, word), cwd, walled.ENV, 600, writable=(cwd,))


def late(figures: list[float], share: float = 0.99) -> float:
    """In milliseconds."""
    return 1000 * sorted(figures)[int(share * (len(figures) - 1))]


def of_word(word: str) -> list[family.Process]:
    """Who is alive with that word in its command line, but for launchers outside."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if word.encode() in words and words[0].endswith(os.path.basename(sys.executable).encode()):  # noqa: PTH119 - bytes
                    found.append(family.process(int(entry.name)))
    return [one for one in found if one is not None and not one.dead]


async def grown(door: Door, cwd: Path, word: str) -> "asyncio.Task[object]":
    """A tree of seven at work."""
    said: list[bytes] = []
    task = asyncio.ensure_future(door.run(tree(cwd, word), said.append))
    while len(b"".join(said)) < 7:
        assert not task.done(), task.exception()
        await asyncio.sleep(0.002)
    return task


@DOORS
def test_a_killed_tree_is_gone(make, tmp_path, request):
    took, left = [], 0

    async def kill() -> None:
        nonlocal left
        word = uuid.uuid4().hex
        task = await grown(make(tmp_path, grace_s=0.0), tmp_path, word)
        began = time.perf_counter()
        task.cancel()
        await asyncio.wait((task,))
        took.append(time.perf_counter() - began)
        left += len(of_word(word))

    for _ in range(KILLS):
        asyncio.run(kill())
    say(f"kill to seen empty, ms: p50 {late(took, 0.5):.1f}, p99 {late(took):.1f}")
    goal(26, f"survivors of {KILLS} kills ({make.__name__})", left, 0, 0)
    goal(26, f"kill of a tree of seven, seen empty, p99 ms ({make.__name__})", late(took), 100, 15)


@DOORS
def test_a_tree_that_is_paused(make, tmp_path):
    froze, went_on, running = [], [], 0

    async def pauses() -> None:
        nonlocal running
        word = uuid.uuid4().hex
        door = make(tmp_path, grace_s=0.0)
        task = await grown(door, tmp_path, word)
        for _ in range(PAUSES):
            began = time.perf_counter()
            assert door.freeze() >= 7
            froze.append(time.perf_counter() - began)
            running += sum(state(one) not in ("T", "t") for one in of_word(word))
            began = time.perf_counter()
            door.thaw()
            went_on.append(time.perf_counter() - began)
            assert all(state(one) not in ("T", "t") for one in of_word(word))
        task.cancel()
        await asyncio.wait((task,))

    asyncio.run(pauses())
    say(f"pause, ms: p50 {late(froze, 0.5):.1f}, p99 {late(froze):.1f}; resume: p50 {late(went_on, 0.5):.1f}, p99 {late(went_on):.1f}")
    goal(27, f"still running while paused ({make.__name__})", running, 0, 0)
    goal(27, f"pause of a tree of seven, p99 ms ({make.__name__})", late(froze), 50, 10)
    goal(27, f"resume of a tree of seven, p99 ms ({make.__name__})", late(went_on), 50, 10)


def state(one: family.Process) -> str:
    return Path(f"/proc/{one.pid}/stat").read_bytes().rpartition(b")")[2].split()[0].decode()


def test_an_unchanged_checkout_is_seen_to_be(tmp_path):
    files: dict[str, str | bytes] = {f"src/p{n % 200:03}/m{n:05}.py": f"VALUE = {n}\n" for n in range(10_000)}
    root = make_repo(tmp_path / "repo", files)
    repo = find(root)
    before = footprint(repo)

    def look() -> float:
        began = time.perf_counter()
        assert changes(before, footprint(repo)) == ()
        return time.perf_counter() - began

    def each() -> float:
        began = time.perf_counter()
        for path in files:
            os.lstat(root / path)
        return time.perf_counter() - began

    looked, stats = rounds(15, look, each)
    say(f"10,000 files: a look {1000 * looked:.1f} ms; a bare lstat of each from Python {1000 * stats:.1f} ms")
    goal("E", "a look at 10,000 unchanged files, of a bare lstat of each", looked / stats, 2.0, 0.5)
