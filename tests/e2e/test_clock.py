"""The clock on the wall set forward and back while runs go on: no budget or wait notices, records can be read, nobody is replaced.

A cut of it always, all of it under `-m chaos`.
"""

import random
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from loopdeck.core import events as ev
from loopdeck.deck.serving import SWITCH
from loopdeck.store.journal import read_journal, verify_journal
from loopdeck.store.lease import look
from loopdeck.store.trace import verify_trace
from tests.bench.report import say
from tests.cli.loops import fixer, loop, turn, write
from tests.e2e.seat import Seat, seated
from tests.kit.terminal import on_terminal
from tests.kit.wallclock import COMPILER, WallClock
from tests.supervisor.decks import attend, lives, until, words

pytestmark = [
    pytest.mark.skipif(not COMPILER, reason="needs a C compiler"),
    pytest.mark.skipif(sys.platform != "linux", reason="Linux"),
]
HOUR = 3600.0
YEAR = 365 * 24 * HOUR
_NEGATIVE = re.compile(r"(?<![\w-])-\d+(\.\d+)?(s|m|h|d)\b")


@contextmanager
def under(base: Path, files: dict[str, str], supervisor: str = "off") -> Iterator[tuple[Seat, WallClock]]:
    """A seat all of whose processes have a clock of their own."""
    (base / "clock").mkdir()
    clock = WallClock(base / "clock")
    with seated(base / "seat", {"README.md": "# A project\n", **files}, {**clock.env, SWITCH: supervisor}) as seat:
        yield seat, clock


def working(name: str, turns: int = 12, pause_s: float = 0.1, **end: object) -> dict[str, str]:
    """A loop of so many turns, each of which takes a moment."""
    made = [turn(f"Turn {number}.", write("x.txt", str(number)), delay_s=pause_s) for number in range(turns)]
    return loop(name, [*made, turn("Done.")], end={"max_iterations": 1, "max_cost_usd": 50.0, **end}, maker={"max_turns": 5000})


def told_well(seat: Seat, name: str) -> float:
    """Its records are whole and can be read by a person; gives its active seconds."""
    paths = seat.paths(name)
    for verified in (verify_journal(paths.journal), verify_trace(paths.trace)):
        assert (verified.damage, verified.torn) == (None, 0)
    entries = read_journal(paths.journal).entries
    clocks = [one.clock for one in entries]
    assert clocks == sorted(clocks), "active seconds never go back"
    for one in entries:
        assert datetime.fromisoformat(one.at).utcoffset() == timedelta(0)
        assert one.at.endswith("Z")
    for verb in (("show", name), ("trace", name), ("status",), ("verify", name)):
        said = seat.ok(*verb).out
        assert not _NEGATIVE.search(said), said
    assert "Traceback" not in seat.log(name)
    return clocks[-1]


@pytest.mark.parametrize("jumps", [(YEAR,), (HOUR, -YEAR)], ids=["forward", "to and fro"])
def test_a_run_does_not_notice_that_the_clock_is_set(tmp_path, jumps):
    with under(tmp_path, working("works", max_wall="30s")) as (seat, clock):
        began = time.monotonic()
        seat.ok("start", "works")
        for number, jump in enumerate(jumps):
            least = 8 + 8 * number
            seat.wait("works", lambda one, least=least: len(seat.events("works")) > least or one.run.status == "ended")  # type: ignore[misc]
            assert seat.folded("works").status == "running"
            clock.set(jump)
        run = seat.until_ended("works")
        took = time.monotonic() - began
        assert run["reason"] == "done", run
        assert 1.0 < told_well(seat, "works") <= took


def test_a_runs_time_is_up_when_it_is_up_though_the_clock_is_set_back_all_the_time(tmp_path):
    with under(tmp_path, working("long", 300, max_wall="2s")) as (seat, clock):
        seat.ok("start", "long")
        seat.at_work("long")
        began, back = time.monotonic(), 0.0
        while seat.view("long").run.status != "ended":
            back -= HOUR
            clock.set(back)
            assert time.monotonic() - began < 20
            time.sleep(0.05)
        run = seat.until_ended("long")
        assert run["reason"] == "budget"
        assert 1.9 <= told_well(seat, "long") < 6


@pytest.mark.parametrize("jump", [YEAR, -YEAR], ids=["forward", "back"])
def test_a_wait_takes_as_long_as_it_takes(tmp_path, jump):
    turns = [turn("", error="overloaded"), turn("", error="overloaded"), turn("", error="overloaded"), turn("Done.")]
    with under(tmp_path, loop("waits", turns)) as (seat, clock):
        seat.ok("start", "waits")
        seat.wait("waits", lambda one: any(isinstance(each, ev.WaitStarted) for each in seat.events("waits")))
        clock.set(jump)
        assert seat.until_ended("waits")["reason"] == "done"
        waits = [one.seconds for one in seat.events("waits") if isinstance(one, ev.WaitStarted)]
        assert told_well(seat, "waits") >= sum(waits)


def test_a_run_started_after_the_clock_was_set_back_is_the_loops_newest(tmp_path):
    with under(tmp_path, fixer("fix")) as (seat, clock):
        first = seat.done("fix").id
        clock.set(-HOUR)
        second = seat.done("fix").id
        assert second > first
        assert seat.paths("fix").run == second
        [entry] = [one for one in seat.ok("status", "--json").json["loops"] if one["loop"] == "fix"]
        assert entry["run"] == second


def replaced_by_nobody(base: Path, jumps: list[float]) -> None:
    """A supervisor and its runs, with the clock set so often: the same runners hold them, and one that dies is soon followed."""
    names = ["one", "two"]
    running = dict.fromkeys(names, "running")
    files = {".loopdeck/deck.toml": "[deck]\nmax_runs = 4\n", **working("one", 3000, 0.3), **working("two", 3000, 0.3)}
    with under(base, files, "on") as (seat, clock):
        attend(seat)
        seat.ok("start", *names)
        for name in names:
            seat.at_work(name)
        for jump in jumps:
            before = {name: look(seat.paths(name).lease).holder for name in names}
            clock.set(jump)
            sizes = {name: seat.paths(name).trace.stat().st_size for name in names}
            until(lambda sizes=sizes: all(seat.paths(name).trace.stat().st_size > size for name, size in sizes.items()))  # type: ignore[misc]
            # Long enough for a look of the supervisor's and a beat of everybody's.
            hearts = [*(seat.paths(name).lease for name in names), seat.deck.home.supervisor]
            beats = {path: path.stat().st_mtime_ns for path in hearts}
            until(lambda beats=beats: all(path.stat().st_mtime_ns != beat for path, beat in beats.items()))  # type: ignore[misc]
            assert {name: look(seat.paths(name).lease).holder for name in names} == before
            # Asked again on a machine that stood still for longer than a heart may.
            until(lambda: {one["loop"]: one["status"] for one in seat.ok("status", "--json").json["loops"]} == running, 30, f"{jump}")
        clock.set(-HOUR)
        life = lives(seat, "one")[-1]
        seat.slay("one")
        until(lambda: lives(seat, "one")[-1] == life + 1, 20, str(words(seat)))
        for name in names:
            seat.ok("kill", name, "--now")
            seat.until_ended(name)
            told_well(seat, name)


@pytest.mark.pain(1)
def test_a_supervisor_replaces_nobody_when_the_clock_is_set(tmp_path):
    replaced_by_nobody(tmp_path, [YEAR])


def test_the_room_stays_readable_when_the_clock_is_set(tmp_path):
    with under(tmp_path, working("works", 3000)) as (seat, clock):
        seat.ok("start", "works")
        seat.at_work("works")
        with on_terminal([sys.executable, "-m", "loopdeck"], cwd=seat.repo, env=seat.env) as terminal:
            terminal.until(lambda text: "▶ running" in text)
            for jump in (-HOUR, YEAR):
                clock.set(jump)
                size = seat.paths("works").trace.stat().st_size
                until(lambda size=size: seat.paths("works").trace.stat().st_size > size)  # type: ignore[misc]
                terminal.settle(0.5, 2.2)
                terminal.until(lambda text: "▶ running" in text and "hung" not in text)
                assert not _NEGATIVE.search(terminal.text), terminal.text
            terminal.feed("q")
            assert terminal.ended() == 0


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_the_clock_set_a_hundred_times(tmp_path):
    chance = random.Random(20261121)
    replaced_by_nobody(tmp_path, [chance.choice((-1, 1)) * 10 ** chance.uniform(0, 8) for _ in range(100)])
    say("wall clock set 100 times by up to three years beside a supervisor and two runs: 0 runners replaced, 0 seconds lost or won")


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(10))
def test_budgets_hold_whatever_the_clock_says(tmp_path, seed):
    chance = random.Random(seed)
    names = [f"timed{number}" for number in range(4)]
    files = {".loopdeck/deck.toml": "[deck]\nmax_runs = 8\n"}
    for name in names:
        files |= working(name, 300, max_wall="3s")
    with under(tmp_path, files) as (seat, clock):
        seat.ok("start", *names)
        began = time.monotonic()
        while any(seat.view(name).run.status != "ended" for name in names):
            clock.set(chance.choice((-1, 1)) * 10 ** chance.uniform(0, 8))
            assert time.monotonic() - began < 60
            time.sleep(chance.random() * 0.1)
        for name in names:
            assert seat.until_ended(name)["reason"] == "budget"
            assert 2.9 <= told_well(seat, name) < 9
