"""The keys of the approvals inbox."""

from loopdeck.tui.actions.model import Action

ACTIONS = (
    Action(id="approvals.approve", key="y", label="approve", help="Approve: let exactly this call run", group="answer"),
    Action(id="approvals.confirm", key="Y", help="Confirm a dangerous call: the second key, after y", group="answer", danger=True),
    Action(id="approvals.deny", key="d", label="deny", help="Deny, with a reason that its maker is told", group="answer"),
    Action(id="approvals.edit", key="E", label="edit", help="Edit: change the call, see the change, then approve", group="answer"),
    Action(id="approvals.rule", key="A", label="as rule", help="Approve as a rule, to the end of this run", group="answer"),
    Action(
        id="approvals.batch", key="b", label="equal ones", help="Batch: all calls equal to this one, answered at once", group="answer"
    ),
    Action(id="approvals.read", key="enter", label="read", help="Read: the keys go to the call, until escape", group="look"),
    Action(id="approvals.page", key="space", label="page", help="Page: the next lines of the call", group="look"),
    Action(id="approvals.why", key="w", label="why", help="Why: the evidence for what its run does", group="look"),
    Action(id="approvals.open", key="o", label="open", help="Open the loop it is of", group="go"),
)
