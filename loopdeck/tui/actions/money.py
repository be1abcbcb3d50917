"""The money screen's own keys."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="money.turn", key="v,right", label="next view", help="Next view: by loop, role, model or day", group="view"),
    Action(id="money.turn_back", key="V,left", help="View before: by loop, role, model or day", group="view"),
    Action(id="money.by_loop", key="1", help="By loop: what each one cost, and its receipts", group="view"),
    Action(id="money.by_role", key="2", help="By role: makers and checks", group="view"),
    Action(id="money.by_model", key="3", help="By model", group="view"),
    Action(id="money.by_day", key="4", help="By day (UTC), the newest first", group="view"),
    Action(id="money.open", key="enter", label="open", help="Open the loop under the cursor", group="go"),
)
