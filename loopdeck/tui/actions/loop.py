"""The loop screen's own keys."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="loop.open", key="enter", label="open", help="Trace of this iteration: every call and what came of it", group="go"),
    Action(
        id="loop.failing", key="f", label="failing", help="First failing check of the run, then the next iteration with one", group="go"
    ),
    Action(id="loop.mark", key="c", label="compare", help="Compare: put this iteration aside, then c on another", group="look"),
    Action(id="loop.before", key="C", help="Compare with the iteration before", group="look"),
    Action(id="loop.older", key="left_square_bracket", label="older run", help="Older run of this loop", group="go"),
    Action(id="loop.newer", key="right_square_bracket", label="newer run", help="Newer run of this loop", group="go"),
    Action(id="loop.file", key="o", help="Open the file of this finding in your editor, at its line", group="look"),
)
