"""A pure simulation of whole runs: `decide` says what to do, a seeded world answers with events, `fold` takes them in.

The world is as bad as the real one: models fail in every way, charge erratically, ask for senseless tools; people answer late, edit,
deny, pause, kill and change limits at any moment; runners die between any two lines of the journal, before or after the line is
written. Nothing here knows how the core decides; it only keeps to what the steps and events say of themselves.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from loopdeck.core import commands as cmd
from loopdeck.core import events as ev
from loopdeck.core import fold, hand, steps
from loopdeck.core.decide import decide
from loopdeck.core.happening import Settings
from loopdeck.core.run import Run
from loopdeck.core.spec import CheckSpec, LoopSpec
from loopdeck.core.usage import FREE, Rates, Usage
from tests.core.actors import Checks, Maker, People, Provider
from tests.core.make import check, frozen, loop
from tests.core.weather import CALM, WEATHERS, Weather

MOST_STEPS = 6000
MOST_CRASHES = 6
MOST_COMMANDS = 15


class Crashed(Exception):
    """The runner died here."""


@dataclass
class World:
    """One run in one world; `live()` plays it to its end.

    `served` and `charged` are what the servers really took, `executed` each tool call that ran and in which life, `overdrawn` every
    reservation beyond a limit, `ended_by` the settings by which the end was decided.
    """

    spec: LoopSpec
    rng: random.Random
    weather: Weather = CALM
    rates: Rates | None = FREE
    run: Run = field(default_factory=Run)
    entries: list[tuple[ev.AnyEvent, fold.Stamp]] = field(default_factory=list)
    served: Usage = field(default_factory=Usage)
    charged: int = 0
    executed: list[tuple[str, int]] = field(default_factory=list)
    overdrawn: list[str] = field(default_factory=list)
    ended_by: Settings = field(default_factory=lambda: Settings(0))
    taken: int = 0
    crashes: int = 0
    inbox: list[tuple[str, cmd.Command]] = field(default_factory=list)
    clock: float = 0.0
    epoch: int = 0

    def __post_init__(self) -> None:
        self.people = People(self)
        self.provider = Provider(self)
        self.maker = Maker(self, self.provider)
        self.checks = Checks(self, self.provider)

    def live(self) -> Run:
        """Play until the run has ended; raises AssertionError if it goes on too long."""
        while not self.entries:
            self._survived(lambda: self.happened(ev.RunQueued("fix", "r1", frozen(self.spec), "sp", "ex", "ha")))
        self._new_life()
        while (step := decide(self.run, self.spec)) != steps.Nothing():
            self.taken += 1
            assert self.taken < MOST_STEPS, f"no end in sight: {step}"
            if not self._survived(self._act) and self.run.reason is None:
                self._new_life()
        return self.run

    def _act(self) -> None:
        self.hand()
        step = decide(self.run, self.spec)
        _RULES[type(step)](self, step)

    def _survived(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except Crashed:
            return False
        return True

    def _new_life(self) -> None:
        self.epoch += 1
        while not self._survived(lambda: self.happened(ev.RunnerStarted(pid=100 + self.epoch, life=self.epoch))):
            self.epoch += 1

    # The record

    def happened(self, event: ev.Event) -> None:
        """Write it down, unless the runner dies just before; it may also die just after."""
        self._maybe_crash()
        if self.run.status not in ("asking", "paused"):
            self.clock = round(self.clock + self.rng.choice((0.0, 0.1, 1.0)), 3)
        stamp = fold.Stamp(f"2026-11-21T{len(self.entries):08}Z", self.clock, self.epoch)
        fold.apply(self.run, event, stamp)
        self.entries.append((event, stamp))
        if isinstance(event, ev.ModelCallReserved):
            self._see_budget()
        self._maybe_crash()

    def _see_budget(self) -> None:
        limits, spend, held = self.run.settings, self.run.spend, self.run.reserved.values()
        cost = spend.cost + sum(one.cost or 0 for one in held)
        tokens = spend.usage.tokens + sum(one.input_bound + one.output_cap for one in held)
        if self.rates is not None and limits.max_cost is not None and cost > limits.max_cost:
            self.overdrawn.append(f"cost {cost} > {limits.max_cost}")
        if limits.max_tokens is not None and tokens > limits.max_tokens:
            self.overdrawn.append(f"tokens {tokens} > {limits.max_tokens}")

    def _maybe_crash(self) -> None:
        if self.crashes < MOST_CRASHES and self.chance(self.weather.crash):
            self.crashes += 1
            raise Crashed

    def chance(self, share: float) -> bool:
        return share > 0 and self.rng.random() < share

    # People

    def hand(self, times: float = 1.0) -> None:
        """Perhaps a command comes in now; take up what is there."""
        if len(self.inbox) < MOST_COMMANDS and self.chance(self.weather.commands * times):
            self.command(self.people.any_command())
        self._take()

    def command(self, command: cmd.Command) -> None:
        self.inbox.append((f"c{len(self.inbox)}", command))
        self._take()

    def _take(self) -> None:
        for identity, command in self.inbox:
            for event in hand.answer(self.run, identity, command, "s" * 64):
                self.happened(event)

    def await_person(self, step: steps.AwaitPerson) -> None:
        self.hand(3)
        if self.run.status == "asking" and self.run.asking == "approval" and self.chance(0.1):
            self.happened(ev.ApprovalLapsed(self.run.asking_for, "nobody answered"))
        elif self.run.status in ("asking", "paused"):
            self.command(self.people.answer())

    # Steps that are neither the maker's nor the checks'

    def wait_out(self, step: steps.WaitOut) -> None:
        assert self.run.wait is not None
        self.clock += self.run.wait.seconds
        self.happened(ev.WaitEnded())

    def back_off(self, step: steps.BackOff) -> None:
        self.happened(ev.WaitStarted(step.cause, step.seconds, "later", step.attempt))

    def stand_still(self, step: steps.StandStill) -> None:
        self.happened(ev.RunPaused("hold" if step.cause == "hold" else "pause", step.by))

    def end(self, step: steps.EndRun) -> None:
        self.ended_by = self.run.settings
        self.hand(5)
        kept = next((one.commit for one in self.run.iterations if one.number == step.best), "")
        self.happened(ev.RunEnded(step.reason, step.why, step.limit, step.detector, step.by, step.best, kept))


_RULES: dict[type, Callable[[World, Any], None]] = {
    steps.TakePlace: lambda world, step: world.happened(ev.RunStarted()),
    steps.PrepareWorkspace: lambda world, step: world.happened(ev.WorkspacePrepared("/w", "loop/fix/r1", "b" * 40)),
    steps.StartIteration: lambda world, step: world.happened(ev.IterationStarted(step.number, "s" * 64, step.final)),
    steps.CallModel: lambda world, step: world.maker.call_model(),
    steps.ReportLost: lambda world, step: world.happened(ev.ToolCallLost(step.call, world.maker.tool(step.call))),
    steps.WeighCall: lambda world, step: world.maker.weigh(step.call),
    steps.GrantCall: lambda world, step: world.maker.grant(step.call),
    steps.RefuseCall: lambda world, step: world.happened(
        ev.ToolCallRefused(step.call, world.maker.tool(step.call), step.rule, step.why)
    ),
    steps.RunCall: lambda world, step: world.maker.run_call(step.call),
    steps.FinishMaker: lambda world, step: world.happened(ev.MakerFinished(step.how)),
    steps.CommitWork: lambda world, step: world.maker.commit(),
    steps.ReportMaker: lambda world, step: world.checks.report(step.check),
    steps.RunCheck: lambda world, step: world.checks.run(step.check),
    steps.SkipCheck: lambda world, step: world.happened(ev.CheckSkipped(step.check, step.why)),
    steps.AskVerdict: lambda world, step: world.happened(ev.VerdictAsked(step.check)),
    steps.FinishIteration: lambda world, step: world.checks.finish(step),
    steps.WaitOut: World.wait_out,
    steps.BackOff: World.back_off,
    steps.AwaitPerson: World.await_person,
    steps.StandStill: World.stand_still,
    steps.EndRun: World.end,
}


def drawn(seed: int, weather: Weather | None = None, commands: bool = True) -> World:
    """A world of its own for each seed: loop, limits, prices and weather."""
    rng = random.Random(seed)
    rates = rng.choice((Rates(30, 150, 3, 37), Rates(1, 5, 0, 2), Rates(0, 7, 0, 0), None))
    cost = rng.choice((0, 2_000, 30_000, 200_000, 10**9, 10**9)) * (rates.output if rates else 1)
    spec = loop(
        *_checks(rng),
        max_turns=rng.choice((1, 4, 12, 30)),
        max_iterations=rng.choice((1, 2, 4, 6, 8)),
        max_cost=cost if rates is not None else None,
        max_tokens=rng.choice((1_000, 50_000, 10**7)) if rates is None or rng.random() < 0.3 else None,
        max_wall_s=rng.choice((None, None, None, 20.0, 100.0)),
        max_tool_calls=rng.choice((None, 1, 4)),
        no_progress=rng.randint(0, 4),
        severity_floor=rng.choice(("blocker", "major", "major", "minor")),
        final_pass=rng.random() < 0.3,
    )
    chosen = rng.choice(WEATHERS) if weather is None else weather
    return World(spec, rng, chosen if commands else replace(chosen, commands=0), rates)


def _checks(rng: random.Random) -> list[CheckSpec]:
    checks = [check("tests", rng.choice(("blocker", "major", "minor")))]
    others: tuple[tuple[str, dict[str, Any]], ...] = (
        ("lint", {}), ("maker", {}), ("style", {"severity": "minor"}), ("rubric", {"rubric": True}), ("look", {"human": True}),
        ("taste", {"rubric": True, "severity": "minor"}),
    )  # fmt: skip
    checks.extend(check(name, **more) for name, more in others if rng.random() < 0.3)
    rng.shuffle(checks)
    return checks
