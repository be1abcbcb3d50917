"""The harness inventory's own keys."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="harness.open", key="enter", label="open", help="Open the file in your editor", group="edit"),
    Action(id="harness.again", key="r", label="read again", help="Read all files again", group="view"),
)
