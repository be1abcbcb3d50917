"""The operator's hand on a live run: each word has its effect, soon, once, and is in the journal; ended means nothing runs any more."""

import json
import time

import pytest

from loopdeck.core import events as ev
from tests.cli.loops import loop, turn, waiting, write
from tests.e2e.seat import Seat, nap, runs, until_runs

pytestmark = pytest.mark.usefixtures("without_walls")

NEVER = [{"name": "never", "run": "test -f never"}]
OPEN = {"allow": ["bash"]}


def iterations(count, asks=(1,), **end):
    """A loop that does something else in every one of `count` iterations, never gets there, and waits for an approval in some."""
    each = []
    for number in range(1, count + 1):
        ask = [turn("b", ("bash", {"command": f"echo {number}"}), iteration=number)] if number in asks else []
        each += [*ask, turn("w", write(f"{number}.txt", "x"), iteration=0 if ask else number), turn("d")]
    for one in each:
        if one.get("iteration") == 0:
            del one["iteration"]
    return loop("long", each, checks=NEVER, end={"max_iterations": count, "no_progress": False, **end})


def asked(front, *decks) -> Seat:
    """A seat before the loop `long` that waits for an approval in its first iteration."""
    door: Seat = front(*decks)
    door.ok("start", "long")
    door.until("long", "asking")
    return door


STUBBORN = {
    "a sleeping command": "NAP",
    "one that minds no signal": "trap '' TERM INT HUP; NAP & while :; do wait; done",
    "a daemon in a session of its own": "setsid -f NAP; (setsid NAP &) ; NAP",
    "a daemon that minds no signal": "setsid -f sh -c \"trap '' TERM; while :; do NAP; done\"; NAP",
}


@pytest.mark.req("S2-091", "S1-03")
@pytest.mark.parametrize("now", [[], ["--now"]])
@pytest.mark.parametrize("command", STUBBORN.values(), ids=STUBBORN)
@pytest.mark.pain(2)
def test_a_kill_ends_all_of_it_within_two_seconds(front, command, now):
    sleep = nap()
    door: Seat = front(loop("slow", [turn("b", ("bash", {"command": command.replace("NAP", sleep)}))], gates=OPEN))
    door.ok("start", "slow")
    until_runs(sleep)
    began = time.monotonic()
    door.ok("kill", "slow", "--why", "enough", *now)
    took = time.monotonic() - began
    assert not runs(sleep)
    assert took < 2, took
    run = door.folded("slow")
    assert (run.reason, run.why, bool(run.ended_by)) == ("human", "enough", True)
    assert door.runners() == []


@pytest.mark.req("S2-091")
@pytest.mark.parametrize("where", ["setup", "check", "model"])
def test_a_kill_reaches_every_phase(front, where):
    sleep = nap()
    parts = {
        "setup": loop("slow", [turn("d")], workspace={"setup": sleep}),
        "check": loop("slow", [turn("d")], checks=[{"run": sleep}]),
        "model": waiting("slow", 48),
    }
    door: Seat = front(parts[where])
    door.ok("start", "slow")
    if where == "model":
        door.until("slow", "running")
    else:
        until_runs(sleep)
    began = time.monotonic()
    door.ok("kill", "slow")
    assert time.monotonic() - began < 2
    assert door.entry("slow")["reason"] == "human"
    assert not runs(sleep)


def test_what_a_maker_left_running_does_not_outlive_its_call(front):
    sleep = nap()
    turns = [turn("b", ("bash", {"command": f"setsid -f {sleep}; {sleep} & echo left"})), turn("d")]
    door: Seat = front(loop("leaver", turns, gates=OPEN))
    door.done("leaver")
    assert any("left" in one for one in door.outputs("leaver"))
    assert not runs(sleep)


@pytest.mark.req("X-07")
@pytest.mark.pain(17)
def test_a_nudge_is_told_once_in_the_next_iteration(front):
    door = asked(front, iterations(3))
    door.ok("nudge", "long", "look at the\nthird file")
    door.allow("long")
    door.until_ended("long")
    told = [number for number in (1, 2, 3) if "third file" in json.dumps(door.prompts("long", number))]
    assert told == [2]
    assert "- Human inputs: 2" in door.paths("long").report.read_text(encoding="utf-8")


@pytest.mark.pain(17)
def test_pausing_stops_at_the_next_step_and_costs_no_time(front):
    door = asked(front, iterations(3, max_wall="20s"))
    door.ok("pause", "long")
    door.allow("long")
    door.until("long", "paused")
    before = door.folded("long")
    assert not (door.worktree("long") / "1.txt").exists()
    assert "already" in door.says("pause", "long").err
    time.sleep(0.6)
    door.ok("nudge", "long", "something to journal the clock by")
    now = door.folded("long")
    assert (now.iteration, now.clock - before.clock < 0.3) == (before.iteration, True)
    door.ok("resume", "long")
    assert door.until_ended("long")["reason"] == "max_iterations"


def test_a_paused_run_can_be_ended(front):
    door = asked(front, iterations(2))
    door.ok("pause", "long")
    door.allow("long")
    door.until("long", "paused")
    door.ok("kill", "long")
    assert door.entry("long")["reason"] == "human"


def test_a_hold_is_kept_across_a_pause(front):
    door = asked(front, iterations(2))
    door.ok("hold", "long")
    door.ok("pause", "long")
    door.allow("long")
    door.until("long", "paused")
    door.ok("resume", "long")
    held = door.wait("long", lambda one: one.status == "paused" and one.run.iteration == 1 and one.run.phase == "deciding")
    assert held.run.hold
    door.ok("resume", "long")
    assert door.until_ended("long")["iteration"] == 2


@pytest.mark.pain(17)
def test_limits_are_set_on_a_live_run(front):
    door = asked(front, iterations(4))
    door.ok("set", "long", "max_iterations", "2")
    assert door.entry("long")["max_iterations"] == 2
    door.allow("long")
    assert door.until_ended("long")["iteration"] == 2
    [change] = [one for one in door.events("long") if isinstance(one, ev.SettingChanged)]
    assert (change.key, change.old, change.new, bool(change.by)) == ("max_iterations", "4", "2", True)


def test_a_severity_floor_set_live_decides_what_is_done(front):
    checks = [{"name": "big", "run": "test -f big.txt"}, {"name": "small", "run": "test -f small.txt", "severity": "minor"}]
    first = [turn("b", ("bash", {"command": "true"})), turn("w", write("big.txt", "x")), turn("d")]
    door = asked(front, loop("long", [*first, turn("w", write("small.txt", "x"), iteration=2), turn("d")], checks=checks))
    door.ok("set", "long", "severity_floor", "minor")
    door.allow("long")
    assert door.until_ended("long")["reason"] == "done"
    assert [one.passed for one in door.folded("long").iterations] == [False, True]


def test_detectors_are_switched_off_and_on_while_it_runs(front):
    door = asked(front, iterations(6, asks=(1, 4), no_progress=2))
    door.ok("set", "long", "no_progress", "false")
    door.allow("long")
    door.wait("long", lambda one: one.run.iteration == 4 and one.status == "asking")
    door.ok("set", "long", "no_progress", "3")
    door.allow("long")
    entry = door.until_ended("long")
    assert (entry["reason"], entry["iteration"]) == ("no_progress", 4)


BAD = [
    ("max_iterations", "0"), ("max_iterations", "9" * 30), ("max_cost_usd", "nan"), ("max_wall", "30"), ("severity_floor", "mayor"),
    ("agent", "openai"),
]  # fmt: skip


def test_what_cant_be_set_is_refused_and_changes_nothing(front):
    door: Seat = front(waiting())
    door.ok("start", "waiting")
    before = door.until("waiting", "running")
    for key, value in BAD:
        said = door.says("set", "waiting", key, value)
        assert len(said.err.splitlines()) >= 2, said.err
    after = door.entry("waiting")
    assert (after["limits"], after["max_iterations"]) == (before["limits"], before["max_iterations"])
    assert not [one for one in door.events("waiting") if isinstance(one, ev.SettingChanged)]


def test_a_file_in_the_inbox_that_is_no_command_is_refused_once(front):
    door: Seat = front(waiting(seconds=1.5))
    door.ok("start", "waiting")
    door.until("waiting", "running")
    inbox = door.paths("waiting").inbox
    inbox.mkdir(mode=0o700, exist_ok=True)
    for name, text in (("a", "{}"), ("b", "not json"), ("c", '{"verb": "explode", "by": "x"}'), ("d", '{"verb": "set", "by": "x"}')):
        (inbox / f"{name}.json").write_text(text)
        (inbox / f"{name}.json").chmod(0o600)
    assert door.until_ended("waiting")["reason"] == "done"
    taken = {one.command: one.refused for one in door.events("waiting") if isinstance(one, ev.CommandTaken)}
    assert set(taken) == {"a", "b", "c", "d"}
    assert all(taken.values())


def test_words_to_a_run_that_has_ended(front):
    door: Seat = front(loop("short", [turn("d")]))
    door.done("short")
    words = (["pause"], ["resume"], ["hold"], ["kill"], ["nudge", "x"], ["set", "max_iterations", "3"], ["verdict", "fine", "pass"])
    for verb, *more in words:
        assert "has ended: done" in door.says(verb, "short", *more).err
    assert not door.paths("short").inbox.exists() or not list(door.paths("short").inbox.iterdir())
