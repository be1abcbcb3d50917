"""Gemini's generateContent, as far as a passing answer has to be read. Pure.

Invariant: usage is disjoint here, though the API counts cached tokens inside the prompt, and thoughts beside the answer; where no usage
is told, the reply is `estimated` and its usage empty.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from loopdeck.agents import failures
from loopdeck.agents.openai_chat import disjoint
from loopdeck.core.conversation import Block, ModelReply, Stop, Text, ToolUse
from loopdeck.core.usage import Usage

_STOPS: dict[str, Stop] = {"STOP": "end", "MAX_TOKENS": "max_output", "MALFORMED_FUNCTION_CALL": "end"}
"""Every other reason is a refusal of some kind."""


class _Call(Struct):
    name: str = ""
    id: str = ""
    args: Raw = Raw(b"{}")


class _Part(Struct, rename="camel"):
    text: str = ""
    thought: bool = False
    function_call: _Call | None = None


class _Content(Struct):
    parts: list[_Part] | None = None


class _Candidate(Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None


class _Count(Struct, rename="camel"):
    prompt_token_count: int = 0
    cached_content_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0
    tool_use_prompt_token_count: int = 0
    total_token_count: int = 0


class _Blocked(Struct, rename="camel"):
    block_reason: str | None = None


class _Error(Struct):
    status: str = ""
    message: str = ""


class _Chunk(Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: _Count | None = None
    prompt_feedback: _Blocked | None = None
    model_version: str = ""
    response_id: str = ""
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


def unstreamed(body: bytes) -> Iterable[bytes]:
    """The chunks of a whole answer: one, or the list of them that a stream without `alt=sse` is. Raises msgspec.DecodeError."""
    said: Any = msgspec.json.decode(body, type=list[Raw] | dict[str, Raw])
    return [bytes(chunk) for chunk in said] if isinstance(said, list) else [body]


class GeminiReader:
    """A reply on its way in. Implements `agents.dialect.Reader`."""

    done = False
    """The end is only known by the end of the stream."""

    def __init__(self) -> None:
        self.started = False
        self.whole = False
        self._finish = ""
        self._blocks: list[Block] = []
        self._text: list[str] = []
        self._count: _Count | None = None
        self._head = _Chunk()

    def feed(self, data: bytes) -> str:
        """Take one chunk. Raises ModelFailed, or msgspec.DecodeError for rubbish."""
        chunk = _decode(data)
        if chunk.error is not None:
            raise failures.from_event(chunk.error.status.lower(), chunk.error.message, started=self.started)
        if not self.started:
            self._head, self.started = chunk, True
        self._count = chunk.usage_metadata or self._count
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
            self._finish, self.whole = chunk.prompt_feedback.block_reason, True
        for candidate in (chunk.candidates or ())[:1]:
            self._take(candidate)
        return ""

    def _take(self, candidate: _Candidate) -> None:
        for part in (candidate.content.parts if candidate.content else None) or ():
            if part.function_call is not None:
                self._flush()
                call = part.function_call
                self._blocks.append(ToolUse(call.id or f"{call.name}-{len(self._blocks)}", call.name, bytes(call.args).decode()))
            elif part.text and not part.thought:
                self._text.append(part.text)
        if candidate.finish_reason:
            self._finish, self.whole = candidate.finish_reason, True

    def _flush(self) -> None:
        if self._text:
            self._blocks.append(Text("".join(self._text)))
            self._text = []

    def reply(self) -> ModelReply:
        """The whole reply."""
        self._flush()
        stop = _STOPS.get(self._finish, "refused")
        if stop == "end" and any(isinstance(block, ToolUse) for block in self._blocks):
            stop = "tools"
        count, head = self._count, self._head
        told = count is not None and count.prompt_token_count > 0
        usage = self.input_told() + Usage(output=_output(count)) if count is not None and told else Usage()
        return ModelReply(
            tuple(self._blocks), stop, usage, head.model_version, "priced" if told else "estimated", request_id=head.response_id
        )

    def input_told(self) -> Usage:
        """The input as told so far, which is with every chunk."""
        count = self._count or _Count()
        return disjoint(count.prompt_token_count + count.tool_use_prompt_token_count, count.cached_content_token_count, 0, 0)


def _output(count: _Count) -> int:
    """What was written, thoughts too; never less than what the total leaves for it."""
    prompt = count.prompt_token_count + count.tool_use_prompt_token_count
    return max(count.candidates_token_count + count.thoughts_token_count, count.total_token_count - prompt)
