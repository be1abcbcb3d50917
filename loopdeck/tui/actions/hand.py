"""The operator's hand on one run: the same keys wherever a run is in front of you."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="hand.start", key="s", label="start", help="Start a run of this loop", group="hand"),
    Action(id="hand.pause", key="p", label="pause", help="Pause: stand still at the next step", group="hand"),
    Action(id="hand.pause_now", key="Z", help="Pause at once: commands under way stand still where they are", group="hand"),
    Action(id="hand.resume", key="r", label="resume", help="Resume: go on, also with a runner that died", group="hand"),
    Action(id="hand.hold", key="h", label="hold", help="Hold before the next iteration, or let go", group="hand"),
    Action(id="hand.nudge", key="n", label="nudge", help="Nudge: a word to the maker for the next iteration", group="hand"),
    Action(id="hand.kill", key="K", label="kill", help="Kill: end the run and everything it started", group="hand", danger=True),
    Action(id="hand.review", key="v", label="review", help="Review: what it made, file by file; merge or discard", group="look"),
    Action(id="hand.set", key="plus", label="set", help="Set a limit, the model or the strictness while it runs", group="hand"),
    Action(id="hand.retry", key="R", help="Retry from an earlier iteration, as a new run", group="hand", danger=True),
    Action(id="hand.verdict", key="V", label="verdict", help="Give the verdict a human check waits for", group="answer"),
    Action(id="hand.edit", key="e", label="state", help="Edit the state: read it, change it, see who changed what", group="edit"),
    Action(id="hand.board", key="b", help="Board: the items of its state as open, in progress and done", group="look"),
    Action(id="hand.why", key="w", label="why", help="Why: the evidence for its status, stop and spend", group="look"),
    Action(id="hand.trace", key="t", label="trace", help="Trace: everything it did", group="look"),
)
"""Each is done by `loopdeck.tui.hand.Hand`."""
