"""The money screen's own keys."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="money.turn", key="v,right", label="next view", help="Next view: by loop, role, model or day", group="view"),
    Action(id="money.turn_back", key="V,left", help="View before: by loop, role, model or day", group="view"),
    Action(id="money.open", key="enter", label="open", help="Open the loop under the cursor", group="go"),
)
