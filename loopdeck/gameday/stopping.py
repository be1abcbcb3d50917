"""Makers that don't want to end: a tool that hangs, daemons that flee; and one whose runner dies."""

import random
import time
from pathlib import Path

from loopdeck.core import events as ev
from loopdeck.gameday.scenario import Outcome, Scenario, Seen, ruling
from loopdeck.gameday.script import Turn, bash, loop, turn
from loopdeck.gameday.stage import Stage

MOST_S = 10.0
"""How long a kill may take, with the grace of two seconds that it gives."""
_FLED = 3
_DEATHS = 2

_DAEMONS = """
setsid sh -c "trap '' TERM INT HUP; while :; do sleep 3600; done" &
(setsid sh -c "(trap '' TERM INT HUP; setsid sh -c 'while :; do sleep 3600; done' &)" &)
sleep 3600
"""


def _killed(stage: Stage, name: str, least: int) -> Seen:
    """Start it, wait until `least` processes are there to be killed, kill the run, and look who is left."""
    paths = stage.start(name)
    stage.must(paths, lambda: stage.alive(paths) >= least, f"its {least} processes never ran")
    before = stage.alive(paths)
    began = time.monotonic()
    stage.kill(paths)
    stage.ended(paths)
    return stage.seen(paths, {"before": before, "seconds": time.monotonic() - began})


def hang(stage: Stage, name: str) -> Seen:
    """A tool that never returns, and a kill."""
    return _killed(stage, name, 1)


def daemons(stage: Stage, name: str) -> Seen:
    """Daemons in sessions of their own, and a kill."""
    return _killed(stage, name, _FLED)


def judge_kill(seen: Seen) -> Outcome:
    """Ended by a person, soon, and nobody left."""
    took = seen.numbers["seconds"]
    before = int(seen.numbers["before"])
    figure = f"{before} killed in {took:.2f} s, {seen.left} left"
    return ruling(
        figure,
        (before < 1, "nothing ran that could be killed"),
        (seen.reason != "human", f"the run is {seen.status}, {seen.reason}"),
        (seen.left > 0, f"{seen.left} processes outlived the kill"),
        (took > MOST_S, f"it took longer than {MOST_S:.0f} s"),
    )


def die(stage: Stage, name: str) -> Seen:
    """kill -9 of the runner at moments that nobody chose, each time resumed."""
    paths = stage.start(name)
    chance = random.SystemRandom()
    deaths = 0
    for part in range(_DEATHS):
        moment = 5 + 12 * part + chance.randrange(10)
        stage.wait(paths, lambda one, moment=moment: _lines(paths.journal) >= moment or one.status == "ended")  # type: ignore[misc]
        stage.rest(chance.random() * 0.05)
        if stage.deck.view(paths).run.status != "ended" and stage.slay(paths):
            deaths += 1
            stage.revive(paths)
    view = stage.ended(paths)
    log = stage.deck.repo.shared().run("show", f"{view.run.commit}:log.txt", check=False).text if view.run.commit else ""
    return stage.seen(paths, {"deaths": deaths}, {"log": log})


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


def judge_death(seen: Seen) -> Outcome:
    """The same end, every effect once, the record whole, as many lives as deaths and one."""
    deaths = int(seen.numbers["deaths"])
    granted = [one.call for one in seen.events if isinstance(one, ev.ToolCallGranted)]
    twice = len(granted) - len(set(granted))
    lives = [one.life for one in seen.events if isinstance(one, ev.RunnerStarted)]
    effects = seen.texts["log"].split()
    figure = f"killed {deaths} times, {len(effects)} of {len(LINES)} effects once, {len(seen.events)} journal lines whole"
    return ruling(
        figure,
        (deaths < 1, "it was over before it could be killed"),
        (seen.reason != "done", f"the run is {seen.status}, {seen.reason}: {seen.run.why}"),
        (effects != list(LINES), f"the effects are {effects}"),
        (twice > 0, f"{twice} calls were granted twice"),
        (lives != list(range(1, deaths + 2)), f"the lives are {lives}"),
        (bool(seen.damage), "; ".join(seen.damage)),
    )


LINES = ("one", "two", "three", "four")
"""What a run that dies must have done in the end, each once."""


def _ticks() -> list[Turn]:
    turns: list[Turn] = []
    for line in LINES:
        look = bash(f"grep -qx {line} log.txt || echo {line} >> log.txt")
        turns.append(turn("Working.", bash(f"echo {line} >> log.txt"), delay_s=0.25))
        # What a crash left open is looked at, and done only if it was not; that look can die as well.
        turns += [turn("Looking.", look, when="Outcome unknown")] * _DEATHS
    return [*turns, turn("Done.")]


SCENARIOS = (
    Scenario(
        "hang",
        "A kill ends the run whatever its tool is doing, and leaves no process",
        "a tool that sleeps for ever",
        loop("hang", [turn("Waiting.", bash("sleep 3600"))]),
        hang, judge_kill,
    ),
    Scenario(
        "daemons",
        "A kill also ends what fled into sessions of its own",
        "daemons forked twice with setsid, deaf to TERM, INT and HUP",
        loop("daemons", [turn("Fleeing.", bash(_DAEMONS))]),
        daemons, judge_kill, needs="setsid",
    ),
    Scenario(
        "crash",
        "A run whose runner died comes to the same end, and repeats no call",
        "kill -9 of the runner at random moments, then resume",
        loop("crash", _ticks(), checks=[{"name": "once", "run": f"test $(grep -c . log.txt) = {len(LINES)}"}]),
        die, judge_death,
    ),
)  # fmt: skip
