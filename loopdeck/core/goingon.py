"""What an outside agent is told that goes on with an iteration it was interrupted in: what became of its calls meanwhile."""

from loopdeck.core.run import Call, Run

_HEAD = "You were interrupted in the middle of this iteration. Go on where you stopped; what you did so far is in the worktree."
_AFRESH = "\nAn earlier process of yours was cut off in this iteration: look at what it left in the worktree before you begin."


def going_on(run: Run) -> str:
    """The prompt for going on with the same conversation."""
    return "\n".join((_HEAD, *_notes(run)))


def begun_before(run: Run) -> str:
    """What is to be added to the whole instruction if the conversation can't be gone on with; nothing at the first turn."""
    return "\n".join((_AFRESH, *_notes(run))) if run.turns else ""


def _notes(run: Run) -> list[str]:
    return [note for call in run.calls if (note := _note(run, call))]


def _note(run: Run, call: Call) -> str:
    asked = next((one for one in run.approvals.values() if one.id == call.approval), None)
    what = f"`{call.tool}` {asked.arguments}" if asked is not None else f"`{call.tool}` ({call.id})"
    match call.status:
        case "approved":
            said = f" with these arguments instead: {call.arguments}" if call.arguments else ", exactly as it was"
            return f"- The operator approved your call {what}. Make it again{said}; it won't be asked about a second time."
        case "refused" | "denied":
            return f"- Your call {what} was not run: {call.why or 'the operator denied it'}. Take that as an instruction."
        case "lost":
            return f"- Outcome unknown: your call {what} was under way when you were interrupted. See whether it took effect."
        case _:
            return ""
