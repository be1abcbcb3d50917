"""The why screen's own keys."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="why.trace", key="t", label="trace", help="Trace: everything the run did", group="go"),
    Action(id="why.loop", key="i", label="iterations", help="Iterations of the run", group="go"),
)
