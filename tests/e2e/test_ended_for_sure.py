"""A run has ended only when nothing of it is alive, and what had to be ended is counted; clocks stand still for a person."""

import os
import subprocess
import sys
import time

import pytest

from loopdeck.core import events as ev
from loopdeck.sandbox import family
from tests.cli.loops import loop, turn
from tests.e2e.seat import Seat, nap, runs, until_runs

OPEN = {"allow": ["bash"]}


def test_what_a_kill_had_to_end_is_counted(front):
    sleep = nap()
    command = f"for i in 1 2 3; do setsid {sleep} & done; {sleep}"
    door: Seat = front(loop("slow", [turn("b", ("bash", {"command": command}))], gates=OPEN))
    door.ok("start", "slow")
    until_runs(sleep)
    door.ok("kill", "slow")
    assert not runs(sleep)
    [told] = [one for one in door.folded("slow").notices if "were at work" in one]
    assert int(told.partition("ended: ")[2].partition(";")[0]) >= 4, told
    kinds = [type(one) for one in door.events("slow")]
    assert kinds.index(ev.RunEnded) == len(kinds) - 1


@pytest.mark.skipif(not family.HAS_PROC, reason="needs /proc")
def test_what_carries_a_runs_mark_and_nobody_knows_of_does_not_outlive_it(front):
    door: Seat = front(loop("marked", [turn("b", ("bash", {"command": "true"})), turn("d")], gates={"ask": ["bash"]}))
    door.ok("start", "marked")
    door.until("marked", "asking")
    # As if a door had let one slip: it has the run's mark, and is no descendant of its runner's.
    mark = family.Mark(door.folded("marked").id)
    env = {**os.environ, **mark.environment}
    stray = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], env=env, start_new_session=True)
    try:
        door.allow("marked")
        assert door.until_ended("marked")["reason"] == "done"
        assert stray.wait(5) == -9
        assert any("outlived their commands, and were ended: 1" in one for one in door.folded("marked").notices)
    finally:
        stray.kill()
        stray.wait()


def test_budget_clocks_stand_still_while_a_person_is_awaited(front):
    turns = [turn("b", ("bash", {"command": "true"})), turn("d")]
    door: Seat = front(loop("asks", turns, gates={"ask": ["bash"]}, end={"max_wall": "3s"}))
    door.ok("start", "asks")
    door.until("asks", "asking")
    before = door.folded("asks").clock
    time.sleep(3.1)
    door.ok("nudge", "asks", "something to journal the clock by")
    assert door.folded("asks").clock - before < 0.5
    door.allow("asks")
    assert door.until_ended("asks")["reason"] == "done"
    assert door.folded("asks").clock < 3
