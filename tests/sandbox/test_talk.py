"""Talking with programs through every door: lines of any length, floods, the deaf, daemons, and nothing left of any of them."""

import asyncio
import contextlib
import http.server
import resource
import signal
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from loopdeck.errors import WorkspaceError
from loopdeck.sandbox import family
from loopdeck.sandbox.port import Command, Forward
from loopdeck.sandbox.talk import LONGEST_LINE
from tests.kit import walled
from tests.kit.walled import ENV
from tests.sandbox.test_contract import nap, running, until

pytestmark = pytest.mark.parametrize("make", walled.EVERY, ids=["plain", "bubble", "fence"])

ECHO = "import sys\nfor line in sys.stdin.buffer:\n    sys.stdout.buffer.write(line.upper()); sys.stdout.flush()\n"
REST = "import time\nwhile True: time.sleep(1)\n"
DEAF = "import signal\nfor one in (signal.SIGINT, signal.SIGTERM): signal.signal(one, signal.SIG_IGN)\n"


def program(text: str, cwd: Path, timeout_s: float = float("inf")) -> Command:
    return Command((sys.executable, "-I", "-S", "-c", text), cwd, ENV, timeout_s, writable=(cwd,), role="agent")


def descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def talk(door, command, tell):
    """Have `tell` talk with the program, and look that the door has nothing under way after."""

    async def whole():
        async with asyncio.timeout(60), door.open(command) as conversation:
            return await tell(conversation)

    before = descriptors()
    result = asyncio.run(whole())
    door.close()
    assert descriptors() <= before
    return result


def test_words_go_there_and_back_and_the_end_is_heard(make, tmp_path):
    async def tell(program):
        await program.send(b"one\ntw")
        assert await program.line() == b"ONE"
        await program.send(b"o\n")
        assert await program.line() == b"TWO"
        program.close_input()
        assert await program.line() is None
        with pytest.raises(BrokenPipeError):
            await program.send(b"more\n")
        return await program.finished()

    door = make(tmp_path)
    finished = talk(door, program(ECHO, tmp_path), tell)
    assert finished.exit_code == 0
    assert finished.output == b""
    assert door.ended == 0


def test_what_it_mutters_is_kept_apart_and_what_nobody_read_with_it(make, tmp_path):
    text = "import sys; print('said\\nunread', flush=True); print('muttered', file=sys.stderr, flush=True); sys.exit(3)"

    async def tell(program):
        assert await program.line() == b"said"
        return await program.finished()

    finished = talk(make(tmp_path), program(text, tmp_path), tell)
    assert finished.exit_code == 3
    assert sorted(finished.output.split()) == [b"muttered", b"unread"]


def test_an_unfinished_last_line_is_one_too(make, tmp_path):
    async def tell(program):
        return [await program.line(), await program.line(), await program.line()]

    assert talk(make(tmp_path), program("print('a\\nb', end='')", tmp_path), tell) == [b"a", b"b", None]


def test_a_line_may_be_long_and_many_may_come_at_once(make, tmp_path):
    text = "import sys\nw=sys.stdout.write\nw('x'*5_000_000+'\\n')\nfor i in range(200_000): w(f'{i}\\n')\n"

    async def tell(program):
        first = await program.line()
        assert first is not None
        rest = []
        while (line := await program.line()) is not None:
            rest.append(int(line))
        return len(first), rest

    length, rest = talk(make(tmp_path), program(text, tmp_path), tell)
    assert length == 5_000_000
    assert rest == list(range(200_000))


def test_a_line_longer_than_the_longest_is_cut_and_the_next_is_whole(make, tmp_path):
    text = f"import sys\nfor _ in range({LONGEST_LINE >> 20} + 2): sys.stdout.write('x' * (1 << 20))\nprint('\\nnext')"

    async def tell(program):
        return len(await program.line() or b""), await program.line(), await program.line()

    assert talk(make(tmp_path), program(text, tmp_path), tell) == (LONGEST_LINE, b"next", None)


def test_whoever_floods_waits_until_somebody_listens(make, tmp_path):
    text = (
        "import os\nline = b'x' * 99 + b'\\n'\nsaid = os.open('said', os.O_CREAT | os.O_WRONLY)\n"
        "while True:\n    os.write(said, b'x' * (os.write(1, line * 1000) // 1000))\n"
    )

    async def tell(program):
        assert await program.line() == b"x" * 99

        def said():
            with contextlib.suppress(OSError):
                return (tmp_path / "said").stat().st_size * 1000
            return 0

        await until(lambda: said() > 1_000_000)
        before, stood = said(), time.monotonic()
        while time.monotonic() < stood + 0.3:
            if said() != before:
                before, stood = said(), time.monotonic()
            await asyncio.sleep(0.02)
        assert before < 4_000_000
        for _ in range(100_000):
            assert await program.line() == b"x" * 99
        assert said() > before

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    talk(make(tmp_path), program(text, tmp_path), tell)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown < 40_000


def test_waiting_for_the_end_of_one_that_floods_does_not_hold_it_up(make, tmp_path):
    async def tell(program):
        return await program.finished()

    finished = talk(make(tmp_path), program("print('x' * 30_000_000)", tmp_path), tell)
    assert finished.exit_code == 0
    assert finished.size == 30_000_001
    assert len(finished.output) <= 1_000_000


def test_whoever_does_not_read_holds_up_the_one_who_sends_until_it_ends(make, tmp_path):
    async def tell(program):
        with pytest.raises(BrokenPipeError):
            await program.send(b"x" * 10_000_000)
        return await program.finished()

    assert talk(make(tmp_path), program("import time; time.sleep(0.3)", tmp_path), tell).exit_code == 0


def test_two_who_send_at_once_are_not_mixed_up(make, tmp_path):
    async def tell(program):
        lines = [bytes([65 + number]) * 300_000 for number in range(4)]
        reading = asyncio.gather(*(program.line() for _ in range(1)))
        await asyncio.gather(*(program.send(line.lower() + b"\n") for line in lines))
        heard = [*await reading, *[await program.line() for _ in range(3)]]
        assert heard == lines

    talk(make(tmp_path), program(ECHO, tmp_path), tell)


@pytest.mark.parametrize("deaf", ["", DEAF], ids=["hears", "deaf"])
def test_whoever_still_runs_at_the_end_is_ended(make, tmp_path, deaf):
    word = nap()
    text = f"import subprocess\n{deaf}\nsubprocess.Popen(['sleep', '{word}'], start_new_session=True)\nprint('up', flush=True)\n{REST}"

    async def tell(program):
        assert await program.line() == b"up"
        await until(lambda: running(f"sleep {word}"))

    door = make(tmp_path)
    begun = time.monotonic()
    talk(door, program(text, tmp_path), tell)
    assert time.monotonic() - begun < 5
    assert not running(f"sleep {word}")
    assert door.ended >= 2


def test_a_daemon_that_holds_the_pipe_holds_up_nobody(make, tmp_path):
    word = nap()
    text = (
        "import os, subprocess, sys\nprint('first', flush=True)\n"
        f"subprocess.Popen(['sh', '-c', 'while sleep 0.01; do echo more; done; sleep {word}'], start_new_session=True)\n"
        "print('last', flush=True)\nos._exit(4)"
    )

    async def tell(program):
        heard = []
        while (line := await program.line()) is not None:
            heard.append(line)
        return heard, await program.finished()

    heard, finished = talk(make(tmp_path), program(text, tmp_path), tell)
    assert [line for line in heard if line != b"more"] == [b"first", b"last"]
    assert finished.exit_code == 4
    assert not running(word)


def test_cancelled_in_mid_talk_nothing_is_left(make, tmp_path):
    word = nap()
    text = f"import subprocess\n{DEAF}\nsubprocess.Popen(['sleep', '{word}'], start_new_session=True)\nprint('up', flush=True)\n{ECHO}"

    async def whole():
        up = asyncio.Event()

        async def tell():
            async with make(tmp_path).open(program(text, tmp_path)) as talked:
                await talked.line()
                up.set()
                await talked.line()

        task = asyncio.ensure_future(tell())
        await up.wait()
        task.cancel()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not running(word)

    asyncio.run(whole())


def test_cancelled_before_it_has_begun_nothing_is_left(make, tmp_path):
    word = nap()

    async def once(after: float) -> None:
        async def tell():
            async with make(tmp_path).open(program(f"import time; time.sleep({word})", tmp_path)) as talked:
                await talked.line()

        task = asyncio.ensure_future(tell())
        await asyncio.sleep(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not running(word)

    for after in (0, 0.001, 0.005, 0.01, 0.03):
        asyncio.run(once(after))


def test_hurried_it_is_ended_at_once(make, tmp_path):
    door = make(tmp_path, grace_s=30)

    async def tell(program):
        await program.line()
        door.hurry()

    begun = time.monotonic()
    talk(door, program(f"{DEAF}\nprint('up', flush=True)\n{ECHO}", tmp_path), tell)
    assert time.monotonic() - begun < 5


def test_its_time_may_have_an_end(make, tmp_path):
    async def tell(program):
        assert await program.line() == b"up"
        assert await program.line() is None
        return await program.finished()

    finished = talk(make(tmp_path), program(f"print('up', flush=True)\n{ECHO}", tmp_path, timeout_s=0.4), tell)
    assert finished.ended_by == "timeout"
    assert finished.exit_code is None


def test_a_signal_is_told_from_an_exit_code(make, tmp_path):
    async def tell(program):
        return await program.finished()

    finished = talk(make(tmp_path), program("import os; os.kill(os.getpid(), 9)", tmp_path), tell)
    assert (finished.exit_code, finished.ended_by) == (None, "signal 9")


def test_it_stands_still_with_the_others(make, tmp_path):
    door = make(tmp_path)

    async def tell(program):
        await program.send(b"a\n")
        assert await program.line() == b"A"
        assert door.freeze() >= 1
        await program.send(b"b\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await program.line()
        door.thaw()
        assert await program.line() == b"B"

    talk(door, program(ECHO, tmp_path, timeout_s=30), tell)


def test_what_can_not_be_started_says_why(make, tmp_path):
    async def whole():
        async with make(tmp_path).open(Command(("no-such-program",), tmp_path, ENV, 5)):
            pytest.fail("there is no such program")

    with pytest.raises(WorkspaceError, match="can't start no-such-program"):
        asyncio.run(whole())


def test_what_is_raised_in_a_talk_is_the_callers(make, tmp_path):
    async def tell(_):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        talk(make(tmp_path), program(ECHO, tmp_path), tell)


def test_two_talks_and_a_command_at_once(make, tmp_path):
    async def whole():
        door = make(tmp_path)
        async with door.open(program(ECHO, tmp_path)) as one, door.open(program(ECHO, tmp_path)) as two:
            await two.send(b"two\n")
            await one.send(b"one\n")
            done = await door.run(Command(("/bin/echo", "three"), tmp_path, ENV, 20, writable=(tmp_path,)))
            assert (await one.line(), await two.line(), done.output) == (b"ONE", b"TWO", b"three\n")

    asyncio.run(whole())


@pytest.mark.skipif(not family.HAS_PROC, reason="needs /proc")
def test_its_processes_carry_the_marks_and_are_swept_with_the_run(make, tmp_path):
    run = walled.name()

    async def tell(program):
        assert await program.line() == b"up"
        found = family.members(family.Mark(run))
        assert any(b"-I\0-S" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found)
        for one in found.values():
            family.send(one, signal.SIGKILL)
        assert await program.line() is None

    talk(make(tmp_path, run=run), program(f"print('up', flush=True)\n{ECHO}", tmp_path), tell)


@pytest.fixture
def home():
    """A home that a sandbox hides, with an agent installed as npm and its own installer do; not in /tmp, which is another in there."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        made = Path(folder)
        package = made / "lib/node_modules/@them/agent"
        (package / "bin").mkdir(parents=True)
        (package / "bin/agent.sh").write_text('#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\ncat "$here/../words"; cat\n')
        (package / "bin/agent.sh").chmod(0o755)
        (package / "words").write_text("from the package\n")
        (made / "bin").mkdir()
        (made / "bin/agent").symlink_to("../lib/node_modules/@them/agent/bin/agent.sh")
        (made / "elsewhere").mkdir()
        (made / "elsewhere/agent").symlink_to(made / "bin/agent")
        (made / "secret").write_text("mine\n")
        (made / "settings").mkdir()
        yield made


def test_an_agent_sees_its_own_package_and_its_home_and_nothing_else_of_the_users(make, tmp_path, home):
    program = home / "elsewhere/agent"
    command = Command((str(program),), tmp_path, ENV, 30, writable=(tmp_path, home / "settings"), role="agent")

    async def tell(talked):
        await talked.send(b"echo\n")
        return await talked.line(), await talked.line()

    assert talk(make(tmp_path), command, tell) == (b"from the package", b"echo")
    look = f"ls {home}; ls {home}/lib; cat {home}/secret; echo x > {home}/settings/x; echo y > {home}/lib/node_modules/y"
    if make is not walled.plain:
        (home / "elsewhere/look").symlink_to("/bin/sh")
        script = Command((str(home / "elsewhere/look"), "-c", look), tmp_path, ENV, 30, writable=command.writable, role="agent")

        async def read(talked):
            return await talked.finished()

        said = talk(make(tmp_path), script, read).text
        assert "mine" not in said
        assert "lib" not in said.splitlines()
        assert (home / "settings/x").exists()
        assert not (home / "lib/node_modules/y").exists()


def test_an_agents_tools_are_held_to_what_a_makers_tools_are(make, tmp_path):
    if make is walled.plain:
        pytest.skip("nothing holds it")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_a.py").write_text("assert True\n")
    (tmp_path / "CLAUDE.md").write_text("# mine\n")
    text = (
        "for name in ('tests/test_a.py', 'CLAUDE.md', '.mcp.json', '.claude/settings.json', 'fine'):\n"
        "    try:\n        open(name, 'w').write('x')\n        print('wrote', name)\n    except OSError: pass"
    )

    async def tell(talked):
        return await talked.finished()

    finished = talk(make(tmp_path, protect=("tests/**",)), program(text, tmp_path), tell)
    # A fence lets it write, and puts back what it was.
    assert finished.output == b"wrote fine\n" or make is walled.fence
    assert (tmp_path / "CLAUDE.md").read_text() == "# mine\n"
    assert (tmp_path / "tests/test_a.py").read_text() == "assert True\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CLAUDE.md", "fine", "tests"]


def test_it_reaches_the_ports_it_was_promised_and_no_other(make, tmp_path):
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"hello {self.path}".encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    text = (
        "import sys, urllib.request\n"
        "for port in sys.stdin.read().split():\n"
        "    try: print(urllib.request.urlopen(f'http://127.0.0.1:{port}/x', timeout=10).read().decode())\n"
        "    except OSError as error: print('no')\n"
    )
    with serving(Answers) as promised, serving(Answers) as other:

        async def tell(talked):
            await talked.send(f"{promised} {other}".encode())
            talked.close_input()
            return await talked.finished()

        command = replace(program(text, tmp_path), forwards=(Forward("gateway", promised, ("127.0.0.1", promised)),))
        command = replace(command, argv=(sys.executable, "-I", "-c", text))
        said = talk(make(tmp_path), command, tell).text.splitlines()
    assert said == ["hello /x", "hello /x" if make is walled.plain else "no"]


@contextlib.contextmanager
def serving(answers: type[http.server.BaseHTTPRequestHandler]):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
