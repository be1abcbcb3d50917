"""Everything a run did, for reading: every model call, tool call and result, check, wait and state access.

The trace is indexed and shown, never folded: no status depends on it. It does hold what a maker's conversation is rebuilt from after
a crash (`ModelReplied`, `ToolReturned`). Texts over a few kilobytes are in blobs, named by their SHA-256. Durations are seconds.
"""

from typing import Literal

from msgspec import Struct

from loopdeck.core.conversation import Block, FailureKind, Stop
from loopdeck.core.findings import Outcome, Problem
from loopdeck.core.happening import Happening, Role
from loopdeck.core.unknown import Unknown
from loopdeck.core.usage import Certainty, Usage


class PartNote(Struct, frozen=True, omit_defaults=True):
    """One part of what was sent: its size in bytes, the blob with its text, where it comes from, whether it is a stable prefix."""

    name: str
    size: int
    blob: str
    source: str = ""
    stable: bool = False


class PromptSent(Happening, frozen=True):
    """A model call's prompt, part by part.

    `messages` counts the conversation's messages, `template` names the prompt's version. `history` is what the iteration began with:
    `fresh` is nothing but the prompt. `route` says why this model was taken, if it is not the maker's own.
    """

    iteration: int
    role: Role
    call: str
    model: str
    parts: tuple[PartNote, ...]
    messages: int
    tools: tuple[str, ...] = ()
    max_output: int = 0
    history: str = ""
    template: str = ""
    route: str = ""


class ModelReplied(Happening, frozen=True):
    """A model's answer, whole. `hour_writes` is the part of what was written to a cache that is kept for an hour."""

    iteration: int
    role: Role
    call: str
    model: str
    blocks: tuple[Block, ...]
    stop: Stop
    usage: Usage
    seconds: float
    cost: int | None = None
    certainty: Certainty = "priced"
    request_id: str = ""
    hour_writes: int = 0
    problem: Problem | None = None


class ModelFailed(Happening, frozen=True):
    """A model call that came to nothing."""

    iteration: int
    role: Role
    call: str
    model: str
    failure: FailureKind
    message: str
    seconds: float
    retry_after: float | None = None


class ToolCalled(Happening, frozen=True):
    """A tool call about to run, with the arguments that run (edited ones, if a person edited them)."""

    iteration: int
    call: str
    tool: str
    arguments: str


class ToolReturned(Happening, frozen=True):
    """What the model was told of a tool call; `blob` has it whole if `output` is cut."""

    iteration: int
    call: str
    tool: str
    output: str
    is_error: bool = False
    problem: Problem | None = None
    seconds: float = 0.0
    blob: str = ""


class CheckRan(Happening, frozen=True):
    """One check on the iteration's commit."""

    iteration: int
    check: str
    outcome: Outcome
    score: float
    seconds: float
    commit: str
    command: str = ""
    exit_code: int | None = None
    blob: str = ""
    tail: str = ""
    findings: int = 0


class StateRead(Happening, frozen=True):
    """The loop's state was read for `role` of this iteration."""

    iteration: int
    role: Role
    hash: str


class StateWritten(Happening, frozen=True):
    """The loop's state was written back; `author` is maker or check."""

    iteration: int
    author: str
    hash: str


class Committed(Happening, frozen=True):
    """The iteration's work, as a commit."""

    iteration: int
    commit: str
    files: int = 0
    added: int = 0
    removed: int = 0
    empty: bool = False


class Waited(Happening, frozen=True):
    """A back-off, with its cause."""

    iteration: int
    cause: str
    seconds: float


class HostReached(Happening, frozen=True, omit_defaults=True):
    """A connection that a command asked for where hosts are listed, told when it was over. `sent` and `received` are bytes.

    `by` is whose command it was (tool, check or setup); `why` says what stood in its way, where something did.
    """

    iteration: int
    host: str
    port: int
    verdict: Literal["allowed", "refused", "failed"]
    by: str
    why: str = ""
    sent: int = 0
    received: int = 0
    seconds: float = 0.0


class Noted(Happening, frozen=True):
    """Anything else worth reading: a notice, a detector's word, an operator's."""

    iteration: int
    text: str


TraceEvent = (
    PromptSent
    | ModelReplied
    | ModelFailed
    | ToolCalled
    | ToolReturned
    | CheckRan
    | StateRead
    | StateWritten
    | Committed
    | Waited
    | HostReached
    | Noted
)
AnyTraceEvent = TraceEvent | Unknown
