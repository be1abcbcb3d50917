"""update_state and skill: what the maker leaves for later iterations, and what others have written down for it."""

from loopdeck.core import memory
from loopdeck.tools import within
from loopdeck.tools.arguments import Skill, UpdateState
from loopdeck.tools.port import ToolContext, ToolFailed, ToolOutcome

STATE = f"{within.SCRATCH}/STATE.md"


def fits(path: str, content: str) -> None:
    """Raises ToolFailed if `path` is the state and `content` is more than it may hold."""
    size = memory.size(content)
    if size > memory.MOST and within.normal(path) == STATE:
        raise ToolFailed(
            f"The state would be {size} bytes, more than the {memory.MOST} it may have. Keep what later iterations need: what is done "
            "in a line each, what is open, what was learned."
        )


def update_state(given: UpdateState, context: ToolContext) -> ToolOutcome:
    """The whole new state."""
    content = given.content.encode()
    fits(STATE, given.content)
    within.replace(context.worktree, STATE, content)
    return ToolOutcome(f"The state is updated: {len(content)} bytes.")


def skill(given: Skill, context: ToolContext) -> ToolOutcome:
    """A skill's text."""
    skills = context.skills or {}
    text = skills.get(given.name)
    if text is None:
        names = ", ".join(sorted(skills)) or "none"
        raise ToolFailed(f"There is no skill {given.name!r}. There are: {names}.")
    return ToolOutcome(text)
