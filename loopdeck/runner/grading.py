"""The checks' steps: each on the clean checkout of the iteration's commit, its verdict written down with its evidence."""

from collections.abc import Callable

from msgspec import structs

from loopdeck.checks import human
from loopdeck.checks.grading import broken
from loopdeck.checks.port import CheckContext
from loopdeck.checks.registry import make_check
from loopdeck.core import events as ev
from loopdeck.core import harness, prompt
from loopdeck.core import trace as tr
from loopdeck.core.conversation import AskModel, BudgetSpent, ModelFailed, ModelReply, ModelRequest, Part, Text
from loopdeck.core.findings import Finding, Verdict, counted
from loopdeck.core.spec import CheckSpec
from loopdeck.runner.metered import Line, Meter
from loopdeck.runner.record import Record
from loopdeck.runner.site import Site

_TAIL = 1500
_MOST_FINDINGS = 20


class Grading:
    """Carries out the steps of the checks."""

    def __init__(self, site: Site, meter: Meter) -> None:
        self._site = site
        self._record: Record = site.record
        self._meter = meter

    async def run_check(self, name: str, transcript: Callable[[], str]) -> None:
        """One check, or what a person said where the check is one."""
        spec = next(one for one in self._site.spec.checks if one.name == name)
        run = self._record.run
        if spec.human:
            passed, by, why = run.given[name]
            self.judged(human.verdict(spec, passed, by, why, self._record.now()), b"")
            return
        try:
            verdict, output = await make_check(spec, rubric_text=self._site.rubric_text(name)).run(
                spec, await self._context(spec, transcript)
            )
        except BudgetSpent:
            return
        except ModelFailed as failure:
            verdict, output = broken(spec, "rubric", f"its model call failed: {failure.message}", self._record.now())
        self.judged(verdict, output)

    def report_maker(self, name: str) -> None:
        """What the harness itself saw."""
        self.judged(harness.report(self._record.run, name), b"")

    def judged(self, verdict: Verdict, output: bytes) -> None:
        """Write a verdict down: its findings counted against the iteration before, its whole output kept."""
        record, run = self._record, self._record.run
        blob = record.keep(output) if output else ""
        before = run.iterations[-2].outcomes if len(run.iterations) > 1 else {}
        regressed = before.get(verdict.check) == "passed"
        found = counted(verdict.findings[:_MOST_FINDINGS], run.findings, regressed)
        proof = structs.replace(verdict.evidence, tail=verdict.evidence.tail[-_TAIL:], output_hash=verdict.evidence.output_hash or blob)
        verdict = structs.replace(verdict, findings=tuple(_slim(one) for one in found), evidence=proof)
        record.traced(
            tr.CheckRan(
                run.iteration, verdict.check, verdict.outcome, verdict.score, verdict.seconds, run.commit, proof.command,
                proof.exit_code, blob, proof.tail, len(found),
            )
        )  # fmt: skip
        record.happened(ev.CheckFinished(verdict))

    async def _context(self, spec: CheckSpec, transcript: Callable[[], str]) -> CheckContext:
        site, run = self._site, self._record.run
        checkout = await site.workplace.clean_checkout(run)
        if spec.rubric is not None or spec.scope is not None:
            changed, diff = await site.workplace.changes(run)
        else:
            changed, diff = (), ""
        if spec.rubric is not None:
            self._record.traced(tr.StateRead(run.iteration, "check", site.state_hash))
        return CheckContext(
            checkout, site.root, site.loop_dir, site.door, site.env, site.spec.goal, site.state_text, run.iteration, changed, diff,
            transcript() if spec.rubric is not None else "", self._asker(spec), self._record.now(),
        )  # fmt: skip

    def _asker(self, spec: CheckSpec) -> AskModel | None:
        if spec.rubric is None:
            return None
        kind, agent, model = self._site.check_agent(spec.name, spec.rubric)

        async def ask(request: ModelRequest) -> ModelReply:
            line = Line(kind, agent, "check", self._site.prices, prompt.versioned(request.system[0]))
            return await self._meter.patiently(line, structs.replace(request, model=request.model or model), _parts(request))

        return ask


def _parts(request: ModelRequest) -> tuple[Part, ...]:
    """All that a grader is told: its template, the work, and where its answer could not be taken what followed."""
    told = (block.text for message in request.messages for block in message.blocks if isinstance(block, Text))
    return (*request.system, *(Part(f"message {number}", text, request.system[0].source) for number, text in enumerate(told, 1)))


def _slim(one: Finding) -> Finding:
    return structs.replace(one, evidence=one.evidence[:_TAIL], snippet=one.snippet[:_TAIL], message=one.message[:400])
