"""What every model agent offers the runner, whoever's API is behind it."""

from typing import Protocol

from loopdeck.core.conversation import ModelReply, ModelRequest, OnText


class ModelAgent(Protocol):
    """One model API. Stateless but for its connection: all memory travels in the request.

    No method retries by itself: the runner does, so that every wait and every attempt can be seen and is paid from the budget.
    """

    priced_as: str
    """The model whose prices hold, if the agent knows better than the request; empty: the one asked for."""

    def input_bound(self, request: ModelRequest) -> int:
        """The most input tokens `request` can come to, computed without the network (a token takes at least one byte)."""
        ...

    async def count_input(self, request: ModelRequest) -> int | None:
        """A tighter figure from the provider, for requests whose bound does not fit; None if it can't be had."""
        ...

    async def call(self, request: ModelRequest, on_text: OnText) -> ModelReply:
        """Make the call, streaming text to `on_text`. Raises ModelFailed. Cancelling the task closes the connection."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
