"""Who acts in a simulated world: the people, the provider, the maker's tools and the checks. See `simulate`."""

from typing import TYPE_CHECKING

from msgspec import structs

from loopdeck.core import commands as cmd
from loopdeck.core import events as ev
from loopdeck.core import harness, steps
from loopdeck.core.budget import NoRoom, Room, room
from loopdeck.core.conversation import PATIENT, RETRYABLE, FailureKind, Stop
from loopdeck.core.findings import Evidence, Outcome, Problem, Severity, Verdict, counted, finding
from loopdeck.core.happening import CallAsked, Role
from loopdeck.core.spec import CheckSpec
from loopdeck.core.usage import Usage

if TYPE_CHECKING:
    from tests.core.simulate import World

TOOLS = ("bash", "read_file", "write_file", "grep")
REASONS = ("a is 1", "b is missing", "c: no such name", "line too long", "d raises KeyError", "e is slow")
WORKS = (harness.BASE_DIGEST, "w1", "w2", "w3", "w4")
SETTINGS = (
    ("max_iterations", "3"), ("max_tool_calls", "5"), ("no_progress", "false"), ("no_progress", "2"), ("severity_floor", "minor"),
    ("severity_floor", "blocker"), ("final_pass", "true"), ("max_wall", "30s"), ("model", "other"), ("max_cost_usd", "nonsense"),
    ("max_tokens", "5000"), ("max_cost_usd", "0.01"),
)  # fmt: skip


class People:
    """They ask for anything at any moment, and sooner or later answer what they are asked."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def any_command(self) -> cmd.Command:
        world, rng = self._world, self._world.rng
        if world.chance(world.weather.kills):
            return cmd.Kill(by="anna", why="enough", now=world.chance(0.5))
        match rng.randrange(7):
            case 0:
                return cmd.Pause(by="anna")
            case 1:
                return cmd.Resume(by="anna")
            case 2:
                return cmd.Hold(by="ben")
            case 3:
                return cmd.Nudge(by="ben", text=f"word {len(world.inbox)}")
            case 4:
                key, value = rng.choice(SETTINGS)
                return cmd.Set(by="ben", key=key, value=value)
            case 5:
                return cmd.Decide(by="ben", approval=rng.choice([*world.run.approvals, "none"]), approved=world.chance(0.5))
            case _:
                return cmd.Judge(by="ben", check=rng.choice(world.spec.checks).name, passed=world.chance(0.5))

    def answer(self) -> cmd.Command:
        """What the run waits for."""
        world, run = self._world, self._world.run
        if run.status == "paused" or run.asking == "state":
            return cmd.Resume(by="anna")
        if run.asking == "approval":
            approved = world.chance(0.6)
            edited = '{"command": "git push --dry-run"}' if approved and world.chance(0.2) else ""
            always = "bash(git push)" if approved and world.chance(0.2) else ""
            return cmd.Decide(
                by="anna", approval=run.asking_for, approved=approved, why="because", arguments=edited, always=always,
                digest=run.approvals[run.asking_for].digest if not world.chance(0.05) else "another",
            )  # fmt: skip
        assert run.asking == "verdict", f"nobody knows what {run.status} waits for"
        return cmd.Judge(by="anna", check=run.asking_for, passed=world.chance(world.weather.passes), why="seen")


class Provider:
    """A model server: it fails in every way and charges as it likes, up to the bound."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._calls = 0

    def begin(self, role: Role) -> tuple[str, int, Room] | None:
        """Reserve a call; None if it does not fit."""
        world = self._world
        bound = world.rng.choice((0, 10, 400, 2000))
        allowed = room(world.run, world.rates, bound, world.spec.maker.max_output_tokens)
        if isinstance(allowed, NoRoom):
            world.happened(ev.LimitReached(allowed.limit, role, allowed.left))
            return None
        self._calls += 1
        call = f"m{self._calls}"
        world.happened(ev.ModelCallReserved(call, role, world.run.settings.model, bound, allowed.output_cap, allowed.cost))
        world.hand()
        return call, bound, allowed

    def failure(self) -> FailureKind | None:
        """How the call fails, if it does; one that is cut short because the run stops was under way."""
        world = self._world
        if world.run.status == "stopping":
            return "cut"
        if world.chance(world.weather.fatal):
            return world.rng.choice(("request", "auth", "context", "missing"))
        return world.rng.choice(sorted(RETRYABLE)) if world.chance(world.weather.failure) else None

    def serve(self, bound: int, allowed: Room) -> tuple[Usage, int | None]:
        """The server answers and charges, whatever becomes of the answer."""
        world, rng = self._world, self._world.rng
        greed = 1.0 if world.chance(world.weather.greed) else rng.random()
        taken = int(bound * greed)
        fresh = rng.randint(0, taken)
        read = rng.randint(0, taken - fresh)
        usage = Usage(fresh, int(allowed.output_cap * greed), read, taken - fresh - read)
        cost = None if world.rates is None else world.rates.cost(usage)
        world.served += usage
        world.charged += cost or 0
        return usage, cost

    def fail(self, call: str, bound: int, allowed: Room, failure: FailureKind) -> None:
        """The call fails. Where it isn't known whether it was charged, the bound is taken as spent."""
        world = self._world
        after = world.rng.choice((None, None, 0.0, 3.0, 20.0)) if failure in PATIENT else None
        if world.chance(0.5):
            self.serve(bound, allowed)
            whole = Usage(bound, allowed.output_cap)
            settled = ev.ModelCallSettled(call, whole, allowed.cost, "estimated", failure, "no", after)
        else:
            settled = ev.ModelCallSettled(call, cost=0, failure=failure, message="no", retry_after=after)
        world.happened(settled)


class Maker:
    """The maker's part: replies with and without tools, calls that are weighed, asked for, run or lost."""

    def __init__(self, world: "World", provider: Provider) -> None:
        self._world = world
        self._provider = provider

    def call_model(self) -> None:
        begun = self._provider.begin("maker")
        if begun is None:
            return
        call, bound, allowed = begun
        failure = self._provider.failure()
        if failure is not None:
            self._provider.fail(call, bound, allowed, failure)
            return
        usage, cost = self._provider.serve(bound, allowed)
        problem, stop, asked = self._reply(call)
        self._world.happened(
            ev.ModelCallSettled(call, usage, cost, stop=stop, asked=tuple(asked), problem=problem, session=f"after {call}")
        )

    def _reply(self, call: str) -> tuple[Problem | None, Stop, list[CallAsked]]:
        world, rng, weather = self._world, self._world.rng, self._world.weather
        if world.chance(weather.malformed):
            return "malformed_output", "end", []
        if world.chance(weather.refusal):
            return None, "refused", []
        if not world.chance(weather.tools):
            return None, "max_output" if world.chance(0.1) else "end", []
        asked = [CallAsked(f"{call}-{number}", rng.choice(TOOLS)) for number in range(rng.randint(1, 3))]
        if world.chance(0.05):
            asked.append(asked[0])
        return None, "tools", asked

    def tool(self, call: str) -> str:
        return next(one.tool for one in self._world.run.calls if one.id == call)

    def weigh(self, call: str) -> None:
        world, tool = self._world, self.tool(call)
        if world.chance(world.weather.malformed):
            world.happened(ev.ToolCallRefused(call, tool, why="arguments are no JSON", problem="malformed_output"))
        elif world.chance(world.weather.deny):
            world.happened(ev.ToolCallRefused(call, tool, "bash(rm)", "a rule denies it"))
        elif world.chance(world.weather.ask):
            self._ask(call)
        else:
            world.happened(ev.ToolCallGranted(call, tool, "default"))

    def _ask(self, call: str) -> None:
        approval = f"a{len(self._world.run.approvals) + 1}"
        self._world.happened(
            ev.ApprovalRequested(approval, call, self.tool(call), "git push", "{}", "/w", "bash", "high", f"d{approval}")
        )

    def grant(self, call: str) -> None:
        """A person said yes; it may be another call by now."""
        if self._world.chance(0.1):
            self._ask(call)
            return
        approval = next(one.approval for one in self._world.run.calls if one.id == call)
        self._world.happened(ev.ToolCallGranted(call, self.tool(call), f"approval {approval}", approval))

    def run_call(self, call: str) -> None:
        world = self._world
        world.executed.append((call, world.run.life))
        world.hand()
        tool = self.tool(call)
        if world.run.status == "stopping":
            world.happened(ev.ToolCallLost(call, tool))
            return
        problems: tuple[Problem | None, ...] = ("tool_failed", "malformed_output", None, None, None, None)
        signature = world.rng.choice(("x", "y", call, call))
        world.happened(ev.ToolCallFinished(call, tool, 0.1, world.rng.choice(problems), signature))

    def commit(self) -> None:
        world, now = self._world, self._world.run.iterations[-1]
        before = world.run.iterations[-2].digest if now.number > 1 else harness.BASE_DIGEST
        again = world.chance(world.weather.cycles)
        digest = (world.rng.choice(WORKS) if again else f"work {now.number}") if world.chance(world.weather.change) else before
        protected = ("tests/a.py",) if world.chance(0.05) else ()
        world.hand()
        world.happened(ev.WorkCommitted(f"{now.number:040}", digest, digest == before, 1, 2, 3, protected))


class Checks:
    """What grades the work, or breaks at it."""

    def __init__(self, world: "World", provider: Provider) -> None:
        self._world = world
        self._provider = provider

    def run(self, name: str) -> None:
        world = self._world
        spec = next(one for one in world.spec.checks if one.name == name)
        world.hand()
        if world.run.status == "stopping":
            return
        if spec.human:
            passed, by, why = world.run.given[spec.name]
            self._graded(spec, "passed" if passed else "failed", why or by)
        elif spec.rubric is not None:
            self._rubric(spec)
        else:
            self._graded(spec, self._outcome(), self._reason())

    def _rubric(self, spec: CheckSpec) -> None:
        """A model grades; its failures are waited out within the check, as long as the run goes on."""
        world = self._world
        while (begun := self._provider.begin("check")) is not None:
            call, bound, allowed = begun
            failure = self._provider.failure()
            if failure is None:
                usage, cost = self._provider.serve(bound, allowed)
                world.happened(ev.ModelCallSettled(call, usage, cost))
                self._graded(spec, self._outcome(), self._reason())
                return
            self._provider.fail(call, bound, allowed, failure)
            if world.run.status == "stopping":
                return
            if failure not in RETRYABLE or world.chance(0.3):
                self._graded(spec, "error", f"the model failed: {failure}")
                return
            world.happened(ev.WaitStarted(failure, 0.5, "later", 1))
            world.happened(ev.WaitEnded())

    def _outcome(self) -> Outcome:
        world = self._world
        if world.chance(world.weather.broken):
            return "error"
        if world.chance(world.weather.passes):
            return "passed"
        return "unknown" if world.chance(0.1) else "failed"

    def _reason(self) -> str:
        world = self._world
        return f"new trouble {world.rng.choice('ghijklmnop') * 3}" if world.chance(world.weather.novelty) else world.rng.choice(REASONS)

    def _graded(self, spec: CheckSpec, outcome: Outcome, why: str) -> None:
        severity: Severity = "minor" if self._world.chance(0.1) else spec.severity
        found = () if outcome == "passed" else (finding(spec.name, spec.name, why, severity=severity),)
        score = 1.0 if outcome == "passed" else self._world.rng.choice((0.0, 0.5, 0.9))
        evidence = Evidence(command=spec.run, exit_code=int(outcome != "passed"), output_hash="ab" * 32, at="2026-11-21T07:15:00Z")
        self._said(Verdict(spec.name, "human" if spec.human else "command", outcome, score, spec.severity, found, evidence=evidence))

    def report(self, name: str) -> None:
        self._said(harness.report(self._world.run, name))

    def _said(self, verdict: Verdict) -> None:
        run = self._world.run
        before = run.iterations[-2].outcomes if run.iteration > 1 else {}
        found = counted(verdict.findings, run.findings, before.get(verdict.check) == "passed")
        self._world.happened(ev.CheckFinished(structs.replace(verdict, findings=found)))

    def finish(self, step: steps.FinishIteration) -> None:
        world = self._world
        world.hand()
        if world.run.status == "running" and not world.run.state_settled and world.chance(world.weather.clash):
            world.happened(ev.StateClashed("o" * 64, "t" * 64))
            return
        world.happened(ev.IterationFinished(world.run.iteration, step.score, step.passed, "t" * 64, step.signals, step.floor))
