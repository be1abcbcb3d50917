"""The triage: before a maker's first turn, a small model says what to take first, from the state and the findings alone.

It is a help and no gate: a model that can't be reached, or has nothing to say, holds nothing up.
"""

from loopdeck.core import agentevents as ae
from loopdeck.core import prompt
from loopdeck.core import trace as tr
from loopdeck.core.conversation import BudgetSpent, Message, ModelFailed, ModelRequest, Part, Text
from loopdeck.core.routing import triage_route
from loopdeck.runner.metered import Line, Meter
from loopdeck.runner.site import Site
from loopdeck.shipped import prompt_text

MOST_OUTPUT = 1024
_MOST_KEPT = 2000
"""Characters of the answer that the maker is shown."""


class Triage:
    """Carries out the step of that name."""

    def __init__(self, site: Site, meter: Meter) -> None:
        self._site = site
        self._record = site.record
        self._meter = meter

    async def run(self) -> None:
        """Ask, and write down what it said."""
        route = triage_route(self._site.spec)
        assert route is not None
        template = Part("role", prompt_text("triage.md"), "triage.md", stable=True)
        run, spec = self._record.run, self._site.spec
        parts = prompt.instruction(run, spec, self._site.state_text, final=False)
        goal = Part("goal", f"# Goal\n{spec.goal}", "loop.toml", stable=True)
        text = "\n\n".join(part.text for part in parts)
        request = ModelRequest(
            route.model, (template, goal), (Message("user", (Text(text),)),), (), MOST_OUTPUT, iteration=run.iteration
        )
        line = Line(
            route.agent, self._site.model_agent(route.agent), "triage", self._site.prices, prompt.versioned(template), route.why
        )
        try:
            reply = await self._meter.call(line, request, (template, goal, *parts))
        except BudgetSpent:
            return
        except ModelFailed as failure:
            self._record.traced(tr.Noted(run.iteration, f"the triage came to nothing: {failure.message}"))
            self._record.happened(ae.TriageFinished())
            return
        self._record.happened(ae.TriageFinished(reply.text.strip()[:_MOST_KEPT]))
