"""Which model makes the maker's next call, and why: routing by phase, by what the verdicts say, by what is left, by who is busy.

Rules, the first that fits: the final pass and work that failed twice in a row without a better score go to `review`; a provider that
was too busy three times in a row is left for `fallback`; with four fifths of a budget spent the cheaper `triage` does the rest; all
other work is for `draft`. A role that the loop file doesn't name falls through to the next rule, and in the end to the maker's own
model; a model that a person has set on the live run is never routed away from, but by a busy provider.
"""

from typing import Literal

from msgspec import Struct, structs

from loopdeck.core.budget import SOFT, share_spent
from loopdeck.core.loopfile.who import agent_of, asked_as
from loopdeck.core.run import Run
from loopdeck.core.spec import LoopSpec

Phase = Literal["maker", "triage", "draft", "review", "escalated", "fallback", "frugal"]
FAILED_ROUNDS = 2
"""Iterations in a row that failed, with no better score, before the work is escalated."""
BUSY = 3
"""Answers of a busy provider in a row before another one is asked."""


class Route(Struct, frozen=True):
    """Who is called: kind of agent, model; for which phase, and why in words (empty: it is the maker's own model)."""

    agent: str
    model: str
    phase: Phase = "maker"
    why: str = ""


def maker_route(run: Run, spec: LoopSpec) -> Route:
    """Who makes the maker's next call."""
    models = spec.models
    if models.fallback and run.patience >= BUSY:
        return _to(spec, models.fallback, "fallback", f"its provider was busy {run.patience} times in a row")
    if run.settings.model != spec.maker.model:
        return Route(spec.maker.agent, run.settings.model)
    if models.review and run.final:
        return _to(spec, models.review, "review", "the final pass")
    failed = _failed_rounds(run)
    if models.review and failed >= FAILED_ROUNDS:
        return _to(spec, models.review, "escalated", f"{failed} iterations in a row failed without a better score")
    if models.triage and share_spent(run) >= SOFT:
        return _to(spec, models.triage, "frugal", f"{share_spent(run):.0%} of the budget is spent")
    if models.draft:
        return _to(spec, models.draft, "draft", "ordinary work")
    return Route(spec.maker.agent, run.settings.model)


def triage_route(spec: LoopSpec) -> Route | None:
    """Who looks through what is open before the maker begins; None if the loop has no such role."""
    if not spec.models.triage:
        return None
    named = _to(spec, spec.models.triage, "triage", "what to take first")
    return structs.replace(named, agent=asked_as(named.agent, named.model))


def routes(spec: LoopSpec) -> tuple[Route, ...]:
    """Everybody whom the maker's work may be routed to, its own model first."""
    models = spec.models
    named: tuple[tuple[str, Phase], ...] = (
        (models.triage, "triage"), (models.draft, "draft"), (models.review, "review"), (models.fallback, "fallback")
    )  # fmt: skip
    return (Route(spec.maker.agent, spec.maker.model), *(_to(spec, written, phase, "") for written, phase in named if written))


def _to(spec: LoopSpec, written: str, phase: Phase, why: str) -> Route:
    named = agent_of(written)
    model = written.partition(":")[2] if named else written
    return Route(named or spec.maker.agent, model, phase, why)


def _failed_rounds(run: Run) -> int:
    """How many of the last iterations failed and brought no better score than any before them."""
    done = [one for one in run.iterations if one.score is not None]
    count = 0
    while count < len(done):
        last, before = done[len(done) - 1 - count], done[: len(done) - 1 - count]
        best = max((one.score or 0.0 for one in before), default=-1.0)
        if last.passed or (last.score or 0.0) > best >= 0:
            break
        count += 1
    return count
