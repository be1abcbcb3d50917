"""The keys of two iterations beside each other."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="compare.earlier", key="left_square_bracket", label="earlier", help="Compare with an earlier iteration", group="go"),
    Action(id="compare.later", key="right_square_bracket", label="later", help="Compare with a later iteration", group="go"),
)
