"""What an API dialect is.

Requests into bytes, events back into a reply. Pure; the line they travel on is `sdk_line`.

Invariant: a dialect's body is what is sent, byte for byte, so that its length is an honest bound; and equal
beginnings of two conversations have equal bytes, which is what a provider's cache lives on.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Protocol

import msgspec

from loopdeck.core.conversation import ModelReply, ModelRequest, Opaque, Text, ToolResult, ToolSchema, ToolUse
from loopdeck.core.usage import Usage

PREAMBLE_TOKENS = 1000
"""Tokens a provider adds of its own.

Anthropic documents 290 to 800 for its tool-use prompt, by model; 1,000 leaves room.
"""

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
ANSWER_TOOL = "structured_answer"
"""The tool a model is made to call where a structured answer can't be asked for otherwise."""


class Reader(Protocol):
    """One reply on its way in.

    `started`: the model has begun, so it may be billed. `whole`: if nothing more comes, this is the reply.
    `done`: nothing more will.
    """

    started: bool
    whole: bool
    done: bool

    def feed(self, data: bytes) -> str:
        """Take one event; gives the text to show, or nothing.

        Raises ModelFailed, or msgspec.DecodeError for rubbish.
        """
        ...

    def reply(self) -> ModelReply:
        """The whole reply, once `whole`."""
        ...

    def input_told(self) -> Usage:
        """The input as told so far, its output 0; nothing if nothing was told."""
        ...


class Dialect(Protocol):
    """One API's way of saying it."""

    path: str

    def body(self, request: ModelRequest) -> bytes:
        """The body of a streaming call."""
        ...

    def reader(self, request: ModelRequest) -> Reader:
        """A reader for the answer to `request`."""
        ...

    def unstreamed(self, body: bytes) -> Iterable[bytes]:
        """The events that `body`, a whole answer without a stream, stands for; none if it is no answer.

        Raises msgspec.DecodeError if it is no JSON.
        """
        ...

    def concede(self, message: str) -> bool:
        """True if a refusal that says `message` is about something we can leave out; it then will be."""
        ...


def input_bound(body: bytes) -> int:
    """The most tokens `body` can come to: one a byte, and the provider's own preamble.

    Some tokenisers normalise text first, which can make it longer (one ligature of three bytes may become
    thirty).
    """
    size = len(body)
    if not body.isascii():
        size = max(size, len(unicodedata.normalize("NFKC", body.decode()).encode()))
    return size + PREAMBLE_TOKENS


class Names:
    """Tool names as a provider takes them: letters, digits, `_`, `-`, at most 64; and back again."""

    def __init__(self, tools: Iterable[ToolSchema]) -> None:
        self._wire: dict[str, str] = {}
        self._ours: dict[str, str] = {}
        for tool in tools:
            self.wire(tool.name)

    def wire(self, name: str) -> str:
        """The provider's name of tool `name`: `server.tool` becomes `server__tool`."""
        if known := self._wire.get(name):
            return known
        short = _UNFIT.sub("_", name.replace(".", "__")) or "_"
        if len(short) > 64 or self._ours.get(short, name) != name:
            short = f"{short[:55]}_{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
        self._wire[name], self._ours[short] = short, name
        return short

    def ours(self, wire: str) -> str:
        """Our name of what the provider calls `wire`; a name that was never offered stays what it is."""
        return self._ours.get(wire, wire)


def json_object(arguments: str) -> bytes:
    """A call's arguments as JSON that every provider takes back.

    What is no JSON object is wrapped in one, so that the model sees what it wrote.
    """
    if not arguments.strip():
        return b"{}"
    try:
        if isinstance(msgspec.json.decode(arguments), dict):
            return arguments.encode()
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        pass
    return msgspec.json.encode({"arguments_that_were_no_json_object": arguments})


def speakable(request: ModelRequest) -> ModelRequest:
    """`request` with text that UTF-8 can carry: half surrogates, as odd file names leave them, become `?`."""

    def clean(text: str) -> str:
        return text if text.isascii() else text.encode("utf-8", "replace").decode()

    def block(one: Text | ToolUse | ToolResult | Opaque) -> Text | ToolUse | ToolResult | Opaque:
        match one:
            case Text(text=text):
                return Text(clean(text))
            case ToolUse(id=id_, tool=tool, arguments=arguments):
                return ToolUse(id_, clean(tool), clean(arguments))
            case ToolResult(output=output):
                return msgspec.structs.replace(one, output=clean(output))
            case _:
                return one

    return msgspec.structs.replace(
        request,
        system=tuple(msgspec.structs.replace(part, text=clean(part.text)) for part in request.system),
        messages=tuple(
            msgspec.structs.replace(message, blocks=tuple(block(one) for one in message.blocks)) for message in request.messages
        ),
    )
