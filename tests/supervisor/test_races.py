"""Supervisors killed and racing: every run lives on and is adopted, none has two runners, no journal a gap; of many one wins.

A cut of it always, all of it under `-m chaos`.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from loopdeck.deck.serving import ensure
from loopdeck.deck.tending import supervisor
from loopdeck.store.lease import look
from tests.bench.report import say
from tests.cli.loops import loop, turn, waiting, write
from tests.e2e.seat import Seat
from tests.e2e.test_crashes import ticking
from tests.kit.repos import git
from tests.supervisor.decks import ON, attend, attending, lives, slay_supervisor, supervised, until, whole, words
from tests.supervisor.warmed import begun

ADOPTED_S = 2.0
"""What adoption may take, on a machine that is not used for anything else."""


def chatty(name: str, seconds: float) -> dict[str, str]:
    """A loop that writes a line into its trace every now and then, for so long."""
    turns = [turn(f"Turn {number}.", write("x.txt", str(number)), delay_s=0.2) for number in range(int(seconds / 0.2))]
    return loop(name, [*turns, turn("Done.")], maker={"max_turns": 2000}, end={"max_iterations": 1, "max_cost_usd": 500.0})


def killed_again_and_again(base: Path, loops: int, times: int) -> list[float]:
    """Chatty loops, their supervisor killed so many times; the seconds that each adoption took."""
    names = [f"chatty{number:02}" for number in range(loops)]
    files: dict[str, str] = {".loopdeck/deck.toml": f"[deck]\nmax_runs = {loops}\n"}
    for name in names:
        files |= chatty(name, 600)
    took = []
    with supervised(base, files) as seat:
        for name in names:
            begun(seat, name)
        for name in names:
            seat.at_work(name)
        pids = {name: look(seat.paths(name).lease).holder for name in names}
        sizes = dict.fromkeys(names, 0)
        attend(seat)
        for _ in range(times):
            slain = attending(seat)
            slay_supervisor(seat)
            began = time.monotonic()
            assert ensure(seat.deck, environ=seat.env)
            until(lambda slain=slain: adopted(words(seat), slain) == loops)  # type: ignore[misc]
            took.append(time.monotonic() - began)
            for name in names:
                held = look(seat.paths(name).lease)
                assert held.held
                assert held.holder == pids[name], "the same process, in the same life"
                now = seat.paths(name).trace.stat().st_size
                assert now >= sizes[name]
                sizes[name] = now
        slay_supervisor(seat)
        assert not any("resumed" in line or "started" in line for line in words(seat))
        for name in names:
            seat.slay(name)
            assert lives(seat, name) == [1]
            whole(seat, name)
            assert seat.paths(name).trace.stat().st_size > 0
    return took


def adopted(lines: list[str], slain: int) -> int:
    """How many runs the last supervisor has adopted; 0 if that is still the one that was slain."""
    begins = [number for number, line in enumerate(lines) if line.startswith("supervises")]
    if not begins or f"process {slain}," in lines[begins[-1]]:
        return 0
    return sum("is run by process" in line for line in lines[begins[-1] :])


@pytest.mark.pain(6)
def test_loops_live_on_while_their_supervisor_is_killed(tmp_path):
    took = killed_again_and_again(tmp_path, 3, 3)
    # Others use this machine as well.
    assert max(took) < 5 * ADOPTED_S


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_twenty_chatty_loops_and_a_supervisor_killed_twenty_times(tmp_path):
    took = killed_again_and_again(tmp_path, 20, 20)
    say(f"20 loops, supervisor killed 20 times: 20/20 alive each time, adopted in {max(took):.2f} s at most")
    assert max(took) <= ADOPTED_S


def raced(base: Path, rounds: int) -> None:
    """Sixteen supervisors at once, so many times: one wins each time, and its life is the next."""
    with supervised(base, waiting()) as seat:
        seat.deck.home.make()
        command = [sys.executable, "-m", "tests.supervisor.racers", "16", str(seat.deck.home.path), str(seat.repo)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **ON}) as nest:
            assert nest.stdin is not None
            assert nest.stdout is not None
            for number in range(1, rounds + 1):
                nest.stdin.write("go\n")
                nest.stdin.flush()
                said = Counter(nest.stdout.readline().strip() for _ in range(17))
                assert said == {"refused": 15, f"won {number}": 1, "over": 1}
            nest.stdin.close()
            assert nest.wait(20) == 0


@pytest.mark.pain(6)
def test_of_sixteen_supervisors_one_wins(tmp_path):
    raced(tmp_path, 5)


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_of_sixteen_supervisors_one_wins_two_hundred_times(tmp_path):
    raced(tmp_path, 200)
    say("16 supervisors, 200 races: one winner each")


def killed_at_random(base: Path, loops: int, deaths: int, seed: int) -> None:
    """Loops whose calls must each have their effect once; runners killed so often each, supervisors now and then; nobody helps."""
    chance = random.Random(seed)
    names = [f"t{number}" for number in range(loops)]
    files: dict[str, str] = {".loopdeck/deck.toml": f"[deck]\nmax_runs = {loops}\n"}
    for name in names:
        files |= ticking(name)
    with supervised(base, files) as seat:
        attend(seat)
        for name in names:
            begun(seat, name)
        left = dict.fromkeys(names, deaths)
        deadline = time.monotonic() + 60 + 10 * deaths
        while over := [name for name in names if seat.folded(name).status != "ended"]:
            assert time.monotonic() < deadline, (over, words(seat)[-20:])
            name = chance.choice(over)
            held = look(seat.paths(name).lease)
            if left[name] and held.held and held.holder is not None:
                with suppress(ProcessLookupError):
                    os.kill(held.holder.pid, signal.SIGKILL)
                left[name] -= 1
            if chance.random() < 0.1 and supervisor(seat.deck.home).alive:
                with suppress(ProcessLookupError):
                    os.kill(attending(seat), signal.SIGKILL)
            ensure(seat.deck, environ=seat.env)
            time.sleep(chance.random() * 0.3)
        until(lambda: not seat.runners())
        for name in names:
            once_each(seat, name)


def once_each(seat: Seat, name: str) -> None:
    """It is done, every call had its effect once, every life is told, and no file has a gap."""
    run = seat.folded(name)
    assert run.reason == "done", (name, run.reason, run.why, words(seat))
    assert git(seat.repo, "show", f"{run.branch}:log.txt") == "one\ntwo\n", name
    whole(seat, name)


@pytest.mark.pain(6)
def test_runs_come_to_their_ends_by_themselves_whoever_is_killed(tmp_path):
    killed_at_random(tmp_path, 2, 1, 7)


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(5))
def test_many_runs_come_to_their_ends_by_themselves_whoever_is_killed(tmp_path, seed):
    killed_at_random(tmp_path, 6, 4, seed)
