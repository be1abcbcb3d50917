"""The project board's own keys."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="project.edit", key="e,enter", label="edit state", help="Edit the state that this item is in", group="edit"),
    Action(id="project.left", key="left", label="column", help="Left: the column on the left", group="go"),
    Action(id="project.right", key="right", label="column", help="Right: the column on the right", group="go"),
    Action(id="project.open", key="o", label="open", help="Open the loop it is of", group="go"),
)
