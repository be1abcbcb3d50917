"""What a turn of an outside agent is given to work with: the run's sandbox, its gate, its books.

The agent shows a call, waits, and gets an answer; what it does without asking is written down as such. Calls are put before the gate
one at a time, so that a person is asked one thing at a time. Invariant: a grant is durable before the agent hears of it.
"""

import asyncio
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

from loopdeck.agents.gateway.address import Address
from loopdeck.agents.outside.port import Allowed, Denied, Shown
from loopdeck.core import agentevents as ae
from loopdeck.core import events as ev
from loopdeck.core import progress
from loopdeck.core import trace as tr
from loopdeck.core.conversation import ToolUse
from loopdeck.core.run import Call, Run
from loopdeck.core.spec import Connector
from loopdeck.core.usage import Usage
from loopdeck.errors import WorkspaceError
from loopdeck.runner.desk import Desk
from loopdeck.runner.handled import Handled
from loopdeck.runner.metering import Metering
from loopdeck.runner.record import Record
from loopdeck.runner.site import Site
from loopdeck.sandbox.port import Command, Conversation, Forward

POLL_S = 0.05
"""How often it is looked whether a person has decided, or the run goes on."""
OWN = "the agent's own"
"""The rule of calls that an agent makes without asking."""
_HERE = ("127.0.0.1", "localhost")
_ANSWERED = frozenset({"approved", "denied"})


class Hosting:
    """Implements `agents.outside.port.Host` for one turn."""

    def __init__(self, site: Site, metering: Metering, address: Address | None) -> None:
        self._site = site
        self._record: Record = site.record
        self._metering = metering
        self.metered = address is not None
        """Whether its requests go through the gateway."""
        self._forwards = tuple(_forwards(site.spec.maker.connectors, address))
        self._desk = Desk(site)
        self._asking = asyncio.Lock()
        self._answers: dict[str, Allowed | Denied] = {}
        self._calls = Handled(site.record, self._desk)
        self.how: ae.AgentEnd | None = None
        """How the turn is to end, if it was decided here."""

    @property
    def busy(self) -> bool:
        """True while a call that was granted has not come to its end."""
        return self._calls.busy

    def end(self, how: ae.AgentEnd) -> None:
        """Have the turn end for this reason; the first one counts."""
        self.how = self.how or how

    def transcript(self) -> str:
        """The last things said and done: the agent's own words, for a check to distrust."""
        return self._calls.transcript()

    # What the agent may do

    def open(self, argv: tuple[str, ...], env: Mapping[str, str]) -> AbstractAsyncContextManager[Conversation]:
        """Start the agent's process. Raises WorkspaceError if there is no such program."""
        program = shutil.which(argv[0], path=env.get("PATH"))
        if program is None and not Path(argv[0]).is_absolute():
            raise WorkspaceError(
                f"there is no program {argv[0]!r} on the PATH",
                remedy="Install it, or name it in `[maker] command`; `loopdeck doctor` looks.",
            )
        tree, home = self._site.workplace.path, self._record.paths.agent_home
        return self._site.door.open(
            Command(
                argv=(program or argv[0], *argv[1:]), cwd=tree, env=env, timeout_s=math.inf, writable=(tree, home), role="agent",
                forwards=self._forwards,
            )
        )  # fmt: skip

    def session(self, conversation: str) -> None:
        """By which id a later process can go on."""
        if conversation and conversation != self._record.run.conversation:
            self._record.happened(ae.AgentSessionNamed(conversation), durable=True)

    def said(self, text: str) -> None:
        """A piece of what the agent says."""
        self._calls.said(f"assistant: {text}")
        if self._metering.has_traced(text):
            return
        shown, _ = self._record.short(text)
        self._record.traced(tr.Noted(self._record.run.iteration, f"the agent: {shown}"))

    def note(self, text: str) -> None:
        """Something else worth a line."""
        shown, _ = self._record.short(text)
        self._record.traced(tr.Noted(self._record.run.iteration, shown))

    def used(self, request: str, model: str, usage: Usage, cost_usd: float | None = None) -> None:
        """The agent's own figures."""
        self._metering.used(request, model, usage, cost_usd)

    async def ask(self, call: Shown) -> Allowed | Denied:
        """Put a call before the gate, and before a person if the rules say so."""
        async with self._asking:
            known = self._answers.get(call.id)
            if known is None:
                known = self._answers[call.id] = await self._weighed(ToolUse(call.id, call.tool, call.arguments))
            return known

    def met(self, call: Shown) -> None:
        """The agent made a call without asking."""
        if call.id in self._answers:
            return
        self._answers[call.id] = Allowed()
        use = ToolUse(call.id, call.tool, call.arguments)
        if self._record.run.status != "running":
            # Only while the run works may calls be written down; the trace has this one all the same.
            self._record.traced(tr.ToolCalled(self._record.run.iteration, use.id, use.tool, use.arguments))
            return
        self._record.happened(ae.ToolCallAsked(use.id, use.tool))
        self._calls.granted(use, OWN)

    def returned(self, call: str, output: str, *, is_error: bool = False) -> None:
        """What a call came to."""
        self._calls.returned(call, output, is_error=is_error)
        if progress.repeats(self._record.run.signatures) >= progress.END_AT:
            self.end("repeating")

    def over(self, *, cut: bool = False) -> None:
        """The agent is gone: of what it had been granted and did not tell the end of, nothing is known if it was cut off."""
        self._calls.over(cut=cut or self.how is not None)

    # The gate

    async def _weighed(self, use: ToolUse) -> Allowed | Denied:
        await self._goes_on()
        run = self._record.run
        if (denied := self._out_of_bounds(run)) is not None:
            return denied
        before = self._asked_before(use)
        self._record.happened(ae.ToolCallAsked(use.id, use.tool, before.id if before is not None else ""))
        ruling = self._desk.ruling(use)
        if before is None:
            match ruling.verdict:
                case "allow":
                    return self._calls.granted(use, ruling.rule)
                case "deny":
                    return self._calls.refused(use, ruling.reason, ruling.rule)
            self._desk.ask(use, ruling)
        return await self._decided(use)

    async def _decided(self, use: ToolUse) -> Allowed | Denied:
        """A person's decision, waited for; asked for again where their yes was for another call."""
        while True:
            call = await self._answered(use.id)
            if call is None:
                return Denied("loopdeck: the run is ending.", stop=True)
            if call.status == "asked":
                self._desk.ask(use, self._desk.ruling(use))
                continue
            if call.status == "denied":
                return self._calls.refused(use, f"Denied by the operator: {call.why or 'no reason given'}", "operator")
            yes = self._desk.approved(call, use)
            if yes.again is not None:
                self._desk.ask(use, yes.again)
            elif yes.refused:
                return self._calls.refused(use, yes.refused, yes.rule)
            else:
                return self._calls.granted(yes.use, yes.rule, yes.approval, edited=bool(call.arguments))

    async def _answered(self, call_id: str) -> Call | None:
        """The call once a person has decided, or nobody in time, and the run goes on; None if it is ending."""
        while True:
            await self._goes_on()
            if self._record.run.status != "running":
                return None
            call = self._record.run.call(call_id)
            if call.status in _ANSWERED or call.status == "asked":
                return call
            await asyncio.sleep(POLL_S)

    async def _goes_on(self) -> None:
        """Wait while the run stands still; a pause that was asked for begins here."""
        while (run := self._record.run).status in ("asking", "paused", "waiting") or (run.status == "running" and run.pause_wanted):
            if run.status == "running":
                self._record.happened(ev.RunPaused("pause", run.pause_wanted), durable=True)
            await asyncio.sleep(POLL_S)

    def _out_of_bounds(self, run: Run) -> Denied | None:
        if run.status != "running" or self.how is not None:
            return Denied("loopdeck: the run is ending; make no further call.", stop=True)
        most = run.settings.max_tool_calls
        if most is not None and run.tool_calls >= most:
            self.end("tool_calls")
            return Denied(f"loopdeck: all {most} tool calls of this iteration are used up. End your turn now.", stop=True)
        return None

    def _asked_before(self, use: ToolUse) -> Call | None:
        """The same call, asked for by a process that is gone, and answered since."""
        run = self._record.run
        for call in run.calls:
            approval = run.approvals.get(call.approval)
            if call.status not in _ANSWERED or approval is None or call.tool != use.tool:
                continue
            if self._desk.is_same(approval, use) or (call.arguments and call.arguments == use.arguments):
                return call
        return None


def _forwards(connectors: Iterable[Connector], address: Address | None) -> Iterator[Forward]:
    """Ports of this machine that the agent needs: the gateway's, and those of MCP servers that run here."""
    if address is not None:
        yield Forward("gateway", address.port, (_HERE[0], address.port))
    for one in connectors:
        url = urlsplit(one.url)
        if url.hostname in _HERE and url.port:
            yield Forward(one.name, url.port, (_HERE[0], url.port))
