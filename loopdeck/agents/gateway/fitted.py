"""The few changes that are made to a request on its way. Pure.

They are these, and no others: a Chat stream is made to tell its usage; an output cap is put in where there is none, and lowered where
it does not fit into the budget; with it, a budget for thinking that would no longer fit below it. All other values keep their bytes.
"""

import msgspec
from msgspec import Raw

from loopdeck.agents.gateway.asked import Asked, Speech

_LEAST_THINKING = 1024
"""Tokens; Anthropic takes no smaller budget for thinking."""

_COUNTED = ("model", "system", "messages", "tools", "tool_choice", "thinking")

Fields = dict[str, Raw]


def fitted(speech: Speech, body: bytes, asked: Asked, cap: int, *, new_name: bool) -> bytes:
    """`body` with at most `cap` tokens of output for each choice; the very same bytes if nothing has to change.

    `new_name` says that a Chat server calls the cap `max_completion_tokens` if the request leaves it open.
    """
    lower = asked.output is None or asked.output > cap
    telling = speech == "chat" and asked.stream
    if not lower and not telling:
        return body
    fields = msgspec.json.decode(body, type=Fields)
    if telling:
        options = _fields(fields.get("stream_options"))
        if not lower and bytes(options.get("include_usage", Raw())) == b"true":
            return body
        fields["stream_options"] = _raw({**options, "include_usage": True})
    if lower:
        _cap(speech, fields, cap, new_name=new_name)
    return msgspec.json.encode(fields)


def countable(body: bytes) -> bytes:
    """What of a Messages request its provider takes to count its tokens."""
    fields = msgspec.json.decode(body, type=Fields)
    return msgspec.json.encode({name: fields[name] for name in _COUNTED if name in fields})


def _cap(speech: Speech, fields: Fields, cap: int, *, new_name: bool) -> None:
    match speech:
        case "messages":
            fields["max_tokens"] = _raw(cap)
            _thinking(fields, cap)
        case "chat":
            asked = [name for name in ("max_completion_tokens", "max_tokens") if bytes(fields.get(name, Raw(b"null"))) != b"null"]
            for name in asked or ["max_completion_tokens" if new_name else "max_tokens"]:
                fields[name] = _raw(cap)
        case "responses":
            fields["max_output_tokens"] = _raw(cap)
        case "gemini":
            config = _fields(fields.pop("generation_config", None)) | _fields(fields.get("generationConfig"))
            config.pop("max_output_tokens", None)
            fields["generationConfig"] = _raw({**config, "maxOutputTokens": cap})


def _thinking(fields: Fields, cap: int) -> None:
    thinking = _fields(fields.get("thinking"))
    if "budget_tokens" not in thinking:
        return
    if cap // 2 < _LEAST_THINKING:
        fields["thinking"] = _raw({"type": "disabled"})
    elif msgspec.json.decode(thinking["budget_tokens"], type=float) >= cap:
        fields["thinking"] = _raw({**thinking, "budget_tokens": cap // 2})


def _fields(raw: Raw | None) -> Fields:
    try:
        return msgspec.json.decode(raw, type=Fields) if raw is not None else {}
    except msgspec.DecodeError:
        return {}


def _raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))
