"""The review screen's own keys."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="review.next_hunk", key="n", label="hunk", help="Next hunk; after the last one the next file", group="go"),
    Action(id="review.last_hunk", key="p", help="The hunk before; before the first one the file before", group="go"),
    Action(id="review.next_file", key="right_square_bracket", help="Next file", group="go"),
    Action(id="review.last_file", key="left_square_bracket", help="The file before", group="go"),
    Action(id="review.read", key="r", label="read", help="Mark this file as read, and go to the next unread one", group="answer"),
    Action(id="review.read_all", key="R", label="all read", help="Mark every file as read", group="answer"),
    Action(id="review.merge", key="m", label="merge", help="Merge: its checks run first on the merged files", group="answer"),
    Action(id="review.discard", key="x", label="discard", help="Discard: drop its worktree and branch", group="answer", danger=True),
    Action(
        id="review.propose", key="P", label="PR", help="Pull request: push the branch, open one with gh", group="answer", danger=True
    ),
    Action(id="review.editor", key="e", label="editor", help="Open the file at this line in your own editor", group="edit"),
)
