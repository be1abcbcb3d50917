"""The plain door, with real processes that do what processes should not."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from loopdeck.sandbox import family
from loopdeck.sandbox.hunt import sweep
from loopdeck.sandbox.plain import PlainDoor
from loopdeck.sandbox.port import Command, Door

ENV = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
linux = pytest.mark.skipif(not family.HAS_PROC, reason="needs /proc")


def door(grace_s: float = 0.2) -> PlainDoor:
    return PlainDoor(f"run-{uuid.uuid4().hex[:8]}", grace_s=grace_s)


def script(text: str, cwd: Path, *, timeout_s: float = 20, output_limit: int = 100_000, stdin: bytes = b"") -> Command:
    return Command(("/bin/sh", "-c", text), cwd, ENV, timeout_s, output_limit, stdin)


def python(text: str, cwd: Path, *, timeout_s: float = 20) -> Command:
    return Command((sys.executable, "-I", "-S", "-c", text), cwd, ENV, timeout_s)


def alive(pid: int) -> bool:
    now = family.process(pid)
    return now is not None and not now.dead


def pids_in(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]


async def until(true, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to it"
        await asyncio.sleep(0.005)


def test_it_is_a_door(tmp_path):
    made: Door = door()
    assert made.name == "plain"
    assert made.confines is False


def test_the_environment_is_exactly_what_was_given_and_the_marks(tmp_path):
    marked = PlainDoor("the-run")
    finished = asyncio.run(marked.run(Command(("/usr/bin/env",), tmp_path, {"A": "1", "B": "ü = 2"}, 20)))
    seen = dict(line.split("=", 1) for line in finished.text.splitlines())
    command = seen.pop("LOOPDECK_COMMAND")
    assert seen == {"A": "1", "B": "ü = 2", "LOOPDECK_RUN": "the-run"}
    assert len(command) == 32


def test_a_background_child_neither_holds_the_command_nor_outlives_it(tmp_path):
    finished = asyncio.run(door().run(script("sleep 60 & echo $!", tmp_path)))
    assert finished.exit_code == 0
    assert finished.seconds < 5
    assert not alive(int(finished.text))


# A process that leaves its family in every way there is, and leaves its number behind.
DAEMON = """
import os, sys, time, signal
def told(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
def fled(folder, *, session=True, env=True, ignore=False, fork=2):
    for generation in range(fork):
        if os.fork():
            if generation == 0:
                return
            os._exit(0)
        if session:
            os.setsid()
    if ignore:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    told(folder)
    os.execve("/bin/sleep" if os.path.exists("/bin/sleep") else "/usr/bin/sleep", ["sleep", "60"], dict(os.environ) if env else {})
"""
WAYS = {
    "a session of its own": "fork=1",
    "forked twice": "fork=2",
    "forked twice in the same session": "fork=2, session=False",
    "deaf to INT and TERM": "ignore=True",
    "forked thrice": "fork=3",
}
WAYS_ON_LINUX = {"without environment": "env=False", "without anything": "env=False, ignore=True, fork=3"}


def _fleeing(tmp_path: Path, how: str, then: str, timeout_s: float = 20) -> tuple[Command, Path]:
    folder = tmp_path / "pids"
    folder.mkdir()
    text = f"{DAEMON}\nfled({str(folder)!r}, {how})\nwhile not os.listdir({str(folder)!r}): time.sleep(0.005)\n{then}"
    return python(text, tmp_path, timeout_s=timeout_s), folder


@linux
@pytest.mark.parametrize("how", [*WAYS.values(), *WAYS_ON_LINUX.values()], ids=[*WAYS, *WAYS_ON_LINUX])
@pytest.mark.parametrize("then", ["", "time.sleep(60)"], ids=["exits", "is ended"])
def test_no_daemon_gets_away(tmp_path, how, then):
    command, folder = _fleeing(tmp_path, how, then, timeout_s=0.6 if then else 20)
    finished = asyncio.run(door().run(command))
    assert finished.ended_by == ("timeout" if then else "")
    (pid,) = pids_in(folder)
    assert not alive(pid)


@linux
@pytest.mark.parametrize("how", [*WAYS.values(), *WAYS_ON_LINUX.values()], ids=[*WAYS, *WAYS_ON_LINUX])
def test_no_daemon_survives_a_cancelled_command(tmp_path, how):
    command, folder = _fleeing(tmp_path, how, "time.sleep(60)")

    async def cancelled() -> None:
        task = asyncio.create_task(door().run(command))
        await until(lambda: pids_in(folder))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    (pid,) = pids_in(folder)
    assert not alive(pid)


def test_cancelling_again_and_again_does_not_leave_the_work_half_done(tmp_path):
    async def impatient() -> int:
        said: list[bytes] = []
        task = asyncio.create_task(
            door(grace_s=0.3).run(script("trap '' TERM; echo $$; while :; do sleep 0.05; done", tmp_path), said.append)
        )
        await until(lambda: said)
        for _ in range(20):
            task.cancel()
            await asyncio.sleep(0.005)
        with pytest.raises(asyncio.CancelledError):
            await task
        return int(said[0])

    assert not alive(asyncio.run(impatient()))


@linux
def test_processes_that_replace_themselves_all_the_time_are_caught(tmp_path):
    # Twelve lines of descent, each generation in a session of its own, each gone before one has looked twice.
    text = """
import os, time
for _ in range(12):
    if os.fork() == 0:
        while True:
            if os.fork():
                os._exit(0)
            os.setsid()
            time.sleep(0.002)
time.sleep(60)
"""
    run = f"storm-{uuid.uuid4().hex[:8]}"
    finished = asyncio.run(PlainDoor(run, grace_s=0.05).run(python(text, tmp_path, timeout_s=0.5)))
    assert finished.ended_by == "timeout"
    # Whoever got away would make a hundred more in this time.
    for _ in range(20):
        time.sleep(0.01)
        assert family.members(family.Mark(run)) == {}


@linux
def test_a_storm_in_one_group_is_over_at_once(tmp_path):
    run = f"storm-{uuid.uuid4().hex[:8]}"
    command = script("i=0; while [ $i -lt 150 ]; do sleep 60 & i=$((i+1)); done; wait", tmp_path, timeout_s=0.7)
    finished = asyncio.run(PlainDoor(run).run(command))
    assert finished.seconds < 5
    assert family.members(family.Mark(run)) == {}


@linux
def test_commands_beside_each_other_end_only_their_own(tmp_path):
    one = door()

    async def both() -> tuple[int, bytes]:
        said: list[bytes] = []
        long = asyncio.create_task(one.run(script("echo $$; sleep 60 & sleep 0.6; kill -0 $! && echo still", tmp_path), said.append))
        await until(lambda: said)
        finished = await asyncio.gather(*(one.run(script("sleep 60 & echo ok", tmp_path)) for _ in range(5)))
        assert [done.output for done in finished] == [b"ok\n"] * 5
        whole = await long
        return whole.exit_code or 0, whole.output

    code, output = asyncio.run(both())
    assert code == 0
    assert output.endswith(b"still\n")


@linux
def test_a_runner_that_vanished_is_swept_up_after(tmp_path):
    run = f"lost-{uuid.uuid4().hex[:8]}"
    folder = tmp_path / "pids"
    folder.mkdir()
    inner = f"{DAEMON}\nfled({str(folder)!r}, env=False)\nif os.fork() == 0:\n    told({str(folder)!r})\ntime.sleep(60)"
    runner = (
        "import asyncio, sys, os; from pathlib import Path; from loopdeck.sandbox.plain import PlainDoor; "
        "from loopdeck.sandbox.port import Command; "
        "command = Command((sys.executable, '-c', sys.argv[1]), Path.cwd(), dict(os.environ), 60); "
        f"asyncio.run(PlainDoor({run!r}).run(command))"
    )
    process = subprocess.Popen([sys.executable, "-c", runner, inner])
    try:
        asyncio.run(until(lambda: len(pids_in(folder)) == 2))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert any(map(alive, pids_in(folder)))
    assert set(pids_in(folder)) <= set(sweep(run))
    assert not any(map(alive, pids_in(folder)))
    assert sweep(run) == []


@linux
def test_a_process_with_somebody_elses_number_is_never_signalled(tmp_path):
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        seen = family.process(bystander.pid)
        assert seen is not None
        earlier = family.Process(seen.pid, seen.parent, seen.start - 1, dead=False)
        family.send(earlier, signal.SIGKILL)
        assert family.members(family.Mark("nobody"), [earlier]) == {}
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_without_proc_and_pidfds_the_family_is_ended_as_well_as_can_be(tmp_path, monkeypatch):
    # As on systems that have neither; descendants and the environment have to do.
    monkeypatch.setattr(family, "HAS_PROC", False)
    monkeypatch.setattr(family, "_PROC", tmp_path / "no-proc")
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    monkeypatch.delattr(resource, "prlimit", raising=False)
    finished = asyncio.run(door().run(script("echo out; exit 4", tmp_path)))
    assert (finished.exit_code, finished.output) == (4, b"out\n")
    left = asyncio.run(door().run(script("sleep 60 & echo $!", tmp_path)))
    late = asyncio.run(door().run(script("setsid sleep 60 & echo $!; sleep 60", tmp_path, timeout_s=0.3)))
    assert late.ended_by == "timeout"
    assert not alive(int(left.text))
    assert not alive(int(late.text))


def test_a_command_costs_little(tmp_path):
    async def timed() -> list[float]:
        plain = door()
        times = []
        for _ in range(30):
            before = time.perf_counter()
            await plain.run(Command(("true",), tmp_path, ENV, 20))
            times.append(time.perf_counter() - before)
        return sorted(times)

    # About 1 ms where nothing else runs.
    assert asyncio.run(timed())[3] < 0.02
