"""Whole runs of the pure core in random worlds, and what holds in all of them."""

import random
from collections import Counter
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import commands as cmd
from loopdeck.core import events as ev
from loopdeck.core import fold, foldagent, foldchild
from loopdeck.core.findings import SEVERITIES, Severity, Verdict
from loopdeck.core.run import Run
from loopdeck.core.spec import LoopSpec
from loopdeck.core.unknown import Unknown
from loopdeck.core.usage import Usage
from tests.core.make import check, loop
from tests.core.simulate import World, drawn
from tests.core.weather import CALM, STORMY, WEATHERS, Weather

seeds = st.integers(0, 2**32 - 1)


def lived(seed: int, weather: Weather | None = None, commands: bool = True) -> World:
    world = drawn(seed, weather, commands)
    world.live()
    return world


def many(examples: int):
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


# Every run ends


@given(seeds)
@many(400)
def test_every_run_ends_with_a_reason_of_its_own(seed):
    world = lived(seed)
    assert world.run.reason in ("done", "max_iterations", "budget", "no_progress", "human", "error")
    assert isinstance(world.entries[-1][0], ev.RunEnded)
    assert [type(event) for event, _ in world.entries].count(ev.RunEnded) == 1


@given(seeds, st.integers(1, 6), st.integers(1, 12))
@many(150)
def test_a_calm_run_takes_no_more_steps_than_its_limits_allow(seed, iterations, turns):
    weather = replace(CALM, tools=0.9, passes=0.1, broken=0.2, malformed=0.1)
    spec = loop(check("a"), check("b", human=True), check("c", rubric=True), max_iterations=iterations, max_turns=turns, no_progress=0)
    world = World(spec, random.Random(seed), weather)
    world.live()
    per_turn = 1 + 3 * 2  # a reply with up to three calls, each weighed and run
    per_check = 2 + 2  # tried twice, asked for and answered
    per_iteration = 1 + turns * per_turn + 1 + 1 + 2 + 3 * per_check + 1
    assert world.taken <= 3 + iterations * per_iteration


def test_a_busy_provider_is_waited_out_for_as_long_as_it_takes():
    world = World(loop(max_wall_s=70_000.0), random.Random(3), replace(CALM, failure=1.0))
    world.provider.failure = lambda: "overloaded"  # type: ignore[method-assign]
    world.rng.choice = lambda options: options[0]  # type: ignore[assignment,method-assign]
    world.live()
    assert (world.run.reason, world.run.limit) == ("budget", "wall_s")
    assert world.run.clock == pytest.approx(70_000.0, abs=1)
    waits = [event.seconds for event, _ in world.entries if isinstance(event, ev.WaitStarted)]
    assert len(waits) > 1100
    assert waits[:8] == [0.5, 1, 2, 4, 8, 16, 32, 60]
    assert max(waits) == 60


@pytest.mark.req("S0-08", "S2-087", "S2-088", "S2-089", "S2-090", "S2-091")
def test_every_reason_limit_and_detector_is_reached():
    reasons: Counter[str | None] = Counter()
    limits, detectors = set(), set()
    for seed in range(900):
        run = lived(seed).run
        reasons[run.reason] += 1
        limits.add(run.limit)
        detectors.add(run.detector)
    assert set(reasons) == {"done", "max_iterations", "budget", "no_progress", "human", "error"}
    assert min(reasons.values()) >= 5
    assert limits == {"", "cost_usd", "tokens", "wall_s", "tool_calls_per_iteration"}
    assert detectors == {"", "same_findings", "plateau", "same_work", "no_change"}


# The journal is the run


@given(seeds)
@many(150)
def test_replaying_a_journal_gives_the_run_it_was_written_by(seed):
    world = lived(seed)
    assert fold.fold(world.entries) == world.run


@given(seeds, st.floats(0, 1), st.sampled_from([msgspec.json, msgspec.msgpack]))
@many(200)
def test_any_prefix_kept_as_a_checkpoint_and_gone_on_from_gives_the_whole(seed, share, form):
    world = lived(seed)
    cut = round(share * len(world.entries))
    kept = form.decode(form.encode(fold.fold(world.entries[:cut])), type=Run)
    assert fold.fold(world.entries[cut:], kept) == world.run


@given(seeds)
@many(10)
def test_every_prefix_of_a_run_can_be_gone_on_from(seed):
    world = lived(seed, STORMY)
    run = Run()
    for at, (event, stamp) in enumerate(world.entries):
        kept = msgspec.json.decode(msgspec.json.encode(run), type=Run)
        assert kept == run
        assert fold.fold(world.entries[at:], kept) == world.run
        fold.apply(run, event, stamp)


@given(seeds, st.integers(0, 2**16))
@many(60)
def test_kinds_that_this_version_does_not_know_change_nothing(seed, salt):
    world = lived(seed)
    rng = random.Random(salt)
    mixed: list[tuple[ev.AnyEvent, fold.Stamp]] = []
    for entry in world.entries:
        if rng.random() < 0.3:
            mixed.append((Unknown("tomorrow_came", b'{"kind":"tomorrow_came"}'), fold.Stamp("9999", 1e9, rng.randint(0, 99))))
        mixed.append(entry)
    assert fold.fold(mixed) == world.run


@given(seeds, st.integers(0, 2**16))
@many(100)
def test_what_a_dead_writer_still_wrote_is_ignored(seed, salt):
    world = lived(seed, STORMY)
    rng = random.Random(salt)
    every = [event for event, _ in world.entries]
    mixed: list[tuple[ev.AnyEvent, fold.Stamp]] = []
    for event, stamp in world.entries:
        mixed.append((event, stamp))
        if rng.random() < 0.3:
            mixed.append((rng.choice(every), fold.Stamp("late", 1e9, stamp.epoch - 1)))
    assert fold.fold(mixed) == world.run


# Money


def oracle_of_tokens(entries) -> Usage:
    """What was spent, counted from the journal alone: settled calls, and the whole of those that a runner left behind."""
    total, held = Usage(), {}
    for event, _ in entries:
        match event:
            case ev.ModelCallReserved(call=call):
                held[call] = Usage(event.input_bound, event.output_cap)
            case ev.ModelCallSettled(call=call) if held.pop(call, None) is not None:
                total += event.usage
            case ev.RunnerStarted() | ev.RunEnded():
                for bound in held.values():
                    total += bound
                held.clear()
            case _:
                pass
    return total


@pytest.mark.parametrize("quarter", range(4))
def test_a_thousand_runs_never_spend_past_a_budget_however_the_server_charges(quarter):
    tight = 0
    for seed in range(quarter * 250, quarter * 250 + 250):
        weather = replace(WEATHERS[seed % len(WEATHERS)], greed=(0.0, 0.5, 1.0)[seed % 3])
        world = lived(seed, weather, commands=False)
        limits, spend = world.spec.exit, world.run.spend
        assert world.overdrawn == []
        assert world.run.reserved == {}
        if limits.max_cost is not None:
            assert world.charged <= spend.cost <= limits.max_cost
            tight += spend.cost * 10 > limits.max_cost * 9 > 0
        if limits.max_tokens is not None:
            assert world.served.tokens <= spend.usage.tokens <= limits.max_tokens
        assert world.served.tokens <= spend.usage.tokens
    assert tight > 10, "the budgets were never nearly used up: this proves nothing"


@given(seeds)
@many(200)
def test_a_call_is_reserved_only_where_it_fits_whatever_people_set_meanwhile(seed):
    world = lived(seed, replace(STORMY, commands=0.3))
    assert world.overdrawn == []
    assert world.charged <= world.run.spend.cost or world.rates is None


@given(seeds)
@many(150)
def test_calls_of_dead_lives_are_charged_in_full_and_others_as_settled(seed):
    world = lived(seed, STORMY)
    assert world.run.spend.usage.tokens == oracle_of_tokens(world.entries).tokens
    by_iteration = sum(one.spend.usage.tokens for one in world.run.iterations)
    assert by_iteration == world.run.spend.usage.tokens


@given(seeds)
@many(100)
def test_without_failures_the_journal_says_what_the_server_served(seed):
    weather = replace(Weather(), failure=0, crash=0, commands=0)
    world = lived(seed, weather)
    assert world.run.spend.usage == world.served
    assert world.run.spend.cost == world.charged


# At most once


@given(seeds)
@many(300)
def test_a_granted_call_runs_at_most_once_and_never_in_a_later_life(seed):
    world = lived(seed, replace(STORMY, tools=0.8))
    assert [call for call, times in Counter(call for call, _ in world.executed).items() if times > 1] == []
    life, granted = 0, {}
    told = set()
    ran = dict(world.executed)
    for event, _ in world.entries:
        match event:
            case ev.RunnerStarted():
                life = event.life
            case ev.ToolCallGranted(call=call):
                assert call not in granted
                granted[call] = life
            case ev.ToolCallFinished(call=call):
                assert granted[call] == ran[call] == life
                told.add(call)
            case ev.ToolCallLost(call=call):
                told.add(call)
            case _:
                pass
    assert told <= set(granted)
    assert set(ran) <= told, "an outcome is neither known nor reported as unknown"


# What a run may claim


def counting(spec: LoopSpec, floor: Severity) -> tuple[Severity, list[str]]:
    gravest = max((one.severity for one in spec.checks), key=SEVERITIES.index)
    least = min(floor, gravest, key=SEVERITIES.index)
    return least, [one.name for one in spec.checks if SEVERITIES.index(one.severity) >= SEVERITIES.index(least)]


def fine(verdict: Verdict, least: Severity) -> bool:
    light = [SEVERITIES.index(one.severity) < SEVERITIES.index(least) for one in verdict.findings]
    return verdict.outcome == "passed" or (verdict.outcome == "failed" and bool(light) and all(light))


@pytest.mark.req("S0-22", "S0-23", "S2-087")
@given(seeds)
@many(500)
def test_done_is_never_said_without_every_required_check(seed):
    world = lived(seed, replace(WEATHERS[seed % len(WEATHERS)], passes=0.85, commands=0.1, kills=0))
    run = world.run
    if run.reason != "done":
        return
    verdicts: dict[tuple[int, str], Verdict] = {}
    given_by_people: dict[tuple[int, str], bool] = {}
    iteration = 0
    for event, _ in world.entries:
        match event:
            case ev.IterationStarted():
                iteration = event.iteration
            case ev.CheckFinished(verdict) if not verdict.of_harness:
                verdicts[iteration, verdict.check] = verdict
            case ev.VerdictGiven():
                given_by_people[iteration, event.check] = event.passed
            case _:
                pass
    least, names = counting(world.spec, world.ended_by.severity_floor)
    for name in names:
        assert (run.best, name) in verdicts, f"{name} was never graded"
        verdict = verdicts[run.best, name]
        assert fine(verdict, least), f"{name}: {verdict}"
        if verdict.passed:
            assert verdict.evidence.output_hash
            assert verdict.evidence.at
        if next(one for one in world.spec.checks if one.name == name).human and verdict.passed:
            assert given_by_people[run.best, name]
    assert run.commit == run.iterations[run.best - 1].commit


@pytest.mark.req("S0-03")
@given(seeds)
@many(300)
def test_no_iteration_starts_before_every_check_of_the_one_before_is_graded_or_skipped(seed):
    world = lived(seed)
    answered: set[str] = set()
    finished = True
    number = 0
    for event, _ in world.entries:
        match event:
            case ev.IterationStarted():
                assert finished
                assert event.iteration == number + 1
                assert number == 0 or answered == {one.name for one in world.spec.checks}
                number, answered, finished = event.iteration, set(), False
            case ev.CheckFinished(verdict) if not verdict.of_harness:
                answered.add(verdict.check)
            case ev.CheckSkipped():
                answered.add(event.check)
            case ev.IterationFinished():
                finished = True
            case _:
                pass


@given(seeds)
@many(200)
def test_limits_of_turns_tool_calls_and_iterations_hold(seed):
    world = lived(seed, commands=False)
    limits = world.spec.exit
    assert world.run.iteration <= limits.max_iterations
    for one in world.run.iterations:
        assert one.turns <= world.spec.maker.max_turns
        if limits.max_tool_calls is not None:
            assert one.spend.tool_calls <= limits.max_tool_calls


@given(seeds)
@many(200)
def test_a_persons_word_reaches_the_next_iteration_once_and_no_other(seed):
    world = lived(seed, replace(STORMY, commands=0.4))
    waiting: list[str] = []
    run = Run()
    for event, stamp in world.entries:
        fold.apply(run, event, stamp)
        match event:
            case ev.Nudged():
                waiting.append(event.text)
            case ev.IterationStarted():
                assert run.told == waiting
                waiting = []
            case _:
                pass
    assert run.nudges == waiting


@given(seeds)
@many(150)
def test_a_run_that_waits_for_a_person_does_nothing_meanwhile(seed):
    world = lived(seed, replace(STORMY, ask=0.5, commands=0.3))
    telling = (
        ev.RunnerStarted, ev.CommandTaken, ev.PauseAsked, ev.HoldSet, ev.Nudged, ev.SettingChanged, ev.StopAsked, ev.RunResumed,
        ev.ApprovalDecided, ev.ApprovalLapsed, ev.VerdictGiven, ev.StateSettled, ev.RunEnded,
    )  # fmt: skip
    run = Run()
    for event, stamp in world.entries:
        if run.status in ("asking", "paused"):
            assert isinstance(event, telling), event
            assert stamp.clock == run.clock or isinstance(event, ev.RunEnded)
        fold.apply(run, event, stamp)


@given(seeds)
@many(300)
def test_a_command_is_taken_once_and_none_is_lost_to_a_crash(seed):
    world = lived(seed, replace(STORMY, commands=0.5, crash=0.15))
    events = [event for event, _ in world.entries]
    taken = [event.command for event in events if isinstance(event, ev.CommandTaken)]
    assert len(taken) == len(set(taken))
    late = {identity for identity, _ in world.inbox} - world.run.commands
    assert len(late) <= 1, "only what comes while the end is being written may come too late"
    sent = [command for identity, command in world.inbox if identity not in late and identity not in world.run.refused]
    words = [command.text for command in sent if isinstance(command, cmd.Nudge)]
    assert [event.text for event in events if isinstance(event, ev.Nudged)] == words
    killed = any(isinstance(command, cmd.Kill) for command in sent)
    assert killed == any(isinstance(event, ev.StopAsked) for event in events)


def test_the_worlds_are_as_bad_as_they_claim():
    seen: Counter[type] = Counter()
    for seed in range(400):
        seen.update(type(event) for event, _ in lived(seed).entries)
    told_outside = {ev.NoticeRaised, ev.DoorChosen, *foldagent.RULES, *foldchild.RULES}
    assert set(seen) == set(ev.Event.__args__) - told_outside
