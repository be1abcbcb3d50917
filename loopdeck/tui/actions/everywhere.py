"""What can be done on every screen."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="go.back", key="escape", label="back", help="Go up: to where you came from", group="go"),
    Action(id="room.approvals", key="a", label="approvals", help="Approvals: every gated call that waits for you", group="go"),
    Action(id="room.money", key="m", help="Money: what it costs, by loop, role, model and day", group="go"),
    Action(id="room.new", key="N", help="New loop: from a sentence, in five steps", group="go"),
    Action(id="room.help", key="question_mark", label="help", help="Help: every key that works here", group="room"),
    Action(id="room.quit", key="q", label="quit", help="Quit: leave the room, and the loops go on", group="room"),
)
