"""What every executor must do, whether it spawns runners or forks them from a warm process: one contract, both of them."""

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from loopdeck.core import commands as cmd
from loopdeck.core import events as ev
from loopdeck.store.frozen import thaw
from loopdeck.store.layout import RunPaths
from loopdeck.store.lease import Lease, look
from loopdeck.supervisor import births
from loopdeck.supervisor.executor import Executor, ThisMachine, forked
from loopdeck.supervisor.spawn import Started, spawn
from tests.cli.loops import fixer, loop, turn, waiting
from tests.e2e.seat import Seat, nap, runs, seated, until_runs
from tests.supervisor.warmed import made, warmed

OPEN: dict[str, Any] = {"gates": {"allow": ["bash"]}}
SLEEP = nap()
TELLING = (
    "echo $TOLD > told.txt; umask >> told.txt; ulimit -n >> told.txt; ulimit -f >> told.txt"
)  # fmt: skip
FILES = {
    **fixer(),
    **waiting(),
    **loop("asking", [turn("b", ("bash", {"command": "true"})), turn("d")], gates={"ask": ["bash"]}),
    **loop("telling", [turn("t", ("bash", {"command": TELLING})), turn("d")], sandbox={"env": ["TOLD"]}, **OPEN),
    **loop("busy", [turn("b", ("bash", {"command": f"setsid {SLEEP} & {SLEEP}"})), turn("d")], **OPEN),
}

Kind = Callable[..., tuple[Seat, Executor]]


@pytest.fixture(params=[pytest.param("forked", marks=pytest.mark.skipif(not births.WORKS, reason="no forking here")), "spawned"])
def kind(request, tmp_path, monkeypatch) -> Iterator[tuple[Seat, Executor]]:
    """A deck and an executor for it; this process has the environment of the operator there."""
    with ExitStack() as stack:
        seat = stack.enter_context(seated(tmp_path, {"README.md": "# A project\n", **FILES}))
        for name in set(os.environ) - {"PYTEST_CURRENT_TEST"}:
            monkeypatch.delenv(name)
        for name, value in seat.env.items():
            monkeypatch.setenv(name, value)
        if request.param == "forked":
            stack.enter_context(warmed(seat))
        yield seat, ThisMachine(seat.deck.home, forked if request.param == "forked" else spawn)


def until(holds: Callable[[], object], patience_s: float = 20) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def until_held(paths: RunPaths) -> int:
    """Wait until somebody has the run; their process."""
    until(lambda: look(paths.lease).held and look(paths.lease).holder)
    holder = look(paths.lease).holder
    assert holder is not None
    return holder.pid


def held_open(pid: int, after_s: float = 0.0) -> set[tuple[int, str]]:
    """What a process has open: each descriptor and what it leads to."""
    time.sleep(after_s)
    places = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            places.add((int(link.name), str(link.readlink())))
    return places


def test_it_starts_a_run_that_goes_to_its_end(kind):
    seat, executor = kind
    paths = made(seat, "fixer")
    runner = executor.start(paths)
    assert seat.until_ended("fixer")["reason"] == "done", seat.log("fixer")
    until(runner.gone)
    assert seat.log("fixer") == ""
    assert seat.folded("fixer").pid == runner.pid
    assert not executor.adopt(paths).held
    assert executor.list() == []


def test_a_runner_is_a_session_of_its_own_with_nothing_of_whoever_started_it(kind, tmp_path):
    seat, executor = kind
    with (tmp_path / "secret").open("w"):
        runner = executor.start(paths := made(seat, "waiting"))
        seat.at_work("waiting")
    process = psutil.Process(runner.pid)
    assert os.getsid(runner.pid) == os.getpgid(runner.pid) == runner.pid
    assert process.cwd() == "/"
    assert [word for word in process.cmdline() if word][1:] == ["-m", "loopdeck.runner", str(paths.dir)]
    # A module that it imports just now is open too, for a moment; what it was given stays.
    kept = held_open(runner.pid) & held_open(runner.pid, after_s=0.2)
    places = dict(kept)
    assert (places.pop(0), places.pop(1), places.pop(2)) == (os.devnull, str(paths.runner_log), str(paths.runner_log))
    own = [place for place in places.values() if place.startswith("/")]
    assert all(place.startswith(str(seat.base / "home")) for place in own), own
    assert "births" not in str(places)
    assert sum(place.startswith("socket:") for place in places.values()) <= 2, "the event loop's own pair"


def test_it_has_the_environment_limits_and_umask_of_whoever_asked(kind, monkeypatch):
    seat, executor = kind
    monkeypatch.setenv("TOLD", "a word with \udcff")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    mask = os.umask(0o027)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (777, before[1]))
        executor.start(made(seat, "telling"))
    finally:
        os.umask(mask)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert seat.until_ended("telling")["reason"] == "done", seat.log("telling")
    told = (seat.worktree("telling") / "told.txt").read_bytes().splitlines()
    assert told[:3] == [b"a word with \xff", b"0027", b"777"]


def test_who_asks_twice_gets_one_runner_at_work(kind):
    seat, executor = kind
    paths = made(seat, "asking")
    first, second = executor.start(paths), executor.start(paths)
    seat.until("asking", "asking")
    until(lambda: first.gone() or second.gone())
    assert [first.gone(), second.gone()].count(True) == 1
    assert executor.list() == [paths]
    seat.allow("asking")
    seat.until_ended("asking")
    assert [one.life for one in seat.events("asking") if isinstance(one, ev.RunnerStarted)] == [1]


def test_it_adopts_by_the_lease_and_puts_commands_in(kind):
    seat, executor = kind
    paths = made(seat, "asking")
    assert executor.adopt(paths).holder is None
    runner = executor.start(paths)
    assert until_held(paths) == runner.pid
    view = executor.adopt(paths)
    assert view.holder is not None
    assert (view.held, view.alive, view.holder.pid, view.holder.epoch) == (True, True, runner.pid, 1)
    seat.until("asking", "asking")
    stop = msgspec.json.encode(cmd.Kill(by="olga", why="enough"))
    assert executor.put(paths, "20261121T071503-kill", stop)
    assert not executor.put(paths, "20261121T071503-kill", stop)
    assert seat.until_ended("asking")["reason"] == "human"


def test_a_killed_one_is_gone_with_all_it_had_started_and_can_be_started_anew(kind):
    seat, executor = kind
    paths = made(seat, "busy")
    runner = executor.start(paths)
    until_runs(SLEEP)
    ended = executor.kill(paths)
    assert runner.pid in ended.ended
    # How many more had to be struck depends: in a sandbox all goes with its runner, unasked.
    assert ended.left == ()
    assert runner.gone()
    assert not runs(SLEEP)
    assert not executor.adopt(paths).held
    again = executor.start(paths)
    until(lambda: (view := executor.adopt(paths)).held and view.holder and view.holder.epoch == 2)
    assert until_held(paths) == again.pid


def test_a_run_that_nobody_has_is_killed_without_harm(kind):
    seat, executor = kind
    paths = made(seat, "fixer")
    assert executor.kill(paths).ended == ()
    # The note names this process, which lives, and has given the lease back: it must not be struck.
    held = Lease.take(paths.lease)
    assert held is not None
    held.release()
    assert executor.kill(paths).ended == ()


@pytest.mark.req("F17")
def test_the_lease_of_a_dead_runner_is_free_at_once(kind):
    seat, executor = kind
    one, other = made(seat, "waiting"), made(seat, "asking")
    executor.start(one)
    executor.start(other)
    seat.at_work("waiting")
    pid = until_held(one)
    os.kill(pid, signal.SIGKILL)
    # Nobody else has it, neither parents nor sisters.
    until(lambda: not look(one.lease).held, 2)


def test_what_goes_wrong_at_the_start_is_in_the_log(kind):
    seat, executor = kind
    paths = made(seat, "fixer")
    paths.spec.write_text(paths.spec.read_text() + "# edited\n")
    runner: Started = executor.start(paths)
    until(runner.gone)
    assert "does not fit its digest" in paths.runner_log.read_text()
    assert Path(thaw.__code__.co_filename).name not in paths.runner_log.read_text(), "a message and no traceback"
