"""The state editor's keys. The text has the plain ones, so all of these are chords."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="state.save", key="ctrl+s", label="save", help="Save: what you typed becomes the state", group="edit"),
    Action(id="state.go", key="ctrl+g", label="save+go", help="Save and go: the run that stands still goes on", group="hand"),
    Action(id="state.hold", key="ctrl+o", label="hold", help="Hold the run before its next iteration, or let go", group="hand"),
    Action(id="state.editor", key="f4", label="$EDITOR", help="Open it in your own editor", group="edit"),
    Action(
        id="state.history",
        key="ctrl+t",
        label="history",
        help="History: who changed what; enter takes one up again",
        group="view",
    ),
    Action(id="go.back", key="escape", label="back", help="Go up: to where you came from", group="go"),
    Action(id="room.quit", key="ctrl+q", help="Quit: leave the room, and the loops go on", group="room"),
)
