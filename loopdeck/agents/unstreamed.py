"""A whole answer where a stream was asked for, as some compatible servers give: taken apart into the events it would have come as.

Pure. Invariant: what is read of the events is what the answer said; a body that is no answer gives no events.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

Json = dict[str, Any]


def messages_events(body: bytes) -> Iterator[bytes]:
    """A message of the Messages API, or its error. Raises msgspec.DecodeError if it is no JSON."""
    said = _object(body)
    if said.get("type") == "error":
        yield body
        return
    content = said.get("content")
    if not isinstance(content, list):
        return
    yield _event(type="message_start", message={**said, "content": []})
    for index, block in enumerate(content):
        yield _event(type="content_block_start", index=index, content_block=block)
    delta = {"stop_reason": said.get("stop_reason")}
    yield _event(type="message_delta", delta=delta, usage=said.get("usage"))
    yield _event(type="message_stop")


def chat_events(body: bytes) -> Iterator[bytes]:
    """A chat completion, or an error. Raises msgspec.DecodeError if it is no JSON."""
    said = _object(body)
    if said.get("error"):
        yield body
        return
    choices = said.get("choices")
    whole = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    if not whole:
        return
    yield _event(**{**said, "choices": [_streamed(choice) for choice in whole]})
    yield b"[DONE]"


def _streamed(choice: Json) -> Json:
    message = choice.get("message")
    if not isinstance(message, dict):
        return choice
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        numbered = [{**call, "index": index} for index, call in enumerate(calls) if isinstance(call, dict)]
        message = {**message, "tool_calls": numbered}
    return {**choice, "delta": message}


def responses_events(body: bytes) -> Iterator[bytes]:
    """A response of the Responses API, or an error. Raises msgspec.DecodeError if it is no JSON."""
    said = _object(body)
    output = said.get("output")
    if not isinstance(output, list):
        if isinstance(said.get("error"), dict):
            yield _event(type="error", error=said["error"])
        return
    yield _event(type="response.created")
    for index, item in enumerate(output):
        yield _event(type="response.output_item.done", output_index=index, item=item)
    status = said.get("status")
    yield _event(type=f"response.{status if status in ('incomplete', 'failed') else 'completed'}", response={**said, "output": []})


def _object(body: bytes) -> Json:
    said = msgspec.json.decode(body)
    return said if isinstance(said, dict) else {}


def _event(**fields: object) -> bytes:
    return msgspec.json.encode(fields)
