"""The plain door, with real processes that do what processes should not."""

import asyncio
import contextlib
import hashlib
import os
import resource
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from loopdeck.errors import WorkspaceError
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


def test_output_exit_code_and_time(tmp_path):
    pieces: list[bytes] = []
    finished = asyncio.run(door().run(script("echo out; echo err >&2; exit 3", tmp_path), pieces.append))
    assert finished.exit_code == 3
    assert finished.output == b"out\nerr\n" == b"".join(pieces)
    assert finished.text == "out\nerr\n"
    assert finished.output_hash == hashlib.sha256(finished.output).hexdigest()
    assert finished.size == 8
    assert finished.ended_by == ""
    assert 0 < finished.seconds < 20


def test_the_environment_is_exactly_what_was_given_and_the_marks(tmp_path):
    marked = PlainDoor("the-run")
    finished = asyncio.run(marked.run(Command(("/usr/bin/env",), tmp_path, {"A": "1", "B": "ü = 2"}, 20)))
    seen = dict(line.split("=", 1) for line in finished.text.splitlines())
    command = seen.pop("LOOPDECK_COMMAND")
    assert seen == {"A": "1", "B": "ü = 2", "LOOPDECK_RUN": "the-run"}
    assert len(command) == 32


def test_it_runs_where_it_is_told_in_a_session_of_its_own(tmp_path):
    finished = asyncio.run(door().run(python("import os; print(os.getcwd(), os.getsid(0) == os.getpid())", tmp_path)))
    assert finished.text.split() == [str(tmp_path), "True"]


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_stdin_is_what_was_given_or_nothing(tmp_path, size):
    finished = asyncio.run(door().run(script("wc -c", tmp_path, stdin=b"x" * size)))
    assert finished.text.strip() == str(size)


def test_stdin_that_nobody_reads_does_no_harm(tmp_path):
    finished = asyncio.run(door().run(script("true", tmp_path, stdin=b"x" * 1_000_000)))
    assert finished.exit_code == 0


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("no-such-program-here",), "can't start no-such-program-here"),
        ((), "an empty command"),
        (("a\0b",), "null byte"),
        (("/",), "can't start /"),
    ],
)
def test_what_can_not_be_started_says_why(tmp_path, argv, says):
    with pytest.raises(WorkspaceError, match=says) as caught:
        asyncio.run(door().run(Command(argv, tmp_path, ENV, 5)))
    assert caught.value.where == str(tmp_path)
    assert caught.value.remedy


def test_a_folder_that_is_gone_is_named(tmp_path):
    with pytest.raises(WorkspaceError) as caught:
        asyncio.run(door().run(script("true", tmp_path / "gone")))
    assert caught.value.remedy == "The folder is gone."


def test_a_signal_is_told_from_an_exit_code(tmp_path):
    finished = asyncio.run(door().run(script("echo a; kill -9 $$", tmp_path)))
    assert finished.exit_code is None
    assert finished.ended_by == "signal 9"
    assert finished.output == b"a\n"


def test_a_flood_is_read_to_its_end_in_bounded_memory(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    finished = asyncio.run(door().run(script("head -c 50000000 /dev/zero; echo end", tmp_path, output_limit=10_000)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert finished.size == 50_000_004
    assert finished.output_hash == hashlib.sha256(b"\0" * 50_000_000 + b"end\n").hexdigest()
    assert len(finished.output) == 10_000
    assert finished.output.endswith(b"end\n")
    assert grown < 60_000


def test_a_flood_that_never_ends_is_ended_by_the_clock(tmp_path):
    finished = asyncio.run(door().run(script("yes", tmp_path, timeout_s=0.3)))
    assert finished.ended_by == "timeout"
    assert finished.exit_code is None
    assert finished.size > 100_000


def test_output_before_the_timeout_is_kept(tmp_path):
    finished = asyncio.run(door().run(script("echo begun; sleep 60", tmp_path, timeout_s=0.3)))
    assert finished.ended_by == "timeout"
    assert finished.output == b"begun\n"
    assert finished.seconds < 5


def test_term_comes_before_kill(tmp_path):
    text = """
import signal, sys, time
def asked(*_):
    print("asked", flush=True)
    time.sleep(0.1)
    sys.exit()
signal.signal(signal.SIGTERM, asked)
print("ready", flush=True)
time.sleep(60)
"""
    finished = asyncio.run(door(grace_s=5).run(python(text, tmp_path, timeout_s=0.5)))
    assert finished.output == b"ready\nasked\n"
    assert finished.ended_by == "timeout"
    assert finished.seconds < 4


def test_who_ignores_term_is_killed_after_the_grace(tmp_path):
    command = python(
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('in', flush=True); time.sleep(60)", tmp_path, timeout_s=0.7
    )
    finished = asyncio.run(door(grace_s=0.3).run(command))
    assert finished.output == b"in\n"
    assert 1.0 <= finished.seconds < 5


def test_closing_stdout_is_not_the_end(tmp_path):
    finished = asyncio.run(door().run(script("exec >&- 2>&-; sleep 0.2; exit 7", tmp_path)))
    assert finished.exit_code == 7
    assert finished.seconds >= 0.2


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
    "deaf to TERM": "ignore=True",
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
def test_nothing_of_ours_is_touched(tmp_path):
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        asyncio.run(door().run(script("sleep 60 & exit 0", tmp_path)))
        asyncio.run(door().run(script("sleep 60", tmp_path, timeout_s=0.1)))
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@linux
def test_no_zombie_no_descriptor_and_no_limit_is_left(tmp_path):
    command, _ = _fleeing(tmp_path, "fork=2", "")
    asyncio.run(door().run(script("true", tmp_path)))
    before = (len(list(Path("/proc/self/fd").iterdir())), resource.getrlimit(resource.RLIMIT_RTTIME))
    asyncio.run(door().run(command))
    asyncio.run(door().run(script("sleep 60", tmp_path, timeout_s=0.1)))
    with contextlib.suppress(WorkspaceError):
        asyncio.run(door().run(Command(("no-such-program",), tmp_path, ENV, 5)))
    assert (len(list(Path("/proc/self/fd").iterdir())), resource.getrlimit(resource.RLIMIT_RTTIME)) == before
    children = [int(pid) for path in Path("/proc/self/task").iterdir() for pid in (path / "children").read_text().split()]
    assert [pid for pid in children if (now := family.process(pid)) and now.dead] == []


def test_a_listener_that_fails_ends_the_command_and_is_heard(tmp_path):
    def listen(chunk: bytes) -> None:
        raise ValueError(chunk.decode())

    with pytest.raises(ValueError, match="heard"):
        asyncio.run(door().run(script("echo heard; sleep 60", tmp_path), listen))


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
