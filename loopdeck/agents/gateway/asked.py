"""What a request asks for, read from its body in each dialect: the model, the most it may write, and what it can come to. Pure.

Invariant: `input_bound` is at least what the provider can count for the request's own bytes. What a request only refers to (a file by
its address, a conversation kept by the provider, a tool that the provider runs) has no bound here, and is named in `unbounded`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from loopdeck.agents.dialect import input_bound

Speech = Literal["messages", "chat", "responses", "gemini"]
Json = dict[str, Any]

MEDIA_TOKENS = 6000
"""Tokens of an image beyond those of its bytes: a small one may count for far more than it is long."""

_HOSTED = (
    "web_search", "web_fetch", "code_execution", "mcp", "advisor", "file_search", "code_interpreter", "image_generation",
)  # fmt: skip
"""Beginnings of the types of tools that a provider runs by itself, with input and prices that nobody can know before."""

_FILE = "a file that it only names"


class Asked(Struct, frozen=True):
    """A request as far as money goes. `output` is the cap of each of its `choices`, None if it has none."""

    model: str
    stream: bool
    input_bound: int
    output: int | None
    choices: int = 1
    previous: str = ""
    unbounded: str = ""
    messages: int = 0
    tools: tuple[str, ...] = ()


class Unreadable(Exception):
    """The body is no request of its dialect; the message is for the agent."""


def read(speech: Speech, body: bytes, model: str = "", *, stream: bool = False) -> Asked:
    """Read `body`; Gemini's `model` and `stream` are in its address. Raises Unreadable."""
    try:
        said = msgspec.json.decode(body)
        if not isinstance(said, dict):
            raise Unreadable("the request is no JSON object")
        facts = _READERS[speech](said)
        size = input_bound(body)
        if b"\\u" in body:
            # An escape may be shorter than what it stands for, once that is normalised.
            size = max(size, input_bound(msgspec.json.encode(said)))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable(f"the request is no JSON: {error}") from error
    name, streams = (model, stream) if speech == "gemini" else (said.get("model"), said.get("stream") is True)
    if not isinstance(name, str) or not name:
        raise Unreadable("the request names no model")
    media, whys = 0, [facts.unbounded]
    for why in facts.blocks:
        media += not why
        whys.append(why)
    return Asked(
        name, streams, size + media * MEDIA_TOKENS, facts.output, max(1, facts.choices), facts.previous,
        next((why for why in whys if why), ""), facts.messages, facts.tools,
    )  # fmt: skip


class _Facts(Struct):
    """`blocks` has an entry for each image or file: nothing if it is in the body, else what it only refers to."""

    output: int | None
    blocks: Iterable[str]
    messages: int
    tools: tuple[str, ...] = ()
    choices: int = 1
    previous: str = ""
    unbounded: str = ""


def _messages(said: Json) -> _Facts:
    tools = list(_objects(said.get("tools")))
    edits = _objects(_object(said.get("context_management")).get("edits"))
    unbounded = (
        ("a conversation that the provider keeps" if said.get("thread") or said.get("container") else "")
        or ("tools that the provider runs" if said.get("mcp_servers") else _hosted(tools))
        or ("a speed with a price of its own" if said.get("speed") not in (None, "standard") else "")
        or ("a summary that the provider makes" if any(_text(edit, "type").startswith("compact") for edit in edits) else "")
    )
    blocks = (why for message in _objects(said.get("messages")) for why in _anthropic_media(message.get("content")))
    names = tuple(_text(tool, "name") for tool in tools)
    return _Facts(_count(said.get("max_tokens")), blocks, _length(said.get("messages")), names, unbounded=unbounded)


def _anthropic_media(content: object) -> Iterator[str]:
    for block in _objects(content):
        source = _object(block.get("source"))
        if source:
            yield "" if source.get("type") in ("base64", "text", "content") else _FILE
            yield from _anthropic_media(source.get("content"))
        elif block.get("type") == "container_upload":
            yield _FILE
        yield from _anthropic_media(block.get("content"))


def _chat(said: Json) -> _Facts:
    tools = list(_objects(said.get("tools")))
    # Which of the two names a server heeds is its own affair.
    output = max(_count(said.get("max_completion_tokens")) or 0, _count(said.get("max_tokens")) or 0) or None
    unbounded = "tools that the provider runs" if said.get("web_search_options") is not None else _hosted(tools)
    blocks = (why for message in _objects(said.get("messages")) for why in _openai_media(message.get("content")))
    names = tuple(_text(_object(tool.get("function") or tool.get("custom")), "name") for tool in tools)
    choices = _count(said.get("n")) or 1
    return _Facts(output, blocks, _length(said.get("messages")), names, choices, unbounded=unbounded or _tier(said))


def _responses(said: Json) -> _Facts:
    tools = list(_objects(said.get("tools")))
    unbounded = (
        ("a conversation that the provider keeps" if said.get("conversation") or said.get("prompt") else "")
        or ("an answer that is fetched later" if said.get("background") else "")
        or _hosted(tools)
        or _tier(said)
    )
    names = tuple(_text(tool, "name") or _text(tool, "type") for tool in tools)
    previous = _text(said, "previous_response_id")
    blocks = _response_media(said.get("input"))
    return _Facts(_count(said.get("max_output_tokens")), blocks, _length(said.get("input")), names, 1, previous, unbounded)


def _response_media(items: object) -> Iterator[str]:
    for item in _objects(items):
        if item.get("type") == "item_reference":
            yield "a part of an earlier answer that it only names"
        yield from _openai_media(item.get("content"))
        yield from _openai_media(item.get("output"))
        yield from _openai_media([item])


def _openai_media(content: object) -> Iterator[str]:
    for part in _objects(content):
        match part.get("type"):
            case "image_url":
                given = part.get("image_url")
                yield _inline(given if isinstance(given, str) else _object(given).get("url"))
            case "input_image" | "computer_screenshot":
                yield _inline(part.get("image_url"))
            case "file" | "input_file":
                yield "" if _object(part.get("file") or part).get("file_data") else _FILE
            case _:
                pass


def _inline(url: object) -> str:
    return "" if isinstance(url, str) and url.startswith("data:") else _FILE


def _gemini(said: Json) -> _Facts:
    config = _object(_either(said, "generationConfig", "generation_config"))
    tools = list(_objects(said.get("tools")))
    own = ("functionDeclarations", "function_declarations")
    hosted = any(key not in own for tool in tools for key in tool)
    kept = _either(said, "cachedContent", "cached_content")
    unbounded = "a conversation that the provider keeps" if kept else "tools that the provider runs" if hosted else ""
    contents = said.get("contents")
    messages = [contents] if isinstance(contents, dict) else contents
    blocks = (why for message in _objects(messages) for part in _objects(message.get("parts")) for why in _gemini_media(part))
    names = tuple(_text(one, "name") for tool in tools for key in own for one in _objects(tool.get(key)))
    choices = _count(_either(config, "candidateCount", "candidate_count")) or 1
    output = _count(_either(config, "maxOutputTokens", "max_output_tokens"))
    return _Facts(output, blocks, _length(messages), names, choices, unbounded=unbounded)


def _gemini_media(part: Json) -> Iterator[str]:
    if _either(part, "fileData", "file_data") is not None:
        yield _FILE
    elif _either(part, "inlineData", "inline_data") is not None:
        yield ""


_READERS: dict[Speech, Callable[[Json], _Facts]] = {"messages": _messages, "chat": _chat, "responses": _responses, "gemini": _gemini}


def _hosted(tools: Iterable[Json]) -> str:
    types = [kind for tool in tools if (kind := _text(tool, "type")).startswith(_HOSTED)]
    return f"tools that the provider runs ({', '.join(types)})" if types else ""


def _tier(said: Json) -> str:
    return "a tier with a price of its own" if said.get("service_tier") in ("priority", "scale") else ""


def _either(of: Mapping[str, Any], name: str, other: str) -> object:
    value = of.get(name)
    return value if value is not None else of.get(other)


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> Iterator[Json]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


def _length(value: object) -> int:
    return len(value) if isinstance(value, list) else int(value is not None)


def _text(of: Mapping[str, Any], name: str) -> str:
    value = of.get(name)
    return value if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    """A number of tokens; what is none is left for the provider to refuse."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 1 else None
