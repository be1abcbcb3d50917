"""OpenAI's Responses API from the server's side; the other dialects are in `model_dialects`."""

from collections.abc import Iterator

from loopdeck.core.usage import Usage
from tests.kit.model_dialects import Event, Json, pieces, text_of, tools_complaint
from tests.kit.model_talk import Answer, Request


def read_responses(body: Json) -> Json:
    """The fields of a `Request` that depend on the dialect."""
    given = body.get("input") or []
    items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given
    trailing: list[str] = []
    for item in reversed(items):
        if item.get("type") != "function_call_output":
            break
        trailing.insert(0, text_of(item["output"]))
    texts: list[str] = []
    turns, before = 0, "user"
    for item in items:
        if item.get("role") in ("developer", "system"):
            continue
        role = "user" if item.get("role") == "user" or item.get("type") == "function_call_output" else "assistant"
        if role == "user":
            texts.append(text_of(item.get("output") if item.get("type") == "function_call_output" else item.get("content")))
        turns += role == "assistant" and before == "user"
        before = role
    return {
        "system": text_of(body.get("instructions")),
        "texts": tuple(texts),
        "results": tuple(trailing),
        "turns": turns,
        "tools": tuple(name for tool in body.get("tools") or () for name in _names(tool)),
        "max_tokens": body.get("max_output_tokens") or 10**6,
    }


def _name(tool: Json) -> str:
    """Tools of the provider's own have none but their type."""
    return str(tool.get("name") or tool.get("type"))


def responses_complaint(body: Json) -> str:
    """What the provider would say is wrong with a body, or nothing."""
    if complaint := tools_complaint(_name(tool) for tool in body.get("tools") or ()):
        return complaint
    items = body.get("input") or []
    if isinstance(items, str):
        return ""
    asked = {item["call_id"] for item in items if item.get("type") == "function_call"}
    answered = {item["call_id"] for item in items if item.get("type") == "function_call_output"}
    if asked != answered:
        return f"No tool output found for function call {sorted(asked ^ answered)}."
    if any(item.get("type") == "reasoning" and not item.get("encrypted_content") for item in items) and not body.get("store", True):
        return "Items are not persisted when `store` is set to false."
    return ""


def _names(tool: Json) -> tuple[str, ...]:
    """A tool's name; those of a namespace as `namespace/name`."""
    if tool.get("type") != "namespace":
        return (_name(tool),)
    return tuple(f"{tool['name']}/{_name(inner)}" for inner in tool.get("tools") or ())


def _named(tool: str) -> Json:
    """How a call says which tool it is of."""
    namespace, _, name = tool.rpartition("/")
    return {"name": name} | ({"namespace": namespace} if namespace else {})


def _usage(usage: Usage) -> Json:
    total = usage.input + usage.cache_read + usage.cache_write
    return {
        "input_tokens": total,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": total + usage.output,
    }


def _items(request: Request, answer: Answer) -> list[Json]:
    items: list[Json] = []
    if answer.thinking:
        sealed = (
            {"encrypted_content": f"sealed-{request.n}"} if "reasoning.encrypted_content" in (request.body.get("include") or ()) else {}
        )
        items.append({"id": f"rs_{request.n}", "type": "reasoning", "summary": [], **sealed})
    if answer.text:
        part: Json = {"type": "output_text", "text": answer.text, "annotations": []}
        if answer.stop == "refusal":
            part = {"type": "refusal", "refusal": answer.text}
        items.append(
            {
                "id": f"msg_{request.n}",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        )
    items += [
        {
            "id": f"fc_{request.n}_{i}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{request.n}_{i}",
            "arguments": call.arguments,
            **_named(call.tool),
        }
        for i, call in enumerate(answer.calls)
    ]
    return items


def responses_body(request: Request, answer: Answer, usage: Usage) -> Json:
    """A whole answer."""
    body: Json = {
        "id": f"resp_{request.n}",
        "object": "response",
        "created_at": 1,
        "model": request.model,
        "status": "completed",
        "output": _items(request, answer),
        "error": None,
        "incomplete_details": None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None if answer.told == "never" else _usage(usage),
    }
    if answer.stop in {"max_tokens", "content_filter"}:
        reason = "max_output_tokens" if answer.stop == "max_tokens" else answer.stop
        return body | {"status": "incomplete", "incomplete_details": {"reason": reason}}
    if answer.stop == "failed":
        return body | {
            "status": "failed",
            "output": [],
            "error": {"code": "server_error", "message": "The model failed."},
        }
    return body


def responses_events(request: Request, answer: Answer, usage: Usage) -> Iterator[Event]:
    """The same, streamed."""
    whole = responses_body(request, answer, usage)
    opening = whole | {
        "status": "in_progress",
        "output": [],
        "usage": None,
        "error": None,
        "incomplete_details": None,
    }
    number = 0

    def event(kind: str, /, **fields: object) -> Event:
        nonlocal number
        number += 1
        return kind, {"type": kind, "sequence_number": number - 1, **fields}

    yield event("response.created", response=opening)
    yield event("response.in_progress", response=opening)
    for index, item in enumerate(_items(request, answer)):
        place = {"item_id": item["id"], "output_index": index}
        match item["type"]:
            case "message":
                part = item["content"][0]
                word, key = ("refusal", "refusal") if part["type"] == "refusal" else ("output_text", "text")
                yield event(
                    "response.output_item.added",
                    output_index=index,
                    item=item | {"content": [], "status": "in_progress"},
                )
                yield event("response.content_part.added", **place, content_index=0, part=part | {key: ""})
                for piece in pieces(part[key], answer.piece):
                    yield event(f"response.{word}.delta", **place, content_index=0, delta=piece, logprobs=[])
                yield event(f"response.{word}.done", **place, content_index=0, **{key: part[key]}, logprobs=[])
                yield event("response.content_part.done", **place, content_index=0, part=part)
            case "function_call":
                yield event(
                    "response.output_item.added",
                    output_index=index,
                    item=item | {"arguments": "", "status": "in_progress"},
                )
                for piece in pieces(item["arguments"], answer.piece):
                    yield event("response.function_call_arguments.delta", **place, delta=piece)
                yield event(
                    "response.function_call_arguments.done",
                    **place,
                    name=item["name"],
                    arguments=item["arguments"],
                )
            case _:
                yield event("response.output_item.added", output_index=index, item=item)
        yield event("response.output_item.done", output_index=index, item=item)
    yield event(f"response.{whole['status']}", response=whole)
