"""The Messages API: a request as its body, its stream as a reply.

Cache marks: the last tool, the last stable part of the system prompt, the end of the conversation and the end
of the user's message before it. The first two outlive an iteration, the last two make every turn read what
the turn before wrote, however many blocks lie between (the provider looks back over twenty only).
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from loopdeck.agents import failures, unstreamed
from loopdeck.agents.dialect import ANSWER_TOOL, Names, input_bound, json_object
from loopdeck.core.conversation import (
    Block,
    Message,
    ModelReply,
    ModelRequest,
    Opaque,
    Stop,
    Text,
    ToolResult,
    ToolUse,
)
from loopdeck.core.usage import Certainty, Usage

VENDOR = "anthropic"
_EPHEMERAL = {"type": "ephemeral"}
_STOPS: dict[str, Stop] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "tool_use": "tools",
    "max_tokens": "max_output",
    "model_context_window_exceeded": "max_output",
    # Paused by the provider in the middle of a long turn: the answer is unfinished, as one that met its cap.
    "pause_turn": "max_output",
    "refusal": "refused",
}

Json = dict[str, Any]


class MessagesDialect:
    """Anthropic's Messages API and servers compatible with it."""

    path = "/v1/messages"

    def body(self, request: ModelRequest) -> bytes:
        """The body of a streaming call."""
        return msgspec.json.encode({**_body(request), "max_tokens": request.max_output, "stream": True})

    def count_body(self, request: ModelRequest) -> bytes:
        """The body of a request to count the input."""
        return msgspec.json.encode(_body(request))

    def reader(self, request: ModelRequest) -> "MessagesReader":
        """A reader for the answer to `request`."""
        return MessagesReader(request, self)

    def unstreamed(self, body: bytes) -> Iterable[bytes]:
        """A whole answer as the events it stands for."""
        return unstreamed.messages_events(body)

    def concede(self, message: str) -> bool:
        """Nothing we send can be left out."""
        return False


def _body(request: ModelRequest) -> Json:
    names = Names(request.tools)
    body: Json = {"model": request.model}
    tools: list[Json] = [
        {"name": names.wire(tool.name), "description": tool.description, "input_schema": Raw(tool.schema.encode())}
        for tool in request.tools
    ]
    if request.answer_schema:
        schema = Raw(request.answer_schema.encode())
        tools.append({"name": ANSWER_TOOL, "description": "Give your answer by calling this.", "input_schema": schema})
        body["tool_choice"] = {"type": "tool", "name": ANSWER_TOOL}
    if tools:
        tools[-1]["cache_control"] = _steady(request)
        body["tools"] = tools
    if system := _system(request):
        body["system"] = system
    body["messages"] = _messages(request, names)
    return body


def _steady(request: ModelRequest) -> Json:
    """The mark at the end of what stays the same. Marks for longer come before those for shorter, so only this one may say an hour."""
    return _EPHEMERAL if request.keep == "5m" else {**_EPHEMERAL, "ttl": request.keep}


def _system(request: ModelRequest) -> list[Json]:
    parts = [part for part in request.system if part.text.strip()]
    blocks: list[Json] = [{"type": "text", "text": part.text} for part in parts]
    stable = [index for index, part in enumerate(parts) if part.stable]
    if stable:
        blocks[stable[-1]]["cache_control"] = _steady(request)
    return blocks


def _messages(request: ModelRequest, names: Names) -> list[Json]:
    messages: list[Json] = []
    for message in request.messages:
        content = _content(message, names)
        if not content and message.role == "user":
            content = [{"type": "text", "text": "(nothing)"}]
        if content:
            messages.append({"role": message.role, "content": content})
    said = [message["content"] for message in messages if message["role"] == "user"]
    for content in said[-2:]:
        if isinstance(tail := content[-1], dict):
            tail["cache_control"] = _EPHEMERAL
    return messages


def _content(message: Message, names: Names) -> list[Json | Raw]:
    content: list[Json | Raw] = []
    for block in message.blocks:
        match block:
            case Text(text=text) if text.strip():
                content.append({"type": "text", "text": text})
            case ToolUse(id=id_, tool=tool, arguments=arguments):
                given = Raw(json_object(arguments))
                content.append({"type": "tool_use", "id": id_, "name": names.wire(tool), "input": given})
            case ToolResult(id=id_, output=output, is_error=is_error):
                result: Json = {"type": "tool_result", "tool_use_id": id_, "content": output}
                content.append(result | {"is_error": True} if is_error else result)
            case Opaque(vendor=vendor, raw=raw) if vendor == VENDOR:
                content.append(Raw(raw.encode()))
            case _:
                pass
    # The API wants the results of tools before anything else a user says.
    return sorted(content, key=lambda block: not (isinstance(block, dict) and block["type"] == "tool_result"))


class _Kept(Struct):
    ephemeral_1h_input_tokens: int | None = None


class _Count(Struct):
    cache_creation: _Kept | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


_COUNTED = tuple(name for name in _Count.__struct_fields__ if name.endswith("_tokens"))


class _Delta(Struct):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    stop_reason: str | None = None


class _Head(Struct):
    id: str = ""
    model: str = ""
    usage: _Count | None = None


class _Error(Struct):
    type: str = ""
    message: str = ""


class _Event(Struct):
    """Any event of the stream; what we don't know is skipped by the decoder without being built."""

    type: str
    index: int = 0
    delta: _Delta | None = None
    message: _Head | None = None
    content_block: Json | None = None
    usage: _Count | None = None
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Event).decode


class _OpenBlock:
    """A content block on its way in."""

    def __init__(self, head: Json) -> None:
        self.head = head
        self.pieces: list[str] = []
        self.signature = ""

    def closed(self, names: Names) -> Block:
        body = "".join(self.pieces)
        match self.head.get("type"):
            case "text":
                return Text(str(self.head.get("text") or "") + body)
            case "tool_use":
                if not body.strip():
                    body = msgspec.json.encode(self.head.get("input") or {}).decode()
                return ToolUse(str(self.head.get("id")), names.ours(str(self.head.get("name"))), body)
            case "thinking":
                signature = str(self.head.get("signature") or "") + self.signature
                sealed = {"thinking": str(self.head.get("thinking") or "") + body, "signature": signature}
                return Opaque(VENDOR, msgspec.json.encode({**self.head, **sealed}).decode())
            case _:
                return Opaque(VENDOR, msgspec.json.encode(self.head).decode())


class MessagesReader:
    """A streamed message."""

    def __init__(self, request: ModelRequest, dialect: MessagesDialect) -> None:
        self.started = False
        self.done = False
        self.whole = False
        self._told = False
        self._request = request
        self._dialect = dialect
        self._head = _Head()
        self._stop = ""
        self._hour_writes = 0
        self._usage: dict[str, int] = {}
        self._blocks: dict[int, _OpenBlock] = {}

    def feed(self, data: bytes) -> str:
        """Take one event; gives the text to show, or nothing."""
        event = _decode(data)
        if event.type == "content_block_delta" and event.delta is not None:
            return self._delta(event.index, event.delta)
        match event.type:
            case "content_block_start":
                self._blocks[event.index] = _OpenBlock(event.content_block or {})
            case "message_start":
                self.started = True
                self._head = event.message or _Head()
                self._count(self._head.usage)
            case "message_delta":
                self._count(event.usage)
                self._told = event.usage is not None and event.usage.output_tokens is not None
                self._stop = (event.delta.stop_reason if event.delta else None) or self._stop
                self.whole = bool(self._stop)
            case "message_stop":
                self.done = self.whole = True
            case "error":
                error = event.error or _Error()
                raise failures.from_event(error.type, error.message, started=self.started)
            case _:
                pass
        return ""

    def _delta(self, index: int, delta: _Delta) -> str:
        block = self._blocks.setdefault(index, _OpenBlock({"type": "text"}))
        match delta.type:
            case "text_delta":
                block.pieces.append(delta.text)
                return delta.text
            case "input_json_delta":
                block.pieces.append(delta.partial_json)
            case "thinking_delta":
                block.pieces.append(delta.thinking)
            case "signature_delta":
                block.signature += delta.signature
            case _:
                pass
        return ""

    def _count(self, count: _Count | None) -> None:
        """Later figures are totals and replace earlier ones; a zero says nothing of what was said before."""
        if count is None:
            return
        if count.cache_creation is not None:
            self._hour_writes = count.cache_creation.ephemeral_1h_input_tokens or self._hour_writes
        for name in _COUNTED:
            value = getattr(count, name)
            if value or (value is not None and name == "output_tokens"):
                self._usage[name] = value

    def reply(self) -> ModelReply:
        """The whole reply."""
        names = Names(self._request.tools)
        blocks = tuple(block.closed(names) for _, block in sorted(self._blocks.items()))
        stop = _STOPS.get(self._stop, "tools" if any(isinstance(block, ToolUse) for block in blocks) else "end")
        if self._request.answer_schema:
            blocks, stop = _structured(blocks, stop)
        usage, certainty = self._metered()
        hour = min(self._hour_writes, usage.cache_write)
        return ModelReply(blocks, stop, usage, self._head.model, certainty, request_id=self._head.id, hour_writes=hour)

    def input_told(self) -> Usage:
        """The input as told so far."""
        get = self._usage.get
        return Usage(get("input_tokens", 0), 0, get("cache_read_input_tokens", 0), get("cache_creation_input_tokens", 0))

    def _metered(self) -> tuple[Usage, Certainty]:
        """What was told; where nothing was told, the most it can have been, which is what was reserved."""
        get = self._usage.get
        read, write = get("cache_read_input_tokens", 0), get("cache_creation_input_tokens", 0)
        fresh, output = get("input_tokens", 0), get("output_tokens", 0)
        if self._told and fresh + read + write:
            return Usage(fresh, output, read, write), "priced"
        if not fresh + read + write:
            fresh = input_bound(self._dialect.body(self._request))
        return Usage(fresh, output if self._told else self._request.max_output, read, write), "estimated"


def _structured(blocks: tuple[Block, ...], stop: Stop) -> tuple[tuple[Block, ...], Stop]:
    """The answer tool's arguments as the reply's only text.

    What the model said instead, if it didn't call it.
    """
    for block in blocks:
        if isinstance(block, ToolUse) and block.tool == ANSWER_TOOL:
            return (Text(block.arguments),), "end" if stop == "tools" else stop
    return tuple(block for block in blocks if isinstance(block, Text)), stop
