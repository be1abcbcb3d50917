"""The trace's own keys."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="trace.open", key="enter", label="open", help="Open the event: all of it, and what was sent", group="go"),
    Action(id="trace.follow", key="f", label="follow", help="Follow: stay on the newest line, or stop that", group="view"),
    Action(id="trace.next", key="n", label="problem", help="Next problem, or the next hit while a search is on", group="go"),
    Action(id="trace.previous", key="N", help="Previous problem, or the previous hit while a search is on", group="go"),
    Action(id="trace.search", key="slash", label="search", help="Search: lines that hold a text", group="view"),
    Action(id="trace.jump", key="colon", label="jump", help="Jump: to a line's number, `i3` for an iteration, or a time", group="go"),
    Action(id="trace.kind", key="k", label="kind", help="Kind: only lines of some kinds, or all again", group="view"),
    Action(id="trace.iteration", key="i", label="iteration", help="Iteration: only the lines of one, or all again", group="view"),
    Action(
        id="trace.calls", key="c", label="calls", help="Calls: turns, their calls and what came of them, or all again", group="view"
    ),
    Action(id="trace.effect", key="right_square_bracket", help="To what came of it: reply, call, result", group="go"),
    Action(id="trace.cause", key="left_square_bracket", help="Back to what caused it: call, reply, prompt", group="go"),
    Action(id="trace.unfold", key="space", label="unfold", help="Unfold the line's text, or fold it again", group="view"),
    Action(id="trace.copy", key="y", help="Copy the line to the clipboard", group="view"),
    Action(id="trace.export", key="x", help="Export what is shown to a new file in the current folder", group="view"),
)
