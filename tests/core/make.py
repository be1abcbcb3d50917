"""Small makers of specs and stories for the tests of the pure core."""

from collections.abc import Iterable

from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core import fold, harness
from loopdeck.core.decide import decide
from loopdeck.core.findings import Evidence, Finding, Outcome, Severity, Verdict, finding
from loopdeck.core.happening import CallAsked, MakerEnd, Reason, Settings
from loopdeck.core.run import Iteration, Run
from loopdeck.core.spec import CheckSpec, Exit, LoopSpec, Maker, RubricCheck
from loopdeck.core.steps import FinishIteration, ReportMaker, Step
from loopdeck.core.usage import Usage

DOLLAR = 10**12
SMALL = Usage(10, 5)
NONE = Usage()


def check(name: str = "tests", severity: Severity = "major", **more) -> CheckSpec:
    """A command check; `rubric=True` or `human=True` make another of it."""
    if more.pop("rubric", False):
        more = {"when": "others_pass", "rubric": RubricCheck("RUBRIC.md"), **more}
    elif more.get("human"):
        more = {"when": "others_pass", **more}
    else:
        more = {"run": f"./{name}", **more}
    return CheckSpec(name, severity, **more)


def loop(*checks: CheckSpec, max_turns: int = 50, **exits) -> LoopSpec:
    """A loop with these checks (one, if none is given) and this `[exit]`."""
    limits = {"max_iterations": 4, "max_cost": 2 * DOLLAR, **exits}
    return LoopSpec(
        "fix", "All tests pass.", Maker("scripted", "m", script="s.toml", max_turns=max_turns), checks or (check(),), Exit(**limits)
    )


def frozen(spec: LoopSpec) -> Settings:
    """The settings a run of `spec` starts with."""
    return Settings(**structs.asdict(spec.exit), model=spec.maker.model)


def wrong(check_name: str, *messages: str, severity: Severity = "major") -> tuple[Finding, ...]:
    return tuple(finding(check_name, check_name, one, severity=severity) for one in messages)


def verdict(
    check_name: str = "tests",
    outcome: Outcome = "passed",
    *messages: str,
    severity: Severity = "major",
    score: float | None = None,
    found: Severity | None = None,
) -> Verdict:
    """A verdict of a command check; a failed one has a finding for each of `messages`, as grave as `found`."""
    share = (1.0 if outcome == "passed" else 0.0) if score is None else score
    evidence = Evidence(command=f"./{check_name}", exit_code=int(outcome != "passed"), output_hash="ab" * 32, at="2026-11-21T07:15:00Z")
    findings = wrong(check_name, *messages, severity=found or severity)
    return Verdict(check_name, "command", outcome, share, severity, findings, evidence=evidence)


class Story:
    """A run told event by event; the clock goes one second on with each, unless `clock` says where it stands."""

    def __init__(self, spec: LoopSpec | None = None, settings: Settings | None = None) -> None:
        self.spec = loop() if spec is None else spec
        self.run = Run()
        self.entries: list[tuple[ev.AnyEvent, fold.Stamp]] = []
        self.clock = 0.0
        self.epoch = 1
        self._calls = 0
        self.tell(ev.RunQueued("fix", "r1", settings or frozen(self.spec), "sp", "ex", "ha", by="anna"))
        self.tell(ev.RunnerStarted(pid=1, life=1))

    def tell(self, *events: ev.AnyEvent, clock: float | None = None) -> "Story":
        for event in events:
            self.clock = self.clock + 1 if clock is None else clock
            stamp = fold.Stamp(f"2026-11-21T07:{int(self.clock) // 60 % 60:02}:{int(self.clock) % 60:02}Z", self.clock, self.epoch)
            fold.apply(self.run, event, stamp)
            self.entries.append((event, stamp))
        return self

    def step(self) -> Step:
        """What `decide` says now."""
        return decide(self.run, self.spec)

    def begun(self) -> "Story":
        """Started, with a workspace."""
        return self.tell(ev.RunStarted(), ev.WorkspacePrepared("/w", "loop/fix/r1", "b" * 40))

    def iteration(self, final: bool = False) -> "Story":
        return self.tell(ev.IterationStarted(self.run.iteration + 1, "s" * 64, final))

    def crash(self) -> "Story":
        """The runner dies and another takes the run in hand."""
        self.epoch += 1
        return self.tell(ev.RunnerStarted(pid=self.run.pid + 1, life=self.run.life + 1))

    def reserve(self, bound: int = 100, cap: int = 50, cost: int | None = 1500, role="maker") -> str:
        self._calls += 1
        call = f"m{self._calls}"
        self.tell(ev.ModelCallReserved(call, role, "m", bound, cap, cost))
        return call

    def reply(self, *tools: str, stop=None, usage: Usage = SMALL, cost: int | None = 150, problem=None) -> "Story":
        """The model answers, asking for `tools`: each `id:tool`, or a tool's name (its id is then made up)."""
        call = self.reserve()
        asked = []
        for number, one in enumerate(tools, 1):
            id_, _, tool = one.rpartition(":")
            asked.append(CallAsked(id_ or f"{call}-{number}", tool))
        return self.tell(
            ev.ModelCallSettled(
                call,
                usage,
                cost,
                stop=stop or ("tools" if asked else "end"),
                asked=tuple(asked),
                problem=problem,
                session=f"after {call}",
            )
        )

    def fail(self, failure="server", retry_after: float | None = None, usage: Usage = NONE, cost: int | None = 0) -> "Story":
        call = self.reserve()
        return self.tell(ev.ModelCallSettled(call, usage, cost, failure=failure, message="no", retry_after=retry_after))

    def ran(self, call: str, signature: str = "", problem=None) -> "Story":
        """The call was granted and ran."""
        return self.tell(ev.ToolCallGranted(call, "bash"), ev.ToolCallFinished(call, "bash", 0.1, problem, signature or call))

    def ask(self, call: str, approval: str = "a1") -> "Story":
        return self.tell(ev.ApprovalRequested(approval, call, "bash", "git push", '{"command":"git push"}', "/w", "bash", "high", "d1"))

    def made(self, how: MakerEnd = "ended", digest: str = "", **more) -> "Story":
        """The maker's part is over, and committed."""
        number = self.run.iteration
        commit = ev.WorkCommitted(f"{number}" * 40, digest or f"work {number}", **more)
        return self.tell(ev.MakerFinished(how), commit)

    def judged(self, *verdicts: Verdict) -> "Story":
        return self.tell(*(ev.CheckFinished(one) for one in verdicts))

    def finished(self) -> "Story":
        """Close the iteration as `decide` says, after what the harness itself has to report."""
        while isinstance(step := self.step(), ReportMaker):
            self.tell(ev.CheckFinished(harness.report(self.run, step.check)))
        assert isinstance(step, FinishIteration), step
        return self.tell(ev.IterationFinished(self.run.iteration, step.score, step.passed, "t" * 64, step.signals, step.floor))

    def round(self, *verdicts: Verdict, digest: str = "", final: bool = False) -> "Story":
        """A whole iteration: the maker answers without a tool, the checks say `verdicts`."""
        return self.iteration(final).reply().made(digest=digest).judged(*(verdicts or (verdict(),))).finished()

    def ended(self, reason: Reason = "done") -> "Story":
        return self.tell(ev.RunEnded(reason))


def rounds(*each: tuple[str, float, Iterable[str]], passed: bool = False) -> list[Iteration]:
    """Finished iterations for the detectors: work digest, score, open fingerprints."""
    return [
        Iteration(number, "", "", digest=digest, score=score, passed=passed, fingerprints=tuple(sorted(found)))
        for number, (digest, score, found) in enumerate(each, 1)
    ]
