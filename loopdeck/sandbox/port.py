"""One command in, one process tree out, none of it left behind."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Role = Literal["tool", "check", "setup", "agent"]
"""Whose command it is: the maker's, a check's, the operator's own that prepares a checkout, or the maker itself: an agent with tools of
its own."""


@dataclass(frozen=True, slots=True)
class Forward:
    """A port of this machine that a command is to find as `127.0.0.1:inside_port`, wherever it runs. `target` is host and port.

    Where a door shares the machine's network with the command both ports must be the same.
    """

    name: str
    inside_port: int
    target: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Reached:
    """A connection that a command asked for beyond its walls, told when it is over. Sizes are bytes, as seen from the command.

    `why` is for people, empty if it was `allowed`. `failed`: it may be reached, and could not be.
    """

    host: str
    port: int
    verdict: Literal["allowed", "refused", "failed"]
    role: Role
    why: str = ""
    sent: int = 0
    received: int = 0
    seconds: float = 0.0


OnReached = Callable[[Reached], None]


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: `argv` (no shell is added), where, with exactly which environment, and within which bounds.

    `output_limit` is in bytes: of a longer output the head and the tail are kept, and the hash and size of the whole.
    `writable` are the folders it may write to, and `role` says what else it may: for doors that can hold it to them. `forwards` are
    ports of this machine that it needs.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    timeout_s: float
    output_limit: int = 1_000_000
    stdin: bytes = b""
    writable: tuple[Path, ...] = field(default=())
    role: Role = "tool"
    forwards: tuple[Forward, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of it. `exit_code` is None if it was ended by us or a signal (`ended_by` says which: `timeout`, `signal 9`).

    `output` is stdout and stderr as they came, cut to `output_limit`; `output_hash` is the SHA-256 of the whole, `size` its bytes.
    `refusals` are sentences: what its walls kept from it that it may not have been told itself.
    """

    exit_code: int | None
    output: bytes
    output_hash: str
    size: int
    seconds: float
    ended_by: str = ""
    refusals: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The output as text; what is not UTF-8 is replaced."""
        return self.output.decode("utf-8", "replace")


class Conversation(Protocol):
    """A program under way that is talked with: lines to its stdin, lines from its stdout. What it writes to stderr is kept, cut."""

    async def send(self, data: bytes) -> None:
        """Write to its stdin. Raises BrokenPipeError if it no longer listens."""
        ...

    def close_input(self) -> None:
        """Let it see the end of its input."""
        ...

    async def line(self) -> bytes | None:
        """Its next line without the newline, however long (up to 64 MiB); None once it has closed its stdout."""
        ...

    async def finished(self) -> Finished:
        """Wait for it to end by itself. `output` is what it wrote to stderr, and what of stdout nobody read."""
        ...


class Door(Protocol):
    """A way to run commands. The plain one confines nothing; others hold the tree to a sandbox."""

    name: str
    confines: bool
    ended: int
    """How many processes it has had to end so far; those that ended by themselves don't count."""

    def hurry(self) -> None:
        """From now on commands are ended at once, without being asked first."""
        ...

    def freeze(self) -> int:
        """Have all commands stand still where they are; how many processes that are. Their time doesn't run meanwhile."""
        ...

    def thaw(self) -> None:
        """Let them go on."""
        ...

    def close(self) -> None:
        """Let go of what is kept between commands. For when none is under way; another may be run all the same."""
        ...

    def open(self, command: Command) -> AbstractAsyncContextManager[Conversation]:
        """Start a program and talk with it. When the context ends, cancelled or not, no process of it is left.

        Its `stdin` is the conversation's, and its time may be without end. Raises WorkspaceError if it can't be started.
        """
        ...

    async def run(self, command: Command, on_output: Callable[[bytes], None] | None = None) -> Finished:
        """Run to the end. When it returns or is cancelled, no process of the command is left.

        Raises WorkspaceError if the command can't be started.
        """
        ...
