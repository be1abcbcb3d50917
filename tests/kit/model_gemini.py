"""Gemini's generateContent from the server's side; the other dialects are in `model_dialects`.

Written from the public documentation of the API, independently of loopdeck's gateway: the two meet only on the wire.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from loopdeck.core.usage import Usage
from tests.kit.model_dialects import Event, Json, pieces, tools_complaint
from tests.kit.model_talk import Answer, Request

_ADDRESS = re.compile(r"(.*)/v1beta/models/([^/:]+):(generateContent|streamGenerateContent)")


def address(path: str) -> tuple[str, str, str]:
    """The tag, the model and the verb of a path; nothing if it is none of this API's."""
    match = _ADDRESS.fullmatch(path.partition("?")[0])
    return (match[1], match[2], match[3]) if match else ("", "", "")


def _text(content: Any) -> str:
    parts = content.get("parts") or [] if isinstance(content, dict) else []
    return "".join(part.get("text", "") for part in parts)


def _declared(body: Json) -> list[str]:
    return [one["name"] for tool in body.get("tools") or () for one in tool.get("functionDeclarations") or ()]


def read_gemini(body: Json) -> Json:
    """The fields of a `Request` that depend on the dialect."""
    contents = body.get("contents") or []
    last = contents[-1].get("parts") or [] if contents else []
    return {
        "system": _text(body.get("systemInstruction")),
        "texts": tuple(_text(one) for one in contents if one.get("role", "user") == "user"),
        "results": tuple(str(part["functionResponse"].get("response")) for part in last if "functionResponse" in part),
        "turns": sum(one.get("role") == "model" for one in contents),
        "tools": tuple(_declared(body)),
        "max_tokens": (body.get("generationConfig") or {}).get("maxOutputTokens") or 10**6,
    }


def gemini_complaint(body: Json) -> str:
    """What the provider would say is wrong with a body, or nothing."""
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents:
        return "GenerateContentRequest.contents: contents is not specified"
    return tools_complaint(_declared(body))


def _usage(usage: Usage, output: int) -> Json:
    prompt = usage.input + usage.cache_read + usage.cache_write
    thoughts = output // 3
    told: Json = {"promptTokenCount": prompt, "totalTokenCount": prompt + output}
    if usage.cache_read:
        told["cachedContentTokenCount"] = usage.cache_read
    if output:
        told |= {"candidatesTokenCount": output - thoughts, "thoughtsTokenCount": thoughts}
    return told


def _chunk(request: Request, parts: list[Json], finish: str = "") -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": request.model, "responseId": f"gem_{request.n}"}


def _calls(answer: Answer) -> list[Json]:
    return [{"functionCall": {"name": call.tool, "args": json.loads(call.arguments)}} for call in answer.calls]


def _stop(answer: Answer) -> str:
    return {"max_tokens": "MAX_TOKENS"}.get(answer.stop, answer.stop) or "STOP"


def gemini_body(request: Request, answer: Answer, usage: Usage) -> Json:
    """A whole answer."""
    thought = [{"text": answer.thinking, "thought": True}] if answer.thinking else []
    text = [{"text": answer.text}] if answer.text else []
    body = _chunk(request, [*thought, *text, *_calls(answer)], _stop(answer))
    return body if answer.told == "never" else body | {"usageMetadata": _usage(usage, usage.output)}


def gemini_events(request: Request, answer: Answer, usage: Usage) -> Iterator[Event]:
    """The same, streamed."""
    early = {"usageMetadata": _usage(usage, 0)} if answer.told == "start" else {}
    for piece in pieces(answer.thinking, answer.piece):
        yield "", _chunk(request, [{"text": piece, "thought": True}]) | early
    for piece in pieces(answer.text, answer.piece):
        yield "", _chunk(request, [{"text": piece}]) | early
    for call in _calls(answer):
        yield "", _chunk(request, [call]) | early
    last = _chunk(request, [{"text": ""}], _stop(answer))
    yield "", last if answer.told == "never" else last | {"usageMetadata": _usage(usage, usage.output)}
