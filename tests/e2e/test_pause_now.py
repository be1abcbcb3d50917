"""Pause, now: what runs stands still where it is, in a sandbox or without, and its clocks with it."""

import time
from pathlib import Path

import pytest

from loopdeck.core import events as ev
from tests.cli.loops import loop, turn
from tests.e2e.seat import Seat
from tests.kit.walled import walled

TICKS = (
    "(setsid sh -c 'while :; do echo d >> daemon.txt; sleep 0.02; done' &); "
    "until test -f go.txt; do echo t >> ticks.txt; sleep 0.02; done"
)
DOORS = ["plain", pytest.param("bubble", marks=walled)]


@pytest.fixture
def walls(request):
    """With a sandbox, or as on a machine that has none."""
    if request.param == "plain":
        request.getfixturevalue("without_walls")


def ticking(front, command: str = TICKS, **more) -> tuple[Seat, Path]:
    """A run whose command writes all the time."""
    call = ("bash", {"command": command, **more})
    door: Seat = front(loop("tick", [turn("t", call), turn("d")], gates={"allow": ["bash"]}, end={"max_wall": "60s"}))
    door.ok("start", "tick")
    tree = Path(door.wait("tick", lambda one: bool(one.run.worktree)).run.worktree)
    door.wait("tick", lambda one: (tree / "ticks.txt").exists())
    return door, tree


def size(tree: Path) -> tuple[int, ...]:
    return tuple((tree / name).stat().st_size for name in ("ticks.txt", "daemon.txt") if (tree / name).exists())


@pytest.mark.parametrize("walls", DOORS, indirect=True)
@pytest.mark.pain(17)
def test_what_runs_stands_still_and_goes_on_where_it_was(walls, front):
    door, tree = ticking(front)
    door.ok("pause", "tick", "--now")
    door.until("tick", "paused")
    before, clock = size(tree), door.folded("tick").clock
    time.sleep(0.5)
    assert size(tree) == before
    assert "paused by" in door.glance("tick")["why"]
    door.ok("resume", "tick")
    door.wait("tick", lambda one: size(tree) > before)
    (tree / "go.txt").write_text("go")
    assert door.until_ended("tick")["reason"] == "done"
    run = door.folded("tick")
    assert run.clock - clock < 30
    assert [type(one).__name__ for one in door.events("tick") if isinstance(one, ev.RunPaused | ev.RunResumed)] == [
        "RunPaused", "RunResumed",
    ]  # fmt: skip
    assert door.runners() == []


@pytest.mark.parametrize("walls", DOORS, indirect=True)
def test_a_commands_own_time_stands_still_too(walls, front):
    door, tree = ticking(front, timeout_s=2)
    door.ok("pause", "tick", "--now")
    door.until("tick", "paused")
    time.sleep(2.2)
    assert door.view("tick").status == "paused"
    door.ok("resume", "tick")
    (tree / "go.txt").write_text("go")
    assert door.until_ended("tick")["reason"] == "done"
    assert any("exit code 0" in one for one in door.outputs("tick")), door.outputs("tick")


@pytest.mark.parametrize("walls", DOORS, indirect=True)
@pytest.mark.parametrize("now", [[], ["--now"]])
def test_what_stands_still_can_be_killed(walls, front, now):
    door, _ = ticking(front)
    door.ok("pause", "tick", "--now")
    door.until("tick", "paused")
    began = time.monotonic()
    door.ok("kill", "tick", *now)
    assert time.monotonic() - began < 5
    assert door.glance("tick")["reason"] == "human"
    assert door.runners() == []


@pytest.mark.parametrize("walls", DOORS, indirect=True)
def test_what_stands_still_when_its_runner_dies_is_ended_by_the_next(walls, front):
    door, tree = ticking(front)
    door.ok("pause", "tick", "--now")
    door.until("tick", "paused")
    door.slay("tick")
    door.ok("resume", "tick")
    assert door.until_ended("tick")["reason"] == "done"
    assert any(isinstance(one, ev.ToolCallLost) for one in door.events("tick"))
    before = size(tree)
    time.sleep(0.2)
    assert size(tree) == before


def test_where_nothing_runs_it_is_a_pause_at_the_next_step(front):
    door: Seat = front(loop("slow", [turn("t", delay_s=1.0), turn("d")]))
    door.ok("start", "slow")
    door.at_work("slow")
    door.ok("pause", "slow", "--now")
    door.until("slow", "paused")
    door.ok("resume", "slow")
    assert door.until_ended("slow")["reason"] == "done"
