"""MCP over a program's stdin and stdout: a message a line. The program runs through the run's door, so in its sandbox."""

import asyncio

from loopdeck.connectors import wire
from loopdeck.connectors.session import ConnectorFailed
from loopdeck.sandbox.port import Conversation

_MOST_TOLD = 400
_MOST_CHATTER = 1000
_LAST_WORDS_S = 2.0


class StdioChannel:
    """Messages to and from a program under way."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def send(self, message: bytes) -> None:
        """One line."""
        try:
            await self._conversation.send(message + b"\n")
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ConnectorFailed(await self._ended()) from error

    async def receive(self) -> bytes:
        """One line; what a program prints that can't be a message counts for nothing, because many greet the world first."""
        for _ in range(_MOST_CHATTER):
            line = await self._conversation.line()
            if line is None:
                raise ConnectorFailed(await self._ended())
            if len(line) > wire.MOST or line.lstrip()[:1] == b"{":
                return line
        raise ConnectorFailed("it prints lines that are no messages")

    def agreed(self, version: str) -> None:
        """Nothing in the lines says the version."""

    async def _ended(self) -> str:
        """How it ended, in its own last words."""
        self._conversation.close_input()
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                finished = await self._conversation.finished()
        except TimeoutError:
            return "its program has closed its output"
        how = f"was ended by {finished.ended_by}" if finished.ended_by else f"ended with exit code {finished.exit_code}"
        told = " ".join(finished.text.split())[-_MOST_TOLD:]
        return f"its program {how}" + (f": {told}" if told else "")
