"""A tree of seven that does not want to be ended: double daemons, deaf to every signal, which turn into other programs all the time.

After each kill nothing of it is left, seen from outside: by a word in its command lines, which no mark of ours has a part in.
"""

import asyncio
import os
import signal
import statistics
import sys
import time
import uuid
from pathlib import Path

import pytest

from loopdeck.sandbox import family
from loopdeck.sandbox.port import Command, Door
from tests.kit import walled
from tests.sandbox.test_contract import python, running

pytestmark = [
    pytest.mark.skipif(not family.HAS_PROC, reason="needs /proc"),
    pytest.mark.parametrize("make", walled.EVERY, ids=["plain", "bubble", "fence"]),
]

STUBBORN = """
import os, signal, sys, time
word, folder, role = sys.argv[1:4]
me = [sys.executable, "-I", "-S", "-c", os.environ.get("TEXT", ""), word, folder]
for number in (1, 2, 15):
    signal.signal(number, signal.SIG_IGN)
def there(name):
    open(os.path.join(folder, name), "w").close()
if role == "first":
    for name in ("a", "b"):
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            os.execve(sys.executable, [*me, "daemon-" + name], dict(os.environ))
    if os.fork() == 0:
        os.setsid()
        os.execve(sys.executable, [*me, "restless"], dict(os.environ))
    if os.fork() == 0:
        os.execve(sys.executable, [*me, "child"], dict(os.environ))
elif role.startswith("daemon") and os.fork() == 0:
    # Its own child has no variable at all, and a session of its own.
    os.setsid()
    os.execve("/bin/sleep", ["sleep", word], {})
if role == "restless":
    there(role)
    time.sleep(0.004)
    if os.fork():
        os._exit(0)
    os.setsid()
    os.execve(sys.executable, [*me, "restless"], dict(os.environ))
there(role)
while True:
    time.sleep(60)
"""
ROLES = {"first", "daemon-a", "daemon-b", "restless", "child"}


def tree(word: str, cwd: Path, folder: Path) -> Command:
    env = {**walled.ENV, "TEXT": STUBBORN}
    argv = (sys.executable, "-I", "-S", "-c", STUBBORN, word, str(folder), "first")
    return Command(argv, cwd, env, 60, writable=(cwd,))


async def killed(door: Door, cwd: Path) -> tuple[float, list[int]]:
    """One tree grown and cancelled: seconds to the end of it, and who of it is left."""
    word = f"{10_000 + os.getpid()}.{uuid.uuid4().int % 10**12}"
    folder = cwd / word
    folder.mkdir()
    task = asyncio.create_task(door.run(tree(word, cwd, folder)))
    until = time.monotonic() + 20
    while {path.name for path in folder.iterdir()} != ROLES:
        assert time.monotonic() < until, sorted(path.name for path in folder.iterdir())
        await asyncio.sleep(0.002)
    began = time.monotonic()
    task.cancel()
    await asyncio.wait((task,))
    took = time.monotonic() - began
    assert task.cancelled(), task.exception()
    return took, running(word)


def kills(make: walled.MakeDoor, cwd: Path, times: int) -> list[float]:
    """Kill as many trees, one in three with a grace that none of them uses."""
    took = []
    survivors = 0
    for number in range(times):
        grace = 0.06 if number % 3 == 0 else 0.0
        seconds, left = asyncio.run(killed(make(cwd, grace_s=grace), cwd))
        survivors += len(left)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        took.append(seconds - grace)
    assert survivors == 0
    return took


@pytest.mark.pain(2)
def test_nothing_is_left_of_who_does_not_want_to_be_ended(make, tmp_path):
    kills(make, tmp_path, 10)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_nothing_is_left_after_five_hundred_kills(make, tmp_path, record_property):
    took = sorted(kills(make, tmp_path, 500))
    middle, late = statistics.median(took), took[int(len(took) * 0.99)]
    # The figures are what a chaos suite is for.
    print(f"\n500 kills: 0 left; from KILL to seen empty p50 {1000 * middle:.0f} ms, p99 {1000 * late:.0f} ms")  # noqa: T201 - the figures are the output
    assert late < 0.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_who_is_asked_may_tidy_up(make, tmp_path, number):
    text = f"""
import signal, sys, time
def asked(*_):
    print("tidied", flush=True)
    sys.exit()
for one in (1, 2, 15):
    signal.signal(one, signal.SIG_IGN)
signal.signal({int(number)}, asked)
print("ready", flush=True)
time.sleep(60)
"""
    finished = asyncio.run(make(tmp_path, grace_s=2).run(python(text, tmp_path, timeout_s=0.7)))
    assert finished.output == b"ready\ntidied\n"
    assert finished.seconds < 0.7 + 2, "gone before its grace was over"


def test_patience_that_is_lost_meanwhile_cuts_the_grace_short(make, tmp_path):
    async def lost() -> float:
        door = make(tmp_path, grace_s=30)
        said: list[bytes] = []
        command = python(
            "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print('in', flush=True); time.sleep(60)",
            tmp_path,
        )
        task = asyncio.create_task(door.run(command, said.append))
        while not said:
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.sleep(0.1)
        began = time.monotonic()
        door.hurry()
        await asyncio.wait((task,))
        return time.monotonic() - began

    assert asyncio.run(lost()) < 3
