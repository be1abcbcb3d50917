"""The Responses API of OpenAI itself, without its memory: nothing is stored there, all of it travels in the request.

What only the vendor understands (reasoning, sealed by its encryption) is handed back unchanged, in its place.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from loopdeck.agents import failures, unstreamed
from loopdeck.agents.dialect import Names, input_bound, json_object
from loopdeck.agents.openai_chat import disjoint
from loopdeck.agents.strict import answer_format
from loopdeck.core.conversation import Block, Message, ModelReply, ModelRequest, Opaque, Stop, Text, ToolResult, ToolUse
from loopdeck.core.usage import Certainty, Usage

VENDOR = "openai"
_SEALED = "reasoning.encrypted_content"

Json = dict[str, Any]


class ResponsesDialect:
    """Responses. Remembers whether this model has refused to seal its reasoning, as those do that don't reason."""

    path = "/responses"

    def __init__(self) -> None:
        self._seals = True

    def body(self, request: ModelRequest) -> bytes:
        """The body of a streaming call."""
        names = Names(request.tools)
        # The tier whose prices we know, whatever the project's own default is.
        body: Json = {"model": request.model, "store": False, "service_tier": "default"}
        if self._seals:
            body["include"] = [_SEALED]
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "name": names.wire(tool.name),
                    "description": tool.description,
                    "parameters": Raw(tool.schema.encode()),
                    "strict": False,
                }
                for tool in request.tools
            ]
        if system := "\n\n".join(part.text for part in request.system if part.text.strip()):
            body["instructions"] = system
        body["input"] = [item for message in request.messages for item in _items(message, names)]
        body |= {"max_output_tokens": request.max_output, "stream": True}
        if request.answer_schema:
            body["text"] = {"format": {"type": "json_schema", **answer_format(request.answer_schema)}}
        return msgspec.json.encode(body)

    def reader(self, request: ModelRequest) -> "ResponsesReader":
        """A reader for the answer to `request`."""
        return ResponsesReader(request, self)

    def unstreamed(self, body: bytes) -> Iterable[bytes]:
        """A whole answer as the events it stands for."""
        return unstreamed.responses_events(body)

    def concede(self, message: str) -> bool:
        """True if `message` refuses to seal reasoning; it is not asked for any more."""
        if self._seals and ("encrypted content" in message.lower() or _SEALED in message):
            self._seals = False
            return True
        return False


def _items(message: Message, names: Names) -> list[Json | Raw]:
    items: list[Json | Raw] = []
    for block in message.blocks:
        match block:
            case Text(text=text) if text:
                kind = "input_text" if message.role == "user" else "output_text"
                items.append({"role": message.role, "content": [{"type": kind, "text": text}]})
            case ToolUse(id=id_, tool=tool, arguments=arguments):
                given = json_object(arguments).decode()
                items.append({"type": "function_call", "call_id": id_, "name": names.wire(tool), "arguments": given})
            case ToolResult(id=id_, output=output, is_error=is_error):
                told = f"ERROR: {output}" if is_error else output
                items.append({"type": "function_call_output", "call_id": id_, "output": told})
            case Opaque(vendor=vendor, raw=raw) if vendor == VENDOR:
                items.append(Raw(raw.encode()))
            case _:
                pass
    return items


class _Details(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Count(Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: _Details | None = None


class _Error(Struct):
    code: str | None = None
    message: str | None = None


class _Why(Struct):
    reason: str | None = None


class _Response(Struct):
    id: str = ""
    model: str = ""
    usage: _Count | None = None
    error: _Error | None = None
    incomplete_details: _Why | None = None


class _Event(Struct):
    type: str
    delta: str | Json | None = None
    item: Json | None = None
    output_index: int = 0
    response: _Response | None = None
    code: str | None = None
    message: str | None = None
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Event).decode


class ResponsesReader:
    """A streamed response."""

    def __init__(self, request: ModelRequest, dialect: ResponsesDialect) -> None:
        self.started = False
        self.whole = False
        self.done = False
        self._request = request
        self._dialect = dialect
        self._items: dict[int, Json] = {}
        self._response = _Response()
        self._refused = False
        self._short = False

    def feed(self, data: bytes) -> str:
        """Take one event; gives the text to show, or nothing."""
        if data.startswith(b"[DONE]"):
            return ""
        event = _decode(data)
        match event.type:
            case "response.output_text.delta" | "response.refusal.delta":
                return event.delta if isinstance(event.delta, str) else ""
            case "response.created":
                self.started = True
            case "response.output_item.done":
                self._items[event.output_index] = event.item or {}
            case "response.completed" | "response.incomplete":
                self._response = event.response or _Response()
                why = self._response.incomplete_details
                self._short = event.type == "response.incomplete"
                self._refused = why is not None and why.reason == "content_filter"
                self.done = self.whole = True
            case "response.failed":
                error = (event.response.error if event.response else None) or _Error()
                raise failures.from_event(error.code or "", error.message or "the response failed", started=True)
            case "error":
                error = event.error or _Error(event.code, event.message)
                raise failures.from_event(error.code or "", error.message or "", started=self.started)
            case _:
                pass
        return ""

    def reply(self) -> ModelReply:
        """The whole reply."""
        names = Names(self._request.tools)
        blocks = tuple(block for _, item in sorted(self._items.items()) for block in self._blocks(item, names))
        stop: Stop = "end"
        if self._refused:
            stop = "refused"
        elif self._short:
            stop = "max_output"
        elif any(isinstance(block, ToolUse) for block in blocks):
            stop = "tools"
        usage, certainty = self._metered()
        return ModelReply(blocks, stop, usage, self._response.model, certainty, request_id=self._response.id)

    def input_told(self) -> Usage:
        """Nothing: usage is told with the end alone."""
        return Usage()

    def _blocks(self, item: Json, names: Names) -> list[Block]:
        match item.get("type"):
            case "message":
                parts = [part for part in item.get("content") or () if isinstance(part, dict)]
                self._refused = self._refused or any(part.get("type") == "refusal" for part in parts)
                text = "".join(str(part.get("text") or part.get("refusal") or "") for part in parts)
                return [Text(text)] if text else []
            case "function_call":
                arguments = str(item.get("arguments") or "")
                call = ToolUse(str(item.get("call_id")), names.ours(str(item.get("name"))), arguments if arguments.strip() else "{}")
                return [call]
            case "reasoning" if not item.get("encrypted_content"):
                # Without its seal it is known to nobody: the provider keeps nothing, and would refuse it.
                return []
            case _:
                return [Opaque(VENDOR, msgspec.json.encode(item).decode())]

    def _metered(self) -> tuple[Usage, Certainty]:
        count = self._response.usage
        if count is None or not count.input_tokens:
            return Usage(input_bound(self._dialect.body(self._request)), self._request.max_output), "estimated"
        details = count.input_tokens_details or _Details()
        return disjoint(count.input_tokens, details.cached_tokens or 0, details.cache_write_tokens or 0, count.output_tokens), "priced"
