"""The maker's steps: a model call, and each tool call through the gate, granted durably before it runs."""

import asyncio
import hashlib
import time

from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core import progress, prompt, steps
from loopdeck.core import trace as tr
from loopdeck.core.caching import keep_for
from loopdeck.core.conversation import BudgetSpent, ModelFailed, ModelRequest, Part, ToolSchema, ToolUse
from loopdeck.core.findings import Problem
from loopdeck.core.routing import maker_route
from loopdeck.runner import rich
from loopdeck.runner.children import Children
from loopdeck.runner.desk import Desk
from loopdeck.runner.metered import Line, Meter
from loopdeck.runner.record import Record
from loopdeck.runner.site import Site
from loopdeck.runner.talk import LOST, Talk
from loopdeck.tools import registry as tools
from loopdeck.tools.port import ToolOutcome

_REPEATED = "\n[loopdeck: this is the {n}th time in a row that this call came to this result. Do something else.]"


class Making:
    """Carries out the steps of the maker's part."""

    def __init__(self, site: Site, meter: Meter) -> None:
        self._site = site
        self._record: Record = site.record
        self._meter = meter
        self._desk = Desk(site)
        self._children = Children(site)
        self._system: tuple[Part, ...] = site.steady.parts()
        first = self._system[0]
        template = prompt.versioned(site.steady.template if first.name == prompt.ROLE else first)
        self._template = template
        self._talk: Talk | None = None
        self._iteration = 0
        self._extra: tuple[Part, ...] = ()

    @property
    def transcript(self) -> str:
        """What was said in this iteration, as the maker tells it."""
        return self._conversation().transcript()

    async def call_model(self) -> None:
        """One turn."""
        await self._site.connected.ready()
        run = self._record.run
        route = maker_route(run, self._site.spec)
        if run.turns == 0:
            self._extra = await rich.parts(self._site, run) if rich.is_rich(self._site.spec, route) else ()
        talk = self._conversation()
        line = Line(route.agent, self._site.model_agent(route.agent), "maker", self._site.prices, self._template, route.why)
        request = ModelRequest(
            route.model, self._system, talk.messages(), self._tools(), self._site.spec.maker.max_output_tokens,
            session=run.session, iteration=run.iteration, keep=keep_for(self._site.spec),
        )  # fmt: skip
        try:
            reply = await self._meter.call(line, request, (*self._system, *talk.instruction))
        except (BudgetSpent, ModelFailed):
            return
        talk.heard(reply)

    def weigh(self, call_id: str) -> None:
        """Put the call before the gate: grant, ask or refuse it."""
        use = self._use(call_id)
        wrong = tools.misfit(use.tool, use.arguments, self._names())
        if wrong:
            self._refuse(use, wrong, "", "malformed_output")
            return
        ruling = self._desk.ruling(use)
        match ruling.verdict:
            case "allow":
                self._desk.grant(use, ruling.rule)
            case "deny":
                self._refuse(use, ruling.reason, ruling.rule)
            case _:
                self._desk.ask(use, ruling)

    def grant(self, step: steps.GrantCall) -> None:
        """A person said yes: run it if it still is the call they saw, else ask again."""
        call = next(one for one in self._record.run.calls if one.id == step.call)
        use = self._use(step.call)
        said = self._desk.approved(call, use, lambda one: tools.misfit(one.tool, one.arguments, self._names()))
        if said.again is not None:
            self._desk.ask(use, said.again)
        elif said.refused:
            self._refuse(use, said.refused, said.rule)
        else:
            self._desk.grant(said.use, said.rule, said.approval)

    def refuse(self, step: steps.RefuseCall) -> None:
        """A person said no; the reason reaches the maker."""
        self._refuse(self._use(step.call), f"Denied by the operator: {step.why}", step.rule)

    def report_lost(self, call_id: str) -> None:
        """An earlier runner died while the call ran."""
        use = self._use(call_id)
        self._returned(use, LOST, is_error=True)
        self._record.happened(ev.ToolCallLost(use.id, use.tool))

    async def run_call(self, call_id: str) -> None:
        """Run the granted call to its end, once."""
        run = self._record.run
        call = next(one for one in run.calls if one.id == call_id)
        use = self._use(call_id)
        if call.arguments:
            use = structs.replace(use, arguments=call.arguments)
        again = self._desk.changed(call, use)
        if again is not None:
            self._desk.ask(self._use(call_id), again)
            return
        self._record.traced(tr.ToolCalled(run.iteration, use.id, use.tool, use.arguments))
        begun = time.monotonic()
        try:
            with self._site.workplace.lent():
                outcome = await self._carried_out(use)
        except asyncio.CancelledError:
            self._record.happened(ev.ToolCallLost(use.id, use.tool))
            raise
        seconds = time.monotonic() - begun
        signature = hashlib.sha256("\x00".join((use.tool, use.arguments, outcome.output)).encode("utf-8", "replace")).hexdigest()[:16]
        output = outcome.output
        times = progress.repeats([*run.signatures, signature])
        if times >= progress.NUDGE_AT:
            output += _REPEATED.format(n=times)
        self._returned(use, output, outcome.is_error, outcome.problem or None, seconds)
        self._record.happened(ev.ToolCallFinished(use.id, use.tool, seconds, outcome.problem or None, signature))

    def _names(self) -> tuple[str, ...]:
        """The tools that the maker has."""
        return (*(name for name in self._site.tool_names() if "." not in name), *self._site.connected.names, *self._children.names)

    def _tools(self) -> tuple[ToolSchema, ...]:
        """The tools as they are offered to the model, in the same order and words from call to call."""
        return (*tools.schemas(self._site.tool_names()), *self._site.connected.schemas, *self._children.schemas)

    async def _carried_out(self, use: ToolUse) -> ToolOutcome:
        if use.tool in self._children.names:
            return await self._children.call(use.tool, use.arguments, use.id)
        if use.tool in self._site.connected.names:
            return await self._site.connected.call(use.tool, use.arguments)
        return await tools.call(use.tool, use.arguments, self._site.tool_context())

    def _use(self, call_id: str) -> ToolUse:
        return self._conversation().call(call_id)

    def _refuse(self, use: ToolUse, why: str, rule: str, problem: Problem | None = None) -> None:
        self._returned(use, f"Not run: {why}", is_error=True, problem=problem)
        self._desk.refuse(use, why, rule, problem)

    def _returned(self, use: ToolUse, output: str, is_error: bool, problem: Problem | None = None, seconds: float = 0.0) -> None:
        shown, blob = self._record.short(output)
        self._record.traced(tr.ToolReturned(self._record.run.iteration, use.id, use.tool, shown, is_error, problem, seconds, blob))
        self._conversation().returned(use.id, output, is_error)

    def _conversation(self) -> Talk:
        """This iteration's conversation; after a crash it is rebuilt from what was sent and answered."""
        run = self._record.run
        if self._talk is None or self._iteration != run.iteration:
            sent = self._record.instruction_sent() if run.answered else ()
            if sent:
                self._talk = Talk.rebuilt(sent, self._record.entries_of(run.iteration), set(run.answered))
            else:
                self._talk = Talk(prompt.instruction(run, self._site.spec, self._site.state_text, final=run.final, extra=self._extra))
            self._iteration = run.iteration
        return self._talk
