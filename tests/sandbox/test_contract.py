"""What every door does, with real processes: the same for one that holds a command and for one that does not."""

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
from loopdeck.sandbox.port import Command
from tests.kit import walled
from tests.kit.walled import ENV

linux = pytest.mark.skipif(not family.HAS_PROC, reason="needs /proc")
pytestmark = pytest.mark.parametrize("make", walled.EVERY, ids=["plain", "bubble", "fence"])


def script(text: str, cwd: Path, *, timeout_s: float = 20, output_limit: int = 100_000, stdin: bytes = b"") -> Command:
    return Command(("/bin/sh", "-c", text), cwd, ENV, timeout_s, output_limit, stdin, writable=(cwd,))


def python(text: str, cwd: Path, *, timeout_s: float = 20) -> Command:
    return Command((sys.executable, "-I", "-S", "-c", text), cwd, ENV, timeout_s, writable=(cwd,))


def running(words: str) -> list[int]:
    """Processes of this machine with these words in their command lines, but for launchers that wait for one."""
    found = []
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if words in line:
                found.append(pid)
    return [pid for pid in found if (now := family.process(pid)) and not now.dead]


def zombies() -> list[int]:
    """Dead children of ours that nobody has asked for."""
    children = [int(pid) for path in Path("/proc/self/task").iterdir() for pid in (path / "children").read_text().split()]
    return sorted(pid for pid in children if (now := family.process(pid)) and now.dead)


async def until(true, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to it"
        await asyncio.sleep(0.005)


def nap() -> str:
    """A sleep like no other."""
    return f"{1000 + os.getpid()}.{uuid.uuid4().int % 10**9}"


def test_output_exit_code_and_time(make, tmp_path):
    pieces: list[bytes] = []
    finished = asyncio.run(make(tmp_path).run(script("echo out; echo err >&2; exit 3", tmp_path), pieces.append))
    assert finished.exit_code == 3
    assert finished.output == b"out\nerr\n" == b"".join(pieces)
    assert finished.text == "out\nerr\n"
    assert finished.output_hash == hashlib.sha256(finished.output).hexdigest()
    assert finished.size == 8
    assert finished.ended_by == ""
    assert 0 < finished.seconds < 20


def test_it_runs_where_it_is_told_in_a_session_of_its_own(make, tmp_path):
    finished = asyncio.run(make(tmp_path).run(python("import os; print(os.getcwd(), os.getsid(0) in (1, os.getpid()))", tmp_path)))
    # In a sandbox it is the session of its first process.
    assert finished.text.split() == [str(tmp_path), "True"]


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_stdin_is_what_was_given_or_nothing(make, tmp_path, size):
    finished = asyncio.run(make(tmp_path).run(script("wc -c", tmp_path, stdin=b"x" * size)))
    assert finished.text.strip() == str(size)


def test_stdin_that_nobody_reads_does_no_harm(make, tmp_path):
    finished = asyncio.run(make(tmp_path).run(script("true", tmp_path, stdin=b"x" * 1_000_000)))
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
def test_what_can_not_be_started_says_why(make, tmp_path, argv, says):
    with pytest.raises(WorkspaceError, match=says) as caught:
        asyncio.run(make(tmp_path).run(Command(argv, tmp_path, ENV, 5)))
    assert caught.value.where == str(tmp_path)
    assert caught.value.remedy


def test_a_folder_that_is_gone_is_named(make, tmp_path):
    with pytest.raises(WorkspaceError) as caught:
        asyncio.run(make(tmp_path).run(script("true", tmp_path / "gone")))
    assert caught.value.remedy == "The folder is gone."


def test_a_signal_is_told_from_an_exit_code(make, tmp_path):
    finished = asyncio.run(make(tmp_path).run(script("echo a; kill -9 $$", tmp_path)))
    assert finished.exit_code is None
    assert finished.ended_by == "signal 9"
    assert finished.output == b"a\n"


def test_a_flood_is_read_to_its_end_in_bounded_memory(make, tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    finished = asyncio.run(make(tmp_path).run(script("head -c 50000000 /dev/zero; echo end", tmp_path, output_limit=10_000)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert finished.size == 50_000_004
    assert finished.output_hash == hashlib.sha256(b"\0" * 50_000_000 + b"end\n").hexdigest()
    assert len(finished.output) == 10_000
    assert finished.output.endswith(b"end\n")
    assert grown < 60_000


def test_a_flood_that_never_ends_is_ended_by_the_clock(make, tmp_path):
    finished = asyncio.run(make(tmp_path).run(script("yes", tmp_path, timeout_s=0.3)))
    assert finished.ended_by == "timeout"
    assert finished.exit_code is None
    assert finished.size > 100_000


def test_output_before_the_timeout_is_kept(make, tmp_path):
    finished = asyncio.run(make(tmp_path).run(script("echo begun; sleep 60", tmp_path, timeout_s=0.3)))
    assert finished.ended_by == "timeout"
    assert finished.output == b"begun\n"
    assert finished.seconds < 5


def test_term_comes_before_kill(make, tmp_path):
    text = """
import signal, sys, time
def asked(*_):
    print("asked", flush=True)
    time.sleep(0.1)
    sys.exit()
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, asked)
print("ready", flush=True)
time.sleep(60)
"""
    finished = asyncio.run(make(tmp_path, grace_s=2).run(python(text, tmp_path, timeout_s=0.7)))
    assert finished.output == b"ready\nasked\n"
    assert finished.ended_by == "timeout"
    assert finished.seconds < 0.7 + 2, "gone before its grace was over"


def test_who_ignores_term_is_killed_after_the_grace(make, tmp_path):
    command = python(
        "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print('in', flush=True); time.sleep(60)",
        tmp_path,
        timeout_s=0.7,
    )
    finished = asyncio.run(make(tmp_path, grace_s=0.3).run(command))
    assert finished.output == b"in\n"
    assert 1.0 <= finished.seconds < 5


def test_closing_stdout_is_not_the_end(make, tmp_path):
    finished = asyncio.run(make(tmp_path).run(script("exec >&- 2>&-; sleep 0.2; exit 7", tmp_path)))
    assert finished.exit_code == 7
    assert finished.seconds >= 0.2


@linux
def test_nothing_of_ours_is_touched(make, tmp_path):
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        asyncio.run(make(tmp_path).run(script("sleep 60 & exit 0", tmp_path)))
        asyncio.run(make(tmp_path).run(script("sleep 60", tmp_path, timeout_s=0.1)))
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@linux
def test_no_zombie_no_descriptor_and_no_limit_is_left(make, tmp_path):
    command = script("(setsid sleep 60 &) & sleep 60 & exit 0", tmp_path)
    asyncio.run(make(tmp_path).run(script("true", tmp_path)))
    before = (len(list(Path("/proc/self/fd").iterdir())), resource.getrlimit(resource.RLIMIT_RTTIME), zombies())
    asyncio.run(make(tmp_path).run(command))
    asyncio.run(make(tmp_path).run(script("sleep 60", tmp_path, timeout_s=0.1)))
    with contextlib.suppress(WorkspaceError):
        asyncio.run(make(tmp_path).run(Command(("no-such-program",), tmp_path, ENV, 5)))
    assert (len(list(Path("/proc/self/fd").iterdir())), resource.getrlimit(resource.RLIMIT_RTTIME), zombies()) == before


def test_a_listener_that_fails_ends_the_command_and_is_heard(make, tmp_path):
    def listen(chunk: bytes) -> None:
        raise ValueError(chunk.decode())

    with pytest.raises(ValueError, match="heard"):
        asyncio.run(make(tmp_path).run(script("echo heard; sleep 60", tmp_path), listen))


@linux
@pytest.mark.parametrize("how", ["sleep {} &", "setsid sleep {} &", "(setsid sh -c 'trap \"\" TERM; exec sleep {}' &)"])
@pytest.mark.parametrize("then", ["exit 0", "sleep 60"], ids=["exits", "is ended"])
def test_nothing_that_a_command_leaves_outlives_it(make, tmp_path, how, then):
    word = nap()
    begun = time.monotonic()
    finished = asyncio.run(
        make(tmp_path).run(script(f"{how.format(word)}\n{then}", tmp_path, timeout_s=20 if then == "exit 0" else 0.6))
    )
    assert finished.ended_by == ("" if then == "exit 0" else "timeout")
    assert time.monotonic() - begun < 10
    assert running(f"sleep {word}") == []


@linux
def test_nothing_outlives_a_cancelled_command_however_often_it_is_cancelled(make, tmp_path):
    word = nap()

    async def impatient() -> None:
        said: list[bytes] = []
        command = script(f"trap '' TERM; setsid sleep {word} & echo in; while :; do sleep 0.05; done", tmp_path)
        task = asyncio.create_task(make(tmp_path, grace_s=0.3).run(command, said.append))
        await until(lambda: said and running(f"sleep {word}"))
        for _ in range(20):
            task.cancel()
            await asyncio.sleep(0.005)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(impatient())
    assert running(f"sleep {word}") == []


@linux
def test_a_command_cancelled_before_it_has_begun_leaves_nothing(make, tmp_path):
    word = nap()

    async def at_once(delay: float) -> None:
        task = asyncio.create_task(make(tmp_path).run(script(f"touch began; sleep {word}", tmp_path)))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    for step in range(8):
        asyncio.run(at_once(step / 500))
        assert running(word) == []


@linux
def test_commands_beside_each_other_end_only_their_own(make, tmp_path):
    one = make(tmp_path)

    async def both() -> bytes:
        said: list[bytes] = []
        long = asyncio.create_task(one.run(script("echo in; sleep 60 & sleep 0.6; kill -0 $! && echo still", tmp_path), said.append))
        await until(lambda: said)
        finished = await asyncio.gather(*(one.run(script("sleep 60 & echo ok", tmp_path)) for _ in range(5)))
        assert [done.output for done in finished] == [b"ok\n"] * 5
        return bytes((await long).output)

    assert asyncio.run(both()).endswith(b"still\n")


@linux
def test_a_runner_that_vanishes_takes_a_held_command_along(make, tmp_path):
    if make is walled.plain:
        pytest.skip("without a sandbox the next life has to sweep up, see test_plain.py")
    word = nap()
    runner = (
        "import asyncio, sys; from pathlib import Path; from tests.kit import walled; from loopdeck.sandbox.port import Command; "
        f"asyncio.run(walled.bubble(Path({str(tmp_path)!r})).run(Command(('/bin/sh', '-c', 'setsid sleep {word} & sleep {word}'), "
        f"Path({str(tmp_path)!r}), walled.ENV, 60, writable=(Path({str(tmp_path)!r}),))))"
    )
    process = subprocess.Popen([sys.executable, "-c", runner])
    try:
        asyncio.run(until(lambda: len(running(f"sleep {word}")) >= 2))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    asyncio.run(until(lambda: not running(word), 2))


@linux
def test_processes_that_replace_themselves_all_the_time_are_caught(make, tmp_path):
    word = nap()
    text = f"""
import os, sys, time
for _ in range(12):
    if os.fork() == 0:
        while True:
            if os.fork():
                os._exit(0)
            os.setsid()
            time.sleep(0.002)
time.sleep(60)  # {word}
"""
    finished = asyncio.run(make(tmp_path, grace_s=0.05).run(python(text, tmp_path, timeout_s=0.5)))
    assert finished.ended_by == "timeout"
    for _ in range(20):
        time.sleep(0.01)
        assert running(word) == []


def test_the_environment_is_what_was_given_and_the_marks(make, tmp_path):
    door = make(tmp_path, run="the-run")
    finished = asyncio.run(door.run(Command(("/usr/bin/env",), tmp_path, {"PATH": "/usr/bin", "A": "1", "B": "ü = 2"}, 20)))
    seen = dict(line.split("=", 1) for line in finished.text.splitlines())
    assert len(seen.pop("LOOPDECK_COMMAND")) == 32
    assert {name: seen.get(name) for name in ("PATH", "A", "B", "LOOPDECK_RUN")} == {
        "PATH": "/usr/bin", "A": "1", "B": "ü = 2", "LOOPDECK_RUN": "the-run",
    }  # fmt: skip
    # Some shells add what they are called by and how deep they are; a fence can't put an empty home where the operator's is.
    more = {"HOME", "TMPDIR", "GIT_CONFIG_NOSYSTEM"} if make is walled.fence else set()
    assert set(seen) <= {"PATH", "A", "B", "LOOPDECK_RUN", "_", "SHLVL", "OLDPWD"} | more


@linux
def test_only_three_descriptors_are_handed_on(make, tmp_path):
    text = "import os; print([number for number in range(3, 400) if os.path.exists('/proc/self/fd/%d' % number)])"
    finished = asyncio.run(make(tmp_path).run(python(text, tmp_path)))
    assert finished.text == "[]\n"
