"""The keys of one event's screen."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="event.effect", key="right_square_bracket", label="result", help="To what came of it: reply, call, result", group="go"),
    Action(id="event.cause", key="left_square_bracket", label="cause", help="Back to what caused it: call, reply, prompt", group="go"),
    Action(id="event.next", key="n", label="next", help="Next event of those shown in the trace", group="go"),
    Action(id="event.previous", key="N", label="previous", help="Previous event of those shown in the trace", group="go"),
    Action(id="event.part", key="p", label="part", help="Part: the next part or text of the event", group="view"),
    Action(id="event.copy", key="y", label="copy", help="Copy the text in front of you to the clipboard", group="view"),
)
