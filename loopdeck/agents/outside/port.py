"""What every outside agent offers the runner, and what it is given: one turn in, calls put before the gate meanwhile, an end out.

An agent kind knows its own protocol and nothing of journals, budgets or people. Invariant: a call that the agent shows before it runs
it is put before `Host.ask`, and runs only as that allows; what an agent can't show is said by its `Caps`, never guessed.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from loopdeck.core.conversation import FailureKind
from loopdeck.core.usage import Usage
from loopdeck.sandbox.port import Conversation

Shows = Literal["all", "risky", "none"]
"""Which of its calls an agent puts before us first: all, only those that it holds for risky itself, none."""


class Caps(Struct, frozen=True):
    """What an agent kind can do, for the runner and for whoever reads `doctor`.

    `usage` says what it tells of its own spending: each request, the turn as a whole, nothing. `edit`: a person's edited arguments can
    be handed to it. `note`: so can the reason of a denial. `resume`: a later process can go on with its conversation. `gateway`: its
    requests can be led through the metering gateway.
    """

    approvals: Shows
    usage: Literal["request", "turn", "none"]
    edit: bool = False
    note: bool = False
    resume: bool = False
    cancel: bool = False
    gateway: bool = True


class Task(Struct, frozen=True):
    """One turn of an outside agent.

    `prompt` is the whole instruction, `resume` the id of the conversation to go on with (empty: a new one), and then `prompt` is only
    what is new. `env` is its whole environment, gateway and token included; `home` is a folder of its own that outlives the process
    (settings, sessions), writable in the sandbox. `gateway` and `token` are the metering gateway's address for it (no `/v1`), empty if
    it goes to its provider by its own login. `max_requests` and `max_cost_usd` are for its own limits, as a second wall, None for none.
    `confined` says that a sandbox holds its whole process tree, so that it need not hold itself.
    `command` is the loop file's (for `acp` and `command`), else empty. `schema` asks for a structured last answer, where it can.
    """

    prompt: str
    worktree: Path
    home: Path
    env: Mapping[str, str]
    model: str = ""
    system: str = ""
    resume: str = ""
    gateway: str = ""
    token: str = ""
    command: str = ""
    confined: bool = False
    max_requests: int | None = None
    max_cost_usd: float | None = None
    servers: tuple["Server", ...] = ()
    schema: str = ""


class Server(Struct, frozen=True):
    """An MCP server the agent is given: one to start (`argv`, `env`), or one that runs (`url`)."""

    name: str
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    url: str = ""


class Shown(Struct, frozen=True):
    """A call that an agent wants to make, in our names: `arguments` is JSON text as our own tool would take it.

    `id` is the agent's own, unique in its conversation. `native` is the agent's own name of the tool, for the trace.
    """

    id: str
    tool: str
    arguments: str
    native: str = ""


class Allowed(Struct, frozen=True):
    """It may run, once; with `arguments` in place of its own if a person edited them (JSON text in our names, else empty)."""

    arguments: str = ""


class Denied(Struct, frozen=True):
    """It may not; `why` is for the agent. `stop`: it shall end its turn now."""

    why: str
    stop: bool = False


class Host(Protocol):
    """What a turn is given to work with. Its methods write things down before they return."""

    def open(self, argv: tuple[str, ...], env: Mapping[str, str]) -> AbstractAsyncContextManager[Conversation]:
        """Start the agent's process in the run's sandbox, at the worktree; when the context ends, nothing of it is left."""
        ...

    def session(self, conversation: str) -> None:
        """The id by which a later process can go on with this conversation; to be called as soon as it is known."""
        ...

    def said(self, text: str) -> None:
        """A whole piece of what the agent says, for the trace."""
        ...

    async def ask(self, call: Shown) -> Allowed | Denied:
        """Put a call before the gate; returns when it is decided, a person's decision included.

        Of a call that was asked for already, or that was made without asking (`met`), the same answer is given.
        """
        ...

    def met(self, call: Shown) -> None:
        """The agent made this call and did not ask first: it is written down, as something that happened."""
        ...

    def returned(self, call: str, output: str, *, is_error: bool = False) -> None:
        """What a call came to. Unknown ids, and a second word on a call, are ignored."""
        ...

    def used(self, request: str, model: str, usage: Usage, cost_usd: float | None = None) -> None:
        """What the agent says that a request, or the turn, took: disjoint tokens, a delta, once for each id.

        Where the gateway meters it is only compared. `cost_usd` if the agent says so and is to be believed.
        """
        ...

    def note(self, text: str) -> None:
        """Something else that is worth a line in the trace: a retry, a limit of its own, a refused permission."""
        ...


How = Literal["ended", "refused", "denied", "cancelled", "max_turns", "budget", "failed"]


class Ended(Struct, frozen=True):
    """How a turn ended.

    `ended` is the agent's own word that it is through; `denied`: a denial ended it, as some agents do; `budget`: its own limit or ours.
    `failed` comes with a `failure` as of a model call, and `message` says what went wrong in one sentence. `text` is its last message,
    or the structured answer if one was asked for.
    """

    how: How
    text: str = ""
    failure: FailureKind | None = None
    message: str = ""


class OutsideAgent(Protocol):
    """One kind of outside agent."""

    kind: str
    caps: Caps

    async def turn(self, task: Task, host: Host) -> Ended:
        """Run one turn to its end. Cancelling the task ends the process, by the agent's own protocol first where it has one.

        Never raises for what an agent does: that is `failed`. Raises WorkspaceError if its process can't be started.
        """
        ...
