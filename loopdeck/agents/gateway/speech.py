"""Which dialect an address belongs to, and what is said in it: the reader of its answers, the form of its errors. Pure."""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from loopdeck.agents.anthropic_messages import MessagesDialect
from loopdeck.agents.dialect import Reader
from loopdeck.agents.gateway import gemini
from loopdeck.agents.gateway.asked import Speech
from loopdeck.agents.keys import Vendor
from loopdeck.agents.openai_chat import ChatDialect
from loopdeck.agents.openai_responses import ResponsesDialect
from loopdeck.agents.unstreamed import chat_events, messages_events, responses_events
from loopdeck.core.conversation import ModelRequest


class Route(NamedTuple):
    """Where a request wants to go. One that is not `metered` is free, and passed on as it is; Gemini's model is in its address."""

    speech: Speech
    metered: bool = True
    model: str = ""
    stream: bool = False


VENDORS: dict[Speech, Vendor] = {"messages": "anthropic", "chat": "openai", "responses": "openai", "gemini": "google"}
_ROUTES: dict[str, Route] = {
    "/v1/messages": Route("messages"),
    "/v1/messages/count_tokens": Route("messages", metered=False),
    "/v1/chat/completions": Route("chat"),
    "/v1/responses": Route("responses"),
}
_GEMINI = re.compile(r"/v1(?:beta|alpha)?/models/([\w.@-]+):(generateContent|streamGenerateContent|countTokens)")


def route(path: str) -> Route | None:
    """The route of a path, None if it leads nowhere."""
    if match := _GEMINI.fullmatch(path):
        model, verb = match.groups()
        return Route("gemini", verb != "countTokens", model, verb == "streamGenerateContent")
    return _ROUTES.get(path)


def reader(speech: Speech, model: str, cap: int) -> Reader:
    """A reader for the answer to a request to `model` that may write `cap` tokens."""
    asked = ModelRequest(model, (), (), max_output=cap)
    match speech:
        case "messages":
            return MessagesDialect().reader(asked)
        case "chat":
            return ChatDialect().reader(asked)
        case "responses":
            return ResponsesDialect().reader(asked)
        case _:
            return gemini.GeminiReader()


UNSTREAMED: dict[Speech, Callable[[bytes], Iterable[bytes]]] = {
    "messages": messages_events, "chat": chat_events, "responses": responses_events, "gemini": gemini.unstreamed,
}  # fmt: skip
"""What takes a whole answer apart into the events it stands for. They raise msgspec.DecodeError."""

_GOOGLES_WORDS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND"}
_WORDS = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}


def error_body(speech: Speech, status: int, message: str) -> bytes:
    """An error in the dialect's own form."""
    word = _WORDS.get(status, "api_error")
    match speech:
        case "messages":
            said: object = {"type": "error", "error": {"type": word, "message": message}}
        case "gemini":
            said = {"error": {"code": status, "message": message, "status": _GOOGLES_WORDS.get(status, "UNAVAILABLE")}}
        case _:
            said = {"error": {"message": message, "type": word, "param": None, "code": None}}
    return msgspec.json.encode(said)
