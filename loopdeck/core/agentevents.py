"""What happens in a turn of an outside agent, beside the model and tool calls that it makes: journal events."""

from typing import Literal

from loopdeck.core.conversation import FailureKind
from loopdeck.core.happening import Happening

AgentEnd = Literal[
    "ended", "refused", "denied", "cancelled", "max_turns", "budget", "failed", "tool_calls", "repeating", "let_go"
]  # fmt: skip
"""How a turn ended. `ended`: the agent says it is through. `denied`: a denial ended it. `let_go`: it had nothing to do until a person
speaks, so its process was ended. `cancelled`: it was stopped in the middle."""


class AgentTurnStarted(Happening, frozen=True):
    """An outside agent was started for the maker's part of an iteration, or to go on with the conversation `resume`.

    `metered` says that its requests go through the gateway; otherwise its own figures are what is known of its spending.
    """

    turn: int
    agent: str
    resume: str = ""
    metered: bool = True


class AgentSessionNamed(Happening, frozen=True):
    """The id by which a later process can go on with the agent's conversation."""

    session: str


class AgentTurnFinished(Happening, frozen=True):
    """The turn is over, and no process of it is left."""

    how: AgentEnd
    failure: FailureKind | None = None
    message: str = ""


class TriageFinished(Happening, frozen=True):
    """What to take first in this iteration, by the model that was asked; empty if it could not say."""

    plan: str = ""


class ToolCallAsked(Happening, frozen=True):
    """An outside agent wants to make a call. `instead_of` is the same one, asked for by a process before and answered since."""

    call: str
    tool: str
    instead_of: str = ""


AgentEvent = AgentTurnStarted | AgentSessionNamed | AgentTurnFinished | ToolCallAsked | TriageFinished
