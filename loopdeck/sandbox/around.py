"""What two doors have in common that put a wrapper around each command and leave its processes to the plain door."""

import contextlib
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from pathlib import Path

from loopdeck.sandbox.outlet import OnOutput
from loopdeck.sandbox.plain import GRACE_S, PlainDoor
from loopdeck.sandbox.port import Command, Conversation, Finished
from loopdeck.sandbox.walls import Walls


class WrappingDoor(PlainDoor):
    """Runs commands within `walls`, each as `around` wraps it. `scratch` is a folder for what goes with each command."""

    confines = True

    def __init__(self, walls: Walls, marker: str, scratch: Path, *, grace_s: float = GRACE_S) -> None:
        super().__init__(marker, grace_s=grace_s)
        self._walls = walls
        self._scratch = scratch

    @abstractmethod
    def around(self, command: Command) -> AbstractContextManager[Command]:
        """The command with its wrapper, and what that needs, while the context lasts. Raises WorkspaceError if it can't be started."""

    async def run(self, command: Command, on_output: OnOutput | None = None) -> Finished:
        """Run to the end; see the port. The command can read what the walls show, write to its own folders, and no more."""
        with self.around(command) as held:
            return await super().run(held, on_output)

    @contextlib.asynccontextmanager
    async def open(self, command: Command) -> AsyncIterator[Conversation]:
        """Start it and talk with it; see the port."""
        with self.around(command) as held:
            async with super().open(held) as conversation:
                yield conversation
