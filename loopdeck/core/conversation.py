"""What is said between loopdeck and a model, in no vendor's form.

A conversation is a list of messages of blocks. Arguments of a tool call travel as the JSON text the model wrote, and are parsed by
the tool that takes them. `Opaque` carries a vendor's own block (thinking, encrypted reasoning) that must be handed back unchanged.
"""

from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct

from loopdeck.core.usage import Certainty, Usage


class Text(Struct, frozen=True, tag="text"):
    """Plain text."""

    text: str


class ToolUse(Struct, frozen=True, tag="tool_use"):
    """A tool call that the model asks for; `arguments` is JSON text, perhaps malformed."""

    id: str
    tool: str
    arguments: str


class ToolResult(Struct, frozen=True, tag="tool_result"):
    """What a tool call came to, as the model reads it."""

    id: str
    output: str
    is_error: bool = False


class Opaque(Struct, frozen=True, tag="opaque"):
    """A block only its vendor understands; `raw` is its JSON text."""

    vendor: str
    raw: str


Block = Text | ToolUse | ToolResult | Opaque


class Message(Struct, frozen=True):
    """One message; results of tools travel in a message of the user."""

    role: Literal["user", "assistant"]
    blocks: tuple[Block, ...]


class Part(Struct, frozen=True, omit_defaults=True):
    """A piece of a prompt: its name, its text, the file it comes from, and whether it stays the same from call to call."""

    name: str
    text: str
    source: str = ""
    stable: bool = False


class ToolSchema(Struct, frozen=True):
    """A tool as it is offered to a model; `schema` is the JSON Schema of its arguments, as JSON text."""

    name: str
    description: str
    schema: str


Keep = Literal["5m", "1h"]


class ModelRequest(Struct, frozen=True):
    """One model call. `system` is in stable-first order; `max_output` is the most the model may write, in tokens.

    `answer_schema`, if given, is JSON Schema text for a structured answer (a rubric's verdict), which then is the reply's only text.
    `session` is what the agent said of itself in the reply before (an agent's session id, the scripted agent's place).
    `keep` is how long the provider is asked to keep the stable part, where it can be asked.
    """

    model: str
    system: tuple[Part, ...]
    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...] = ()
    max_output: int = 8192
    answer_schema: str = ""
    session: str = ""
    iteration: int = 1
    keep: Keep = "5m"


Stop = Literal["end", "tools", "max_output", "refused"]


class ModelReply(Struct, frozen=True):
    """A model's whole answer. `usage` is disjoint; `certainty` says how it is known; `session` is handed back with the next request.

    `hour_writes` is the part of `usage.cache_write` that was written to be kept for an hour, which is dearer.
    """

    blocks: tuple[Block, ...]
    stop: Stop
    usage: Usage
    model: str = ""
    certainty: Certainty = "priced"
    session: str = ""
    request_id: str = ""
    hour_writes: int = 0

    @property
    def text(self) -> str:
        """All its text, joined."""
        return "".join(block.text for block in self.blocks if isinstance(block, Text))

    @property
    def calls(self) -> tuple[ToolUse, ...]:
        """The tool calls it asks for, in order."""
        return tuple(block for block in self.blocks if isinstance(block, ToolUse))


FailureKind = Literal[
    "rate_limit", "overloaded", "timeout", "server", "cut", "malformed", "connection", "request", "auth", "context", "missing"
]
RETRYABLE: frozenset[FailureKind] = frozenset({"rate_limit", "overloaded", "timeout", "server", "cut", "malformed", "connection"})
PATIENT: frozenset[FailureKind] = frozenset({"rate_limit", "overloaded"})
"""Failures that are waited out and never counted: the provider is busy, nothing is broken."""


class ModelFailed(Exception):
    """A model call that came to nothing.

    `retry_after` is in seconds, as the provider said, or None. `usage` is what was charged for sure; `maybe_charged` says that
    more may have been, so that the whole reservation has to be taken as spent (a stream cut in the middle).
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        retry_after: float | None = None,
        maybe_charged: bool = False,
        session: str = "",
    ) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message
        self.retry_after = retry_after
        self.maybe_charged = maybe_charged
        self.session = session


OnText = Callable[[str], None]
"""Called with each piece of text while a reply streams in."""

AskModel = Callable[[ModelRequest], Awaitable[ModelReply]]
"""A metered model call, as a check may make it: reserves, calls, settles, traces. Raises ModelFailed or BudgetSpent."""


class BudgetSpent(Exception):
    """A call's worst case does not fit into a budget; `limit` names it (`cost_usd`, `tokens`, `wall_s`)."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"the next model call does not fit into what is left of {limit}")
        self.limit = limit
