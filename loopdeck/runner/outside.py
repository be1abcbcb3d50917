"""The maker's steps where the maker is an outside agent: a turn of it, from its process's start until nothing of it is left.

A turn ends by itself, or is ended: when its budget is, when it turns in circles, and when it waits so long for a person that its
process is better let go; then a later turn goes on with its conversation. Invariant: once a turn has finished, no process of the
agent is alive, its model calls are settled, and of each call it made it is written down what became of it.
"""

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from loopdeck.agents.gateway.address import Address
from loopdeck.agents.keys import find_key
from loopdeck.agents.outside.port import Ended, OutsideAgent, Server, Task
from loopdeck.agents.outside.registry import make_outside, vendor_of
from loopdeck.core import agentevents as ae
from loopdeck.core import events as ev
from loopdeck.core import prompt, steps
from loopdeck.core import trace as tr
from loopdeck.core.budget import taken_cost
from loopdeck.core.conversation import Part, Text
from loopdeck.core.goingon import begun_before, going_on
from loopdeck.core.routing import maker_route
from loopdeck.core.usage import Usage, dollars
from loopdeck.runner import rich
from loopdeck.runner.errands import Errands
from loopdeck.runner.hosting import Hosting
from loopdeck.runner.metering import Metering
from loopdeck.runner.record import Record
from loopdeck.runner.site import Site
from loopdeck.tools.shell import shell

LET_GO_S = 60.0
"""How long an agent's process is kept while it waits for a person, or stands still; by its session it goes on later."""
_LET_GO = "the agent's process was ended, as it has nothing to do until a person speaks; then it goes on with its conversation"
_GRACE_S = 10.0
"""How long an agent may take to end by itself once its budget has. One that turns in circles is not waited for."""
_LOOK_S = 0.1


class OutsideMaking:
    """Carries out the steps of an outside maker's part."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._record: Record = site.record
        self._agent: OutsideAgent = make_outside(site.spec.maker)
        self._hosting: Hosting | None = None

    @property
    def transcript(self) -> str:
        """What was said in this iteration, as the agent tells it."""
        return "" if self._hosting is None else self._hosting.transcript()

    def refuse(self, step: steps.RefuseCall) -> None:
        """A person said no to a call whose process is gone; the agent is told when it goes on."""
        call = self._record.run.call(step.call)
        self._record.happened(ev.ToolCallRefused(call.id, call.tool, step.rule, f"Denied by the operator: {step.why}"))

    def report_lost(self, call_id: str) -> None:
        """An earlier runner died while the call ran."""
        call = self._record.run.call(call_id)
        self._record.happened(ev.ToolCallLost(call.id, call.tool))

    async def run_agent(self) -> None:
        """One turn. Raises WorkspaceError if the agent can't be started, StoreError if the books can't be kept."""
        run, site = self._record.run, self._site
        resume = run.conversation if self._agent.caps.resume else ""
        parts = await self._parts(resume)
        metering = Metering(self._record, site, self._agent.kind, metered=self._is_metered())
        with self._site.workplace.lent():
            async with metering as address:
                self._told(parts, resume, address is not None)
                hosting = Hosting(site, metering, address)
                self._hosting = hosting
                task = self._task(parts, resume, address)
                begun = time.monotonic()
                with self._finishing(hosting):
                    ended = await self._turn(hosting, task)
                    hosting.over()
        self._finished(ended, hosting, time.monotonic() - begun)

    def _is_metered(self) -> bool:
        """True if the agent's requests can be led through the gateway: if it can, and there is a key to go on with."""
        vendor = vendor_of(self._site.spec.maker, self._record.run.settings.model)
        return self._agent.caps.gateway and (vendor is None or find_key(vendor) is not None)

    async def _parts(self, resume: str) -> tuple[Part, ...]:
        run, site = self._record.run, self._site
        if resume:
            return (Part("going on", going_on(run), "journal"),)
        is_rich = run.turns == 0 and rich.is_rich(site.spec, maker_route(run, site.spec))
        extra = await rich.parts(site, run) if is_rich else ()
        instruction = prompt.instruction(run, site.spec, site.state_text, final=run.final, extra=extra)
        again = begun_before(run)
        return (*instruction, Part("going on", again.strip(), "journal")) if again else instruction

    def _task(self, parts: tuple[Part, ...], resume: str, address: Address | None) -> Task:
        run, site, maker = self._record.run, self._site, self._site.spec.maker
        home = self._record.paths.agent_home
        home.mkdir(0o700, exist_ok=True)
        limits = run.settings
        left = None if limits.max_cost is None else max(0.0, dollars(limits.max_cost - taken_cost(run)))
        return Task(
            prompt="\n\n".join(part.text for part in parts),
            worktree=site.workplace.path,
            home=home,
            env=self._env(address),
            model=self._model(),
            system="" if resume else "\n\n".join(part.text for part in site.steady.parts()),
            resume=resume,
            gateway=address.url if address is not None else "",
            token=address.token if address is not None else "",
            command=maker.command,
            confined=site.door.confines,
            max_requests=maker.max_turns,
            max_cost_usd=left,
            servers=self._servers(),
        )

    def _model(self) -> str:
        """The model it is told to use: by phase, as far as this agent has it."""
        route = maker_route(self._record.run, self._site.spec)
        return route.model if route.agent == self._site.spec.maker.agent else self._record.run.settings.model

    def _env(self, address: Address | None) -> Mapping[str, str]:
        return dict(self._site.env) if address is None else address.put_into(self._site.env)

    def _servers(self) -> tuple[Server, ...]:
        ours = Server("loopdeck", argv=(sys.executable, "-P", "-m", "loopdeck", "mcp"))
        others = tuple(
            Server(one.name, argv=(shell(), "-c", one.command) if one.command else (), url=one.url)
            for one in self._site.spec.maker.connectors
        )
        return (ours, *others)

    def _told(self, parts: tuple[Part, ...], resume: str, metered: bool) -> None:
        """Write down that a turn begins, and what the agent is told."""
        run, keep = self._record.run, self._record.keep
        turn = run.turns + 1
        self._record.happened(ae.AgentTurnStarted(turn, self._agent.kind, resume=resume, metered=metered), durable=True)
        whole = parts if resume else (*self._site.steady.parts(), *parts)
        notes = tuple(tr.PartNote(one.name, len(one.text.encode()), keep(one.text), one.source, one.stable) for one in whole)
        history = "gone on with" if resume else "fresh"
        template = prompt.versioned(self._site.steady.template)
        self._record.traced(tr.PromptSent(run.iteration, "maker", _name(turn), self._model(), notes, 1, (), 0, history, template))

    async def _turn(self, hosting: Hosting, task: Task) -> Ended:
        """The agent's turn, minded: how it ended."""
        turn = asyncio.ensure_future(self._agent.turn(task, hosting))
        errands = asyncio.ensure_future(Errands(self._site, hosting).serve())
        try:
            await self._mind(turn, hosting)
        finally:
            errands.cancel()
            await asyncio.wait((errands,))
            if not turn.done():
                turn.cancel()
                await asyncio.wait((turn,))
        if turn.cancelled():
            return Ended("cancelled")
        return turn.result()

    async def _mind(self, turn: "asyncio.Future[Ended]", hosting: Hosting) -> None:
        """Return when the turn is over, or is to be ended."""
        standing = over = 0.0
        while not (await asyncio.wait((turn,), timeout=_LOOK_S))[0]:
            run = self._record.run
            still = run.status in ("asking", "paused") and not hosting.busy
            standing = (standing + _LOOK_S) if still else 0.0
            if standing >= LET_GO_S and self._agent.caps.resume and run.conversation:
                hosting.end("let_go")
                return
            if run.no_room:
                hosting.end("budget")
            over = (over + _LOOK_S) if hosting.how else 0.0
            # Through the gateway nothing more can be spent; by its own login it has to be cut off.
            ends_itself = hosting.metered and hosting.how != "repeating"
            if over >= (_GRACE_S if ends_itself else _LOOK_S):
                return

    @contextmanager
    def _finishing(self, hosting: Hosting) -> Iterator[None]:
        """Whatever cuts a turn short: what became of its calls is written down, and that it is over."""
        try:
            yield
        except asyncio.CancelledError:
            hosting.over(cut=True)
            self._record.happened(ae.AgentTurnFinished("cancelled"))
            raise

    def _finished(self, ended: Ended, hosting: Hosting, seconds: float) -> None:
        run = self._record.run
        how: ae.AgentEnd = hosting.how or ended.how
        failure, message = ended.failure, ended.message
        if how == "failed" and failure == "missing" and run.conversation:
            # What it was to go on with is not there any more: from the beginning, then.
            self._record.happened(ae.AgentSessionNamed(""))
            failure = "cut"
        if ended.text:
            self._record.traced(
                tr.ModelReplied(
                    run.iteration, "maker", _name(run.turns), run.settings.model, (Text(ended.text),), "end", Usage(), seconds, 0
                )
            )  # fmt: skip
        if message:
            self._record.traced(tr.Noted(run.iteration, f"the agent's turn: {how}: {message}"))
        if how == "let_go":
            self._record.traced(tr.Noted(run.iteration, _LET_GO))
        self._record.happened(ae.AgentTurnFinished(how, failure, message), durable=True)


def _name(turn: int) -> str:
    return f"turn-{turn}"
