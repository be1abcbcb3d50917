"""The Chat Completions API, as every compatible server speaks it, and each a little differently.

Invariant: usage is disjoint here, though the API counts cached tokens inside the prompt; where a server tells none, the most that it
can have been is charged.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from loopdeck.agents import failures, unstreamed
from loopdeck.agents.dialect import Names, input_bound, json_object
from loopdeck.agents.strict import answer_format
from loopdeck.core.conversation import Block, Message, ModelReply, ModelRequest, Opaque, Stop, Text, ToolResult, ToolUse
from loopdeck.core.usage import Certainty, Usage

VENDOR = "openai-chat"
_STOPS: dict[str, Stop] = {
    "stop": "end",
    "tool_calls": "tools",
    "function_call": "tools",
    "length": "max_output",
    "content_filter": "refused",
}
_CONCESSIONS = {"stream_options": "stream_options", "max_tokens": "max_completion_tokens", "response_format": "response_format"}
"""What a server may refuse, and what its refusal must name: usage at the end of the stream, the old name of the output cap (only a
server that names the new one is known to heed it), structured answers."""

_REFUSALS = ("not support", "unsupport", "unknown", "unrecognized", "unexpected", "not permitted", "extra ", "not allowed")

Json = dict[str, Any]


class ChatDialect:
    """Chat Completions. Remembers what this server has refused."""

    path = "/chat/completions"

    def __init__(self) -> None:
        self._conceded: set[str] = set()

    def body(self, request: ModelRequest) -> bytes:
        """The body of a streaming call."""
        names = Names(request.tools)
        # The old name is the one that all servers know and the newest models of the vendor alone refuse.
        cap = "max_completion_tokens" if "max_tokens" in self._conceded else "max_tokens"
        body: Json = {"model": request.model}
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": names.wire(tool.name),
                        "description": tool.description,
                        "parameters": Raw(tool.schema.encode()),
                    },
                }
                for tool in request.tools
            ]
        body["messages"] = _messages(request, names)
        body |= {cap: request.max_output, "stream": True}
        if "stream_options" not in self._conceded:
            body["stream_options"] = {"include_usage": True}
        if request.answer_schema and "response_format" not in self._conceded:
            body["response_format"] = {"type": "json_schema", "json_schema": answer_format(request.answer_schema)}
        return msgspec.json.encode(body)

    def reader(self, request: ModelRequest) -> "ChatReader":
        """A reader for the answer to `request`."""
        return ChatReader(request, self)

    def unstreamed(self, body: bytes) -> Iterable[bytes]:
        """A whole answer as the events it stands for."""
        return unstreamed.chat_events(body)

    def concede(self, message: str) -> bool:
        """True if `message` refuses something that can be left out or named otherwise; it then is."""
        low = message.lower()
        if not any(word in low for word in _REFUSALS):
            return False
        for name, named in _CONCESSIONS.items():
            if named in low and name not in self._conceded:
                self._conceded.add(name)
                return True
        return False


def _messages(request: ModelRequest, names: Names) -> list[Json]:
    system = "\n\n".join(part.text for part in request.system if part.text.strip())
    messages: list[Json] = [{"role": "system", "content": system}] if system else []
    for message in request.messages:
        messages += _assistant(message, names) if message.role == "assistant" else _user(message)
    return messages


def _user(message: Message) -> list[Json]:
    results: list[Json] = [
        {"role": "tool", "tool_call_id": block.id, "content": f"ERROR: {block.output}" if block.is_error else block.output}
        for block in message.blocks
        if isinstance(block, ToolResult)
    ]
    text = "\n\n".join(block.text for block in message.blocks if isinstance(block, Text))
    return [*results, {"role": "user", "content": text}] if text or not results else results


def _assistant(message: Message, names: Names) -> list[Json]:
    text = "".join(block.text for block in message.blocks if isinstance(block, Text))
    calls = [
        {
            "id": block.id,
            "type": "function",
            "function": {"name": names.wire(block.tool), "arguments": json_object(block.arguments).decode()},
        }
        for block in message.blocks
        if isinstance(block, ToolUse)
    ]
    if not text and not calls:
        return []
    said: Json = {"role": "assistant", "content": text or None}
    if calls:
        said["tool_calls"] = calls
        for block in message.blocks:
            # Models that think between calls want their thoughts back with them; servers that don't know the field never sent it.
            if isinstance(block, Opaque) and block.vendor == VENDOR:
                said |= msgspec.json.decode(block.raw)
    return [said]


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class _CallDelta(Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(Struct):
    content: str | list[Json] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_CallDelta] | None = None


class _Choice(Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _PromptDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Count(Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None


class _Chunk(Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Count | None = None
    error: Json | str | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class _OpenCall:
    def __init__(self, index: int, id_: str | None) -> None:
        self.index = index
        self.id = id_ or ""
        self.name = ""
        self.pieces: list[str] = []


class ChatReader:
    """A streamed completion."""

    def __init__(self, request: ModelRequest, dialect: ChatDialect) -> None:
        self.started = False
        self.whole = False
        self.done = False
        self._request = request
        self._dialect = dialect
        self._first: _Chunk | None = None
        self._text: list[str] = []
        self._thought: list[str] = []
        self._calls: list[_OpenCall] = []
        self._finish = ""
        self._count: _Count | None = None

    def feed(self, data: bytes) -> str:
        """Take one event; gives the text to show, or nothing."""
        if data.startswith(b"[DONE]"):
            self.done = self.whole = True
            return ""
        chunk = _decode(data)
        if chunk.error:
            error = chunk.error if isinstance(chunk.error, dict) else {"message": chunk.error}
            word = str(error.get("type") or error.get("code") or "")
            raise failures.from_event(word, str(error.get("message") or ""), started=self.started)
        if self._first is None:
            self._first, self.started = chunk, True
        if chunk.usage is not None:
            self._count = chunk.usage
        if not chunk.choices:
            return ""
        choice = chunk.choices[0]
        if choice.finish_reason:
            self._finish, self.whole = choice.finish_reason, True
        return self._delta(choice.delta) if choice.delta is not None else ""

    def _delta(self, delta: _Delta) -> str:
        for call in delta.tool_calls or ():
            self._call(call)
        if delta.reasoning_content:
            self._thought.append(delta.reasoning_content)
        text = delta.content or ""
        if isinstance(text, list):
            text = "".join(part["text"] for part in text if part.get("type") == "text" and isinstance(part.get("text"), str))
        if delta.refusal:
            text, self._finish = text + delta.refusal, "content_filter"
        if text:
            self._text.append(text)
        return text

    def _call(self, delta: _CallDelta) -> None:
        last = self._calls[-1].index if self._calls else 0
        index = delta.index if delta.index is not None else last
        call = next((one for one in reversed(self._calls) if one.index == index), None)
        # Some servers give every call the index 0, or none: another id is another call.
        if call is None or (delta.id and call.id and delta.id != call.id):
            call = _OpenCall(index, delta.id)
            self._calls.append(call)
        if delta.function is not None:
            call.name = call.name or delta.function.name or ""
            call.pieces.append(delta.function.arguments or "")

    def reply(self) -> ModelReply:
        """The whole reply."""
        names = Names(self._request.tools)
        blocks: list[Block] = []
        if self._thought:
            thought = msgspec.json.encode({"reasoning_content": "".join(self._thought)})
            blocks.append(Opaque(VENDOR, thought.decode()))
        if self._text:
            blocks.append(Text("".join(self._text)))
        first = self._first or _Chunk()
        for place, call in enumerate(self._calls):
            arguments = "".join(call.pieces)
            id_ = call.id or f"{first.id or 'call'}_{place}"
            blocks.append(ToolUse(id_, names.ours(call.name), arguments if arguments.strip() else "{}"))
        stop = _STOPS.get(self._finish, "end")
        if stop == "end" and self._calls:
            stop = "tools"
        usage, certainty = self._metered()
        return ModelReply(tuple(blocks), stop, usage, first.model or "", certainty, request_id=first.id or "")

    def input_told(self) -> Usage:
        """The input as told so far: by the few servers that tell usage with every chunk."""
        count = self._count or _Count()
        details = count.prompt_tokens_details or _PromptDetails()
        return disjoint(count.prompt_tokens, details.cached_tokens or 0, details.cache_write_tokens or 0, 0)

    def _metered(self) -> tuple[Usage, Certainty]:
        count = self._count
        if count is None or not count.prompt_tokens:
            return Usage(input_bound(self._dialect.body(self._request)), self._request.max_output), "estimated"
        # Some servers leave reasoning out of the completion, but never out of the total.
        output = max(count.completion_tokens, (count.total_tokens or 0) - count.prompt_tokens)
        details = count.prompt_tokens_details or _PromptDetails()
        return disjoint(count.prompt_tokens, details.cached_tokens or 0, details.cache_write_tokens or 0, output), "priced"


def disjoint(total: int, cached: int, written: int, output: int) -> Usage:
    """Usage in disjoint kinds from an input `total` that has the cached and written tokens inside."""
    read = min(cached, total)
    write = min(written, total - read)
    return Usage(total - read - write, output, read, write)
