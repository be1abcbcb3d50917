"""The fold's rules for turns of outside agents, and for what is asked before a maker's first turn."""

from collections.abc import Callable

from loopdeck.core import agentevents as ae
from loopdeck.core.conversation import PATIENT, RETRYABLE, FailureKind
from loopdeck.core.run import Call, Retry, Run
from loopdeck.core.stamp import Stamp

_OPEN = ("waiting", "approved", "denied")
"""Calls that a new process will ask for again."""


def _started(run: Run, event: ae.AgentTurnStarted, stamp: Stamp) -> None:
    run.turns = event.turn
    run.iterations[-1].turns = event.turn
    run.calls = [call for call in run.calls if call.status in _OPEN]
    run.agent_end = ""
    run.fatal = run.retry = None


def _named(run: Run, event: ae.AgentSessionNamed, stamp: Stamp) -> None:
    run.conversation = event.session


def _finished(run: Run, event: ae.AgentTurnFinished, stamp: Stamp) -> None:
    run.agent_end = event.how
    if event.how == "refused":
        run.maker_end = "refused"
    run.replied = event.how == "ended"
    if event.how != "failed":
        run.failures = run.patience = 0
        return
    fail(run, event.failure or "server", event.message, None)


def fail(run: Run, failure: FailureKind, message: str, after: float | None) -> None:
    """A model call, or a turn, came to nothing: it is made again, `after` so many seconds if the provider said so, or can't be."""
    run.failure = f"{failure}: {message}" if message else failure
    if failure not in RETRYABLE:
        run.fatal = failure
        return
    if failure in PATIENT:
        run.patience += 1
    else:
        run.failures += 1
    run.retry = Retry(failure, after, run.patience + run.failures)


def _asked(run: Run, event: ae.ToolCallAsked, stamp: Stamp) -> None:
    for call in run.calls:
        if event.instead_of and call.id == event.instead_of:
            call.id = event.call
            return
    run.calls = [*(call for call in run.calls if call.id != event.call), Call(event.call, event.tool)]


def _triaged(run: Run, event: ae.TriageFinished, stamp: Stamp) -> None:
    run.plan = event.plan


RULES: dict[type, Callable[..., None]] = {
    ae.AgentTurnStarted: _started,
    ae.AgentSessionNamed: _named,
    ae.AgentTurnFinished: _finished,
    ae.ToolCallAsked: _asked,
    ae.TriageFinished: _triaged,
}
