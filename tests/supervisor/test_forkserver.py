"""The warm process: what it refuses, what can't hurt it, and that it never outlives the supervisor."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from loopdeck.sandbox.family import RUN_VARIABLE
from loopdeck.supervisor import births, code
from loopdeck.supervisor.warm import SDKS
from tests.cli.loops import fixer, waiting
from tests.e2e.seat import Seat, seated
from tests.supervisor.warmed import environment, made, warmed

pytestmark = pytest.mark.skipif(not births.WORKS, reason="no forking here")


@pytest.fixture(scope="module")
def one_deck(tmp_path_factory):
    """A seat for all that only ask."""
    with seated(tmp_path_factory.mktemp("warm"), {"README.md": "#", **fixer(), **waiting()}) as seat:
        yield seat


@pytest.fixture
def warm(one_deck):
    """The seat, and a warm process of its deck."""
    with warmed(one_deck) as process:
        yield one_deck, process


def comes_to_its_end(seat: Seat) -> None:
    assert births.ask(made(seat, "fixer"), environment(seat)) is not None
    assert seat.until_ended("fixer")["reason"] == "done", seat.log("fixer")


@pytest.mark.parametrize("more", [{"PYTHONPATH": "/elsewhere"}, {"LD_PRELOAD": "x.so"}, {"LC_ALL": "C"}, {"ANTHROPIC_LOG": "debug"}])
def test_an_interpreter_that_would_be_another_is_not_to_be_had(warm, more):
    seat, _ = warm
    assert births.ask(made(seat, "fixer"), environment(seat, **more)) is None
    comes_to_its_end(seat)


def test_a_run_of_another_deck_is_not_started(warm, tmp_path):
    seat, _ = warm
    with seated(tmp_path, {"README.md": "#", **fixer()}) as other:
        paths = made(other, "fixer")
        with socket.socket(socket.AF_UNIX) as line, births.at_home(seat.deck.home) as address:
            line.connect(address)
            births.send(line, msgspec.msgpack.encode(births.Request(str(paths.dir), environment(seat), -1, ())))
            reply = msgspec.msgpack.decode(births.receive(line), type=births.Reply)
        assert (reply.pid, reply.refused) == (0, "the run is none of this deck")
        assert not paths.runner_log.exists()


def test_who_belongs_to_a_run_never_gets_a_runner_that_would_escape_from_it(warm):
    seat, _ = warm
    assert births.WITHIN_A_RUN == RUN_VARIABLE
    assert births.ask(made(seat, "fixer"), environment(seat, **{RUN_VARIABLE: "20261121-0715-a3f9"})) is None


@pytest.mark.parametrize("said", [b"", b"\0", b"\xff" * 8, b"\0\0\0\4abcd", b"\0\0\1\0half of it"], ids=repr)
def test_nonsense_does_not_hurt_it(warm, said):
    seat, process = warm
    with socket.socket(socket.AF_UNIX) as line, births.at_home(seat.deck.home) as address:
        line.connect(address)
        line.sendall(said)
    comes_to_its_end(seat)
    assert process.poll() is None


def test_one_that_says_nothing_holds_up_others_for_a_moment_only(warm):
    seat, _ = warm
    with socket.socket(socket.AF_UNIX) as line, births.at_home(seat.deck.home) as address:
        line.connect(address)
        comes_to_its_end(seat)


def test_its_socket_is_private_and_it_stays_one_thread(warm):
    seat, process = warm
    comes_to_its_end(seat)
    assert seat.deck.home.births.stat().st_mode & 0o777 == 0o600
    assert len(list(Path(f"/proc/{process.pid}/task").iterdir())) == 1


def test_it_ends_with_the_supervisor_and_what_it_has_made_lives_on(tmp_path):
    with seated(tmp_path, {"README.md": "#", **waiting()}) as seat, warmed(seat) as process:
        runner = births.ask(made(seat, "waiting"), environment(seat))
        assert runner is not None
        seat.at_work("waiting")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(5) == 0
        assert births.ask(made(seat, "waiting"), environment(seat)) is None, "the socket that is left leads nowhere"
        assert not runner.gone()
        with warmed(seat):
            assert births.is_warm(seat.deck.home), "the next takes its place"


def test_a_silent_one_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(births, "PATIENCE_S", 0.2)
    with seated(tmp_path, {"README.md": "#", **fixer()}) as seat, warmed(seat) as process:
        os.kill(process.pid, signal.SIGSTOP)
        began = time.monotonic()
        assert births.ask(made(seat, "fixer"), environment(seat)) is None
        assert time.monotonic() - began < 5


def test_where_there_is_none_nobody_is_asked(tmp_path):
    with seated(tmp_path, {"README.md": "#", **fixer()}) as seat:
        assert births.ask(made(seat, "fixer"), environment(seat)) is None
        assert not births.is_warm(seat.deck.home)


def test_code_that_was_changed_is_known(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("x = 1\n")
    before = {str(file): file.stat().st_mtime_ns}
    assert not code.is_another(before)
    assert not code.is_another(code.loaded())
    assert any(path.endswith("supervisor/births.py") for path in code.loaded())
    os.utime(file, ns=(1, 1))
    assert code.is_another(before)
    file.unlink()
    assert code.is_another(before)


def test_what_a_runner_makes_is_not_laid_between_what_it_shares():
    """In an interpreter of its own, since it is filled up."""
    free = "print(sum(int(size) * int(number) for size, number in warm._GAPS.findall(warm._allocator())))"

    def left(*words: str) -> int:
        told = "; ".join(("from loopdeck.supervisor import warm", *words, free))
        return int(subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout)

    assert left() > 150_000, "bytes: there is something to fill"
    assert left("warm._settle()") < 100_000


@pytest.mark.parametrize("kind", SDKS)
def test_the_sdk_is_loaded_by_a_call_that_goes_through_and_to_nobody_else(kind, monkeypatch):
    """In an interpreter of its own, since it loads so much: a key that is real and a proxy that is there are left alone."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0)
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv(f"{kind.upper()}_API_KEY", "a-real-key")
        told = (
            "import os; from loopdeck.supervisor import warm; "
            f"warm.call({kind!r}); print(warm.single_threaded(), os.environ['{kind.upper()}_API_KEY'], 'NO_PROXY' in os.environ)"
        )
        said = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert said.split() == ["True", "a-real-key", "False"]


def test_code_that_runs_is_laid_together():
    told = (
        "import gc; from types import FunctionType; from loopdeck.supervisor import warm; warm.rooms(); warm.call('anthropic'); "
        "ran = warm._run_by(lambda: warm.call('anthropic')); "
        "hot = [one for one in gc.get_objects() if type(one) is FunctionType and id(one.__code__) in ran]; "
        "places = lambda: len({id(one.__code__) >> 12 for one in hot}); "
        "before = places(); warm._settle(); warm._lay_together(ran); warm.call('anthropic'); print(before, places())"
    )
    said = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout
    before, after = (int(word) for word in said.split())
    assert 0 < after < before / 2
