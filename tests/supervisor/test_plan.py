"""The plan: what is done about a run in every standing, and what must hold of every plan there can be."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from loopdeck.core.rescue import Tries
from loopdeck.deck.view import HUNG_AFTER_S
from loopdeck.supervisor.plan import (
    Adopt,
    Bounds,
    DeckSeen,
    LeaseSeen,
    MarkLost,
    Resume,
    RunSeen,
    Standing,
    Start,
    Wait,
    is_open,
    plan,
    standing,
)  # fmt: skip

NOW = 1_800_000_000.0
GB = 1 << 30
BOUNDS = Bounds(max_runs=4, hung_s=HUNG_AFTER_S)
HELD = LeaseSeen(True, 3, 100, 5, "n", "boot", 1.0, True)
HUNG = structs.replace(HELD, beat_age_s=HUNG_AFTER_S + 1)
GONE = structs.replace(HELD, held=False, alive=False, beat_age_s=20.0)
LEAVING = structs.replace(GONE, alive=True, beat_age_s=0.1)
RELEASED = structs.replace(GONE, alive=True, beat_age_s=60.0)
NEW = RunSeen("r", "scripted", age_s=60.0)


def run(**more):
    return structs.replace(NEW, **more)


def planned(*runs, bounds=BOUNDS, memory=8 * GB, boot="boot", draining=False):
    return plan(DeckSeen(tuple(runs), bounds, memory, boot, draining), NOW)


STANDINGS: dict[str, tuple[RunSeen, Standing]] = {
    "it has ended": (run(ended=True, lease=GONE), "ended"),
    "it has ended, and its runner is about to leave": (run(ended=True, lease=HELD), "ended"),
    "somebody has it": (run(lease=HELD), "live"),
    "somebody has it and is silent": (run(lease=HUNG), "hung"),
    "it is being started": (run(starting=True), "starting"),
    "it is being resumed": (run(starting=True, lease=GONE), "starting"),
    "it was started and somebody has it": (run(starting=True, lease=HELD), "live"),
    "its runner has given it up this moment": (run(lease=LEAVING), "leaving"),
    "its runner has given it up and does not go": (run(lease=RELEASED), "dead"),
    "its runner is gone": (run(lease=GONE), "dead"),
    "nobody had it yet": (run(), "queued"),
    "nobody has written it down": (run(frozen=False), "unfrozen"),
}


@pytest.mark.parametrize("name", STANDINGS)
def test_how_it_is_with_a_run(name):
    seen, expected = STANDINGS[name]
    assert standing(seen, BOUNDS) == expected


@pytest.mark.parametrize(
    "seen",
    [
        run(ended=True, lease=GONE),
        run(lease=HELD, adopted=3),
        run(starting=True),
        run(lease=LEAVING),
        run(age_s=1.0),
        run(age_s=1.0, frozen=False),
        run(lease=GONE, tries=Tries(epoch=3, gave_up="so")),
        run(frozen=False, tries=Tries(gave_up="so")),
    ],
)
def test_what_is_left_alone(seen):
    assert planned(seen) == ()


def test_a_runner_that_is_not_known_is_adopted_once_and_so_is_the_next():
    assert planned(run(lease=HELD)) == (Adopt("r", 3, 100),)
    assert planned(run(lease=HELD, adopted=2)) == (Adopt("r", 3, 100),)
    assert planned(run(lease=HELD, adopted=3)) == ()


@pytest.mark.req("F15")
def test_one_that_hangs_is_told_and_never_replaced():
    [wait] = planned(run(lease=HUNG))
    assert isinstance(wait, Wait)
    assert "silent" in wait.why


def test_a_run_that_nobody_has_begun_is_started():
    assert planned(run()) == (Start("r", Tries(0, 1, NOW, NOW + 1.0)),)


def test_a_dead_one_is_resumed_and_its_fate_is_told():
    [resumed] = planned(run(lease=GONE, steps=2))
    assert resumed == Resume("r", "its runner 100 is gone", Tries(3, 1, NOW, NOW + 1.0, 2))
    [after_reboot] = planned(run(lease=GONE), boot="another")
    assert isinstance(after_reboot, Resume)
    assert after_reboot.why == "the machine was started anew"
    [released] = planned(run(lease=RELEASED))
    assert isinstance(released, Resume)
    assert released.why == "its runner 100 has given it up"


def test_a_run_nobody_wrote_down_is_lost_after_a_while():
    [lost] = planned(run(frozen=False))
    assert isinstance(lost, MarkLost)
    assert "written down" in lost.evidence


HOPELESS = {
    "damage": (run(lease=GONE, damage="journal.jsonl:3: no JSON"), "journal.jsonl:3: no JSON"),
    "spec": (run(lease=GONE, frozen=False), "what it was to do is gone"),
    "long ago": (run(lease=structs.replace(GONE, beat_age_s=90_000.0)), "nobody was at it for 25 h"),
    "never begun, long ago": (run(age_s=200_000.0), "nobody was at it for 56 h"),
    "often": (
        run(lease=GONE, said="no room", tries=Tries(3, 5, NOW - 99)),
        "5 runners in a row came to nothing; the last one said: no room",
    ),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_what_is_hopeless_is_lost_with_the_evidence(name):
    seen, evidence = HOPELESS[name]
    [lost] = planned(seen)
    assert isinstance(lost, MarkLost)
    assert lost.evidence.startswith(evidence)
    assert ("process 100, life 3" in lost.evidence) == (seen.lease.epoch > 0)
    assert lost.tries.epoch == seen.lease.epoch
    assert planned(structs.replace(seen, tries=lost.tries)) == ()


def test_a_lost_one_that_a_person_has_started_anew_counts_from_nothing():
    lost = Tries(3, 5, NOW - 99, 0.0, 0, "so")
    [resumed] = planned(run(lease=structs.replace(GONE, epoch=4), tries=lost))
    assert isinstance(resumed, Resume)
    assert resumed.tries.lives == 1


@pytest.mark.parametrize(
    ("seen", "lives"),
    [
        (run(lease=GONE, tries=Tries(2, 3, NOW - 60)), 4),
        (run(lease=GONE, tries=Tries(2, 3, NOW - 60, steps=1), steps=2), 1),
        (run(lease=GONE, tries=Tries(2, 3, NOW - 700)), 1),
        (run(lease=GONE, tries=Tries(3, 3, NOW - 700)), 4),
    ],
    ids=["short", "an iteration further", "long", "long ago, but it never took the lease"],
)
def test_a_life_that_came_to_something_begins_the_count_anew(seen, lives):
    [resumed] = planned(seen)
    assert isinstance(resumed, Resume)
    assert resumed.tries.lives == lives


def test_a_clock_that_was_set_back_makes_nobody_wait():
    [resume] = planned(run(lease=GONE, tries=Tries(3, 2, NOW, NOW + 10**9)))
    assert isinstance(resume, Resume)
    assert resume.tries.lives == 3, "it goes on counting"
    [wait] = planned(run(lease=GONE, tries=Tries(3, 2, NOW, NOW + BOUNDS.longest_s)))
    assert isinstance(wait, Wait)


BUSY = [run(key=f"b{number}", lease=HELD, adopted=3) for number in range(4)]


@pytest.mark.parametrize(
    ("runs", "more", "why"),
    [
        (BUSY, {}, "4 runs have a runner"),
        (BUSY[:1], {"bounds": structs.replace(BOUNDS, per_agent={"scripted": 1})}, "1 run of scripted has"),
        (BUSY[:1], {"bounds": structs.replace(BOUNDS, memory_floor=GB), "memory": GB - 1}, "memory is short"),
        ([run(key="s", starting=True)], {"bounds": structs.replace(BOUNDS, at_once=1)}, "1 runners are being started"),
        ([], {"draining": True}, "leaving"),
    ],
)
def test_nothing_is_started_beyond_the_bounds(runs, more, why):
    for seen in (run(), run(lease=GONE)):
        *_, wait = planned(*runs, seen, **more)
        assert isinstance(wait, Wait)
        assert why in wait.why


def test_with_nobody_at_work_short_memory_stops_nobody():
    short = structs.replace(BOUNDS, memory_floor=GB)
    kinds = [type(one) for one in planned(run(), run(key="r2"), bounds=short, memory=1)]
    assert kinds == [Start, Wait]


def test_the_dead_come_before_those_that_have_not_begun():
    bounds = structs.replace(BOUNDS, max_runs=1)
    queued, dead = run(key="a"), run(key="b", lease=GONE)
    assert [(type(one), one.key) for one in planned(queued, dead, bounds=bounds)] == [(Resume, "b"), (Wait, "a")]


leases = st.builds(
    LeaseSeen,
    held=st.booleans(),
    epoch=st.integers(0, 4),
    pid=st.integers(2, 9),
    boot_id=st.sampled_from(["", "boot", "other"]),
    beat_age_s=st.sampled_from([0.0, 4.9, 5.0, 14.9, 15.1, 700.0, 90_000.0]),
    alive=st.sampled_from([True, False, None]),
)
moments = st.sampled_from([NOW - 10**6, NOW - 700, NOW - 1, NOW, NOW + 1, NOW + 10**6])
tried = st.builds(
    Tries, st.integers(0, 5), st.integers(0, 6), moments, moments, st.integers(0, 3), st.sampled_from(["", "", "given up"])
)
runs_seen = st.builds(
    RunSeen,
    key=st.just(""),
    agent=st.sampled_from(["scripted", "anthropic"]),
    age_s=st.sampled_from([0.0, 14.0, 16.0, 90_000.0]),
    ended=st.booleans(),
    frozen=st.booleans(),
    starting=st.booleans(),
    adopted=st.integers(0, 4),
    steps=st.integers(0, 3),
    damage=st.sampled_from(["", "", "damaged"]),
    lease=leases,
    tries=tried,
)
decks = st.builds(
    DeckSeen,
    runs=st.lists(runs_seen, max_size=9).map(lambda runs: tuple(structs.replace(one, key=str(n)) for n, one in enumerate(runs))),
    bounds=st.builds(
        Bounds,
        max_runs=st.integers(1, 6),
        per_agent=st.dictionaries(st.sampled_from(["scripted", "anthropic"]), st.integers(1, 3)),
        at_once=st.integers(1, 4),
        memory_floor=st.sampled_from([0, GB]),
    ),
    memory=st.sampled_from([0, 1, 2 * GB]),
    boot_id=st.just("boot"),
    draining=st.booleans(),
)


@settings(max_examples=400)
@given(decks)
def test_of_every_plan(deck):
    actions = plan(deck, NOW)
    by_key = {one.key: one for one in deck.runs}
    started = [one for one in actions if isinstance(one, Start | Resume)]
    assert len({one.key for one in actions}) == len(actions), "one thing at a time"
    for one in started:
        seen = by_key[one.key]
        assert not seen.lease.held, "whoever has a run keeps it, also who hangs"
        assert not seen.starting
        assert not seen.ended
        assert seen.frozen
        assert not seen.damage
        assert isinstance(one, Resume) == (seen.lease.epoch > 0)
        assert 1 <= one.tries.lives <= deck.bounds.lives
        assert one.tries.due > NOW
        assert is_open(seen)
    for lost in actions:
        if isinstance(lost, MarkLost):
            assert lost.evidence
            assert not by_key[lost.key].lease.held
            assert not is_open(structs.replace(by_key[lost.key], tries=lost.tries))
    have = [one for one in deck.runs if standing(one, deck.bounds) in ("live", "hung", "starting", "leaving")]
    if started:
        assert not deck.draining
        assert len(have) + len(started) <= deck.bounds.max_runs
        assert sum(standing(one, deck.bounds) == "starting" for one in have) + len(started) <= deck.bounds.at_once
        for agent, most in deck.bounds.per_agent.items():
            mine = [by_key[one.key] for one in started if by_key[one.key].agent == agent]
            assert not mine or len(mine) + sum(one.agent == agent for one in have) <= most


@settings(max_examples=100)
@given(st.floats(0.1, 5.0), st.integers(1, 9), st.floats(1.0, 30.0))
def test_a_run_that_always_dies_is_tried_so_often_with_growing_pauses_and_then_lost(pause, lives, slack):
    bounds = Bounds(max_runs=1, pause_s=pause, lives=lives, longest_s=40.0)
    seen, now, action = run(lease=GONE), NOW, None
    pauses: list[float] = []
    for _ in range(10 * lives):
        [action] = plan(DeckSeen((seen,), bounds, 0, "boot"), now)
        match action:
            case Resume(tries=tries):
                pauses.append(tries.due - now)
                epoch = seen.lease.epoch + 1
                seen = structs.replace(seen, tries=tries, lease=structs.replace(GONE, epoch=epoch, beat_age_s=0.0))
            case Wait(until=until):
                assert until > now
                now = until
            case _:
                break
    assert isinstance(action, MarkLost)
    assert len(pauses) == lives
    assert all(later >= min(earlier * 1.99, 39.9) for earlier, later in pairwise(pauses))
    assert max(pauses) <= 40.0 + slack
