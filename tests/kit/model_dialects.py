"""Vendors' ways of saying the same, from the server's side: bodies into `Request`s, answers into events.

Written from the public documentation of the Messages and Chat Completions APIs, independently of loopdeck's
own agents: the two meet only on the wire.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from loopdeck.core.usage import Usage
from tests.kit.model_ledger import hour_writes
from tests.kit.model_talk import Answer, Call, Request

Json = dict[str, Any]
Event = tuple[str, Json | str]
"""The name of a server-sent event ("" for none) and its data."""


def text_of(content: Any) -> str:
    """The text in a message's content, whatever its form."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(
        str(block.get("text") or "") if block.get("type") in {"text", "input_text", "output_text"} else text_of(block.get("content"))
        for block in content
        if isinstance(block, dict)
    )


def tools_complaint(names: Iterable[str]) -> str:
    """What every provider says of a tool's name that isn't one."""
    bad = [name for name in names if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)]
    return f"tools: {bad} should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'" if bad else ""


def pieces(text: str, size: int) -> Iterator[str]:
    """`text` in pieces of at most `size` characters."""
    for start in range(0, len(text), size):
        yield text[start : start + size]


# --- Anthropic Messages


def messages_complaint(body: Json) -> str:
    """What the provider would say is wrong with a body, or nothing."""
    if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 1:
        return "max_tokens: must be at least 1"
    marks = json.dumps(body).count('"cache_control": ')
    if marks > 4:
        return f"A maximum of 4 blocks with cache_control may be provided. Found {marks}."
    if complaint := tools_complaint(tool["name"] for tool in body.get("tools") or ()):
        return complaint
    messages = body.get("messages") or []
    if not messages or messages[0]["role"] != "user":
        return "messages: first message must use the user role"
    open_calls: set[str] = set()
    for message in messages:
        blocks = message["content"] if isinstance(message["content"], list) else [{"type": "text", "text": message["content"]}]
        answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if answered != open_calls:
            return f"tool_use ids without tool_result or the reverse: {sorted(answered ^ open_calls)}"
        if any(block["type"] == "text" and not block["text"] for block in blocks) or not blocks:
            return "messages: text content blocks must be non-empty"
        open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
    return "tool_use ids were found without tool_result blocks" if open_calls else ""


def read_messages(body: Json) -> Json:
    """The fields of a `Request` that depend on the dialect."""
    messages = body.get("messages") or []
    users = [message for message in messages if message["role"] == "user"]
    last = users[-1]["content"] if users else []
    blocks = last if isinstance(last, list) else []
    return {
        "system": text_of(body.get("system")),
        "texts": tuple(text_of(message["content"]) for message in users),
        "results": tuple(text_of(block.get("content")) for block in blocks if block.get("type") == "tool_result"),
        "turns": sum(message["role"] == "assistant" for message in messages),
        "tools": tuple(tool["name"] for tool in body.get("tools") or ()),
        "max_tokens": body.get("max_tokens") or 0,
    }


def _messages_usage(request: Request, usage: Usage) -> Json:
    hour = hour_writes(request.body, usage)
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write - hour, "ephemeral_1h_input_tokens": hour},
        "output_tokens": usage.output,
        "service_tier": "standard",
    }


def _messages_stop(answer: Answer) -> str:
    return answer.stop or ("tool_use" if answer.calls else "end_turn")


def _arguments(call: Call) -> Any:
    try:
        return json.loads(call.arguments)
    except ValueError:
        return call.arguments


def messages_body(request: Request, answer: Answer, usage: Usage) -> Json:
    """A whole answer."""
    content: list[Json] = []
    if answer.thinking:
        content.append({"type": "thinking", "thinking": answer.thinking, "signature": f"sig-{request.n}"})
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    content += [
        {"type": "tool_use", "id": f"toolu_{request.n}_{i}", "name": call.tool, "input": _arguments(call)}
        for i, call in enumerate(answer.calls)
    ]
    body: Json = {
        "id": f"msg_{request.n}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": content,
        "stop_reason": _messages_stop(answer),
        "stop_sequence": None,
    }
    if answer.told != "never":
        body["usage"] = _messages_usage(request, usage)
    return body


def messages_events(request: Request, answer: Answer, usage: Usage) -> Iterator[Event]:
    """The same, streamed."""
    start = messages_body(request, Answer(told=answer.told), Usage() if answer.told == "end" else usage) | {"stop_reason": None}
    if "usage" in start:
        start["usage"]["output_tokens"] = 1
    yield "message_start", {"type": "message_start", "message": start}
    blocks: list[tuple[Json, list[Json]]] = []
    if answer.thinking:
        deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(answer.thinking, answer.piece)]
        deltas.append({"type": "signature_delta", "signature": f"sig-{request.n}"})
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    if answer.text:
        blocks.append(
            (
                {"type": "text", "text": ""},
                [{"type": "text_delta", "text": piece} for piece in pieces(answer.text, answer.piece)],
            )
        )
    for i, call in enumerate(answer.calls):
        head: Json = {"type": "tool_use", "id": f"toolu_{request.n}_{i}", "name": call.tool, "input": {}}
        parts = ["", *pieces(call.arguments, answer.piece)]
        blocks.append((head, [{"type": "input_json_delta", "partial_json": piece} for piece in parts]))
    for index, (head, deltas) in enumerate(blocks):
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": head}
        if index == 0:
            yield "ping", {"type": "ping"}
        for delta in deltas:
            yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    end: Json = {
        "type": "message_delta",
        "delta": {"stop_reason": _messages_stop(answer), "stop_sequence": None},
    }
    if answer.told != "never":
        end["usage"] = _messages_usage(request, usage) if answer.told == "end" else {"output_tokens": usage.output}
    yield "message_delta", end
    yield "message_stop", {"type": "message_stop"}


# --- OpenAI Chat Completions


def read_chat(body: Json) -> Json:
    """The fields of a `Request` that depend on the dialect."""
    messages = body.get("messages") or []
    trailing: list[str] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        trailing.insert(0, text_of(message["content"]))
    return {
        "system": "\n".join(text_of(message["content"]) for message in messages if message["role"] in {"system", "developer"}),
        "texts": tuple(text_of(message["content"]) for message in messages if message["role"] in {"user", "tool"}),
        "results": tuple(trailing),
        "turns": sum(message["role"] == "assistant" for message in messages),
        "tools": tuple(tool["function"]["name"] for tool in body.get("tools") or ()),
        "max_tokens": body.get("max_completion_tokens") or body.get("max_tokens") or 10**6,
    }


def chat_complaint(body: Json) -> str:
    """What the provider would say is wrong with a body, or nothing."""
    if complaint := tools_complaint(tool["function"]["name"] for tool in body.get("tools") or ()):
        return complaint
    waiting: list[str] = []
    for message in body.get("messages") or []:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return "messages with role 'tool' must follow a message with 'tool_calls'"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return f"tool_call_ids without a response: {waiting}"
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
    return "tool_call_ids without a response" if waiting else ""


def _chat_usage(usage: Usage) -> Json:
    total = usage.input + usage.cache_read + usage.cache_write
    return {
        "prompt_tokens": total,
        "completion_tokens": usage.output,
        "total_tokens": total + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _chat_stop(answer: Answer) -> str:
    return {"max_tokens": "length"}.get(answer.stop, answer.stop) or ("tool_calls" if answer.calls else "stop")


def chat_body(request: Request, answer: Answer, usage: Usage) -> Json:
    """A whole answer."""
    message: Json = {"role": "assistant", "content": answer.text or None}
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{request.n}_{i}",
                "type": "function",
                "function": {"name": call.tool, "arguments": call.arguments},
            }
            for i, call in enumerate(answer.calls)
        ]
    body: Json = {
        "id": f"chatcmpl-{request.n}",
        "object": "chat.completion",
        "created": 1,
        "model": request.model,
        "choices": [{"index": 0, "message": message, "finish_reason": _chat_stop(answer)}],
    }
    if answer.told != "never":
        body["usage"] = _chat_usage(usage)
    return body


def chat_events(request: Request, answer: Answer, usage: Usage) -> Iterator[Event]:
    """The same, streamed."""
    head: Json = {
        "id": f"chatcmpl-{request.n}",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": request.model,
    }

    def chunk(delta: Json, finish: str | None = None) -> Event:
        return "", head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(answer.thinking, answer.piece):
        yield chunk({"reasoning_content": piece})
    for piece in pieces(answer.text, answer.piece):
        yield chunk({"content": piece})
    for i, call in enumerate(answer.calls):
        yield chunk(
            {
                "tool_calls": [
                    {
                        "index": i,
                        "id": f"call_{request.n}_{i}",
                        "type": "function",
                        "function": {"name": call.tool, "arguments": ""},
                    }
                ]
            }
        )
        for piece in pieces(call.arguments, answer.piece):
            yield chunk({"tool_calls": [{"index": i, "function": {"arguments": piece}}]})
    yield chunk({}, _chat_stop(answer))
    if answer.told != "never" and (request.body.get("stream_options") or {}).get("include_usage"):
        yield "", head | {"choices": [], "usage": _chat_usage(usage)}
    yield "", "[DONE]"
