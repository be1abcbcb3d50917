"""The fold's rules for runs that a run starts: their shares are set aside like those of model calls, and settled when they end."""

from collections.abc import Callable

from loopdeck.core import childevents as ce
from loopdeck.core.charge import charge
from loopdeck.core.run import CHILD, Child, Reservation, Run
from loopdeck.core.stamp import Stamp


def _started(run: Run, event: ce.ChildStarted, stamp: Stamp) -> None:
    run.reserved[event.run] = Reservation(CHILD, event.loop, event.tokens, 0, event.cost, run.life)
    run.children[event.run] = Child(event.run, event.loop, event.call)


def _ended(run: Run, event: ce.ChildEnded, stamp: Stamp) -> None:
    child = run.children.get(event.run)
    if child is None or child.reason is not None:
        return
    charge(run, event.run, event.usage, event.cost, event.certainty)
    run.children_cost += event.cost or 0
    child.reason = event.reason


RULES: dict[type, Callable[..., None]] = {ce.ChildStarted: _started, ce.ChildEnded: _ended}
