"""What the loopback model server is asked, what a scenario answers, what a provider would have billed.

A scenario is any callable from `Request` to `Answer`. Invariant: every answer that began to be generated
stands in the ledger with its whole cost, whether or not the client heard it to the end; a request that was
refused costs nothing.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from loopdeck.core.usage import Usage

Dialect = Literal["messages", "count_tokens", "chat", "responses", "gemini"]

BYTES_PER_TOKEN = 3
TOOL_PREAMBLE = 500
"""Tokens a provider adds of its own to a request with tools."""


def tokens_in(size: int) -> int:
    """The tokens of `size` bytes, as this server counts."""
    return math.ceil(size / BYTES_PER_TOKEN)


@dataclass(frozen=True)
class Request:
    """One request, in no dialect's form.

    `n` counts from 1; `tag` is the path before `/v1`, by which loops can be told apart. `texts` is everything
    the user said (tool results too) in order, `results` the tool results of the last message, `turns` the
    number of replies before this one.

    `texts` is everything the user said (tool results too) in order, `results` the tool results of the last
    message, `turns` the number of replies before this one.
    """

    n: int
    dialect: Dialect
    tag: str
    key: str
    model: str
    stream: bool
    max_tokens: int
    system: str
    texts: tuple[str, ...]
    results: tuple[str, ...]
    turns: int
    tools: tuple[str, ...]
    body: Mapping[str, Any]
    raw: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        """The last thing the user said."""
        return self.texts[-1] if self.texts else ""

    @property
    def said(self) -> str:
        """Everything that was said to the model, the system prompt first."""
        return "\n".join((self.system, *self.texts))


@dataclass(frozen=True)
class Call:
    """A tool call; `arguments` is sent as it stands, so text that is no JSON stays none."""

    tool: str
    arguments: str = "{}"


@dataclass(frozen=True)
class Refuse:
    """An error status instead of an answer. `kind` is the error's type in the body."""

    status: int
    kind: str = "api_error"
    message: str = "refused by the scenario"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True)
class Cut:
    """The connection breaks after `events` events, or `octets` bytes of the body.

    `clean` ends the body properly, but early.
    """

    events: int | None = None
    octets: int | None = None
    clean: bool = False


@dataclass(frozen=True)
class ErrorEvent:
    """An error inside the stream, after `events` events, with status 200 long sent."""

    events: int = 2
    kind: str = "overloaded_error"
    message: str = "Overloaded"


@dataclass(frozen=True)
class Garble:
    """The data of event number `event` (from 0) is cut in the middle, so that it is no JSON."""

    event: int = 2


@dataclass(frozen=True)
class Hang:
    """Nothing more is sent after `events` events (None: not even the status) until the client goes away."""

    events: int | None = None


Fault = Refuse | Cut | ErrorEvent | Garble | Hang


@dataclass(frozen=True)
class Answer:
    """One reply.

    `usage`: what is billed and told (None: counted). `told`: where usage is told: at the `start` of the
    stream as the vendor does, only at its `end`, or `never`. `stop` overrides why it stopped, in the
    dialect's own word. `piece` is the characters of one delta. `delay_s` comes before the status, `pace_s`
    before every event. `plain`: no stream, although one was asked for.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    thinking: str = ""
    stop: str = ""
    usage: Usage | None = None
    told: Literal["start", "end", "never"] = "start"
    fault: Fault | None = None
    delay_s: float = 0.0
    pace_s: float = 0.0
    piece: int = 24
    plain: bool = False


Scenario = Callable[[Request], Answer]


@dataclass(frozen=True)
class Charge:
    """What one request cost its key. `whole`: the client was sent the answer to its end."""

    n: int
    dialect: Dialect
    tag: str
    key: str
    model: str
    usage: Usage
    whole: bool


def rate_limited(retry_after: str | None = None, *, retry_after_ms: str | None = None) -> Answer:
    """429, with or without the headers that say when to come back."""
    headers = {"retry-after": retry_after, "retry-after-ms": retry_after_ms}
    return Answer(
        fault=Refuse(
            429,
            "rate_limit_error",
            "slow down",
            {name: value for name, value in headers.items() if value is not None},
        )
    )


def overloaded() -> Answer:
    """529."""
    return Answer(fault=Refuse(529, "overloaded_error", "Overloaded"))


def broken(status: int = 500) -> Answer:
    """A server error."""
    return Answer(fault=Refuse(status, "api_error", "Internal server error"))
