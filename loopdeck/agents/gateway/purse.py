"""What the gateway asks of whoever holds the money of a run: may this go, and here is what it came to. No HTTP in here.

Invariant: between a grant and its one settlement the whole worst case is set aside, so that no number of calls at once can overspend.
"""

from typing import Protocol

from msgspec import Struct

from loopdeck.agents.keys import Vendor
from loopdeck.core.conversation import ModelFailed, ModelReply
from loopdeck.core.usage import Usage


class Wanted(Struct, frozen=True):
    """A request that wants to go: to whom, and the most it can come to.

    `output` is the most tokens that each of its `choices` asks to write, None if it does not say. `unbounded` says, for a person, what
    in it keeps `input_bound` (tokens) or its price from being a bound; empty if nothing does. `body` is the request as it came,
    `messages` and `tools` are for the trace.
    """

    vendor: Vendor
    model: str
    input_bound: int
    output: int | None = None
    choices: int = 1
    unbounded: str = ""
    body: bytes = b""
    messages: int = 0
    tools: tuple[str, ...] = ()


class Grant(Struct, frozen=True):
    """A request may go: as the call of that id, with at most `output_cap` tokens of output, all choices together."""

    call: str
    wanted: Wanted
    output_cap: int

    def most(self, told: Usage) -> Usage:
        """The most it can have come to, where the provider told only so much of its input, or nothing."""
        if told.tokens:
            return told + Usage(output=self.output_cap)
        return Usage(self.wanted.input_bound, self.output_cap)


class Refusal(Struct, frozen=True):
    """It may not go; `why` is one plain sentence, for the agent and whoever reads its log."""

    why: str


class Purse(Protocol):
    """The money of one run. Each grant is settled exactly once, by one of the three last methods.

    Any of them may raise; then nothing more is let through, and whoever stops the gateway gets the error.
    """

    async def may_go(self, wanted: Wanted | None = None) -> None:
        """Return as soon as requests may go, or have to be refused: a run that is paused holds them here.

        `wanted` is held, too, while only what other calls have set aside is in its way: most of it will come back.
        """
        ...

    def is_tight(self, wanted: Wanted) -> bool:
        """True if there would be room for more of `wanted` if its input were smaller: then it is worth counting."""
        ...

    def reserve(self, wanted: Wanted) -> Grant | Refusal:
        """Set the worst case of `wanted` aside, durably, or say why not. Called at once after `may_go`."""
        ...

    def settle(self, grant: Grant, reply: ModelReply, seconds: float) -> None:
        """The call was answered. Where its usage was not told, `reply` is `estimated` and says the most it can have been."""
        ...

    def fail(self, grant: Grant, failure: ModelFailed, seconds: float) -> None:
        """The call came to nothing, and costs nothing."""
        ...

    def charge_bound(self, grant: Grant, failure: ModelFailed, told: Usage, seconds: float) -> None:
        """The call came to nothing, but may be billed: all it can have been is spent, less what is known by the input `told`."""
        ...
