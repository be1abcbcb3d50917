"""The deck screen's own keys."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="deck.open", key="enter", label="open", help="Open the loop: its iterations", group="go"),
    Action(id="deck.peek", key="space", label="peek", help="Peek: its last lines, its question, why", group="look"),
    Action(id="deck.filter", key="slash", label="filter", help="Filter: only loops with these words in their row", group="view"),
    Action(id="deck.jump", key="colon", help="Jump to a loop by its name", group="go"),
    Action(id="room.new", key="N", label="new", help="New loop: from a sentence, in five steps", group="go"),
    Action(id="deck.boards", key="B", help="Board of all loops: the items of their states, by column", group="go"),
    Action(id="room.attached", key="A", help="Attached: agent sessions that were not started here, and their brakes", group="go"),
    Action(id="deck.harness", key="H", help="Harness: prompts, skills, rubrics and checks, each a file with its version", group="go"),
)
