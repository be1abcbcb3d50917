"""The new-loop form's own keys. Letters are typed into its fields, so that all of these are others."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(
        id="new.step_back",
        key="escape",
        label="step back",
        help="A step back, and from the first out: what was typed stays",
        group="go",
    ),
    Action(id="new.next", key="ctrl+n", label="next step", help="Next step: task, stop, check, schedule, budget", group="go"),
    Action(id="new.want", key="space", label="on or off", help="Want the check under the cursor, or don't", group="edit"),
    Action(
        id="new.write", key="ctrl+s", label="write it", help="Write the loop's files, once nothing is wrong with them", group="edit"
    ),
    Action(id="new.begin", key="ctrl+r", label="start it", help="Start a run of the loop that was just written", group="hand"),
    Action(id="new.forget", key="f8", help="Forget what was typed, and begin anew", group="edit"),
)
