"""JSON-RPC as MCP speaks it: one message as bytes in, one out. For both sides, pure.

Invariant: whatever bytes come in, a `Message` or a `Garbled` comes out, and nothing larger than `MOST` is ever looked into.
"""

from typing import Any

import msgspec
from msgspec import Struct

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Versions of MCP that are spoken here, the newest first."""
MOST = 4 << 20
"""Bytes of the longest message."""

UNREADABLE, NO_METHOD, BAD_PARAMS, BROKEN = -32700, -32601, -32602, -32603

Id = str | int


class Message(Struct, frozen=True, omit_defaults=True):
    """A request (`id` and `method`), a notification (`method` alone), or an answer (`id` with `result` or `error`)."""

    jsonrpc: str = ""
    id: Id | None = None
    method: str = ""
    params: dict[str, Any] = {}
    result: Any = None
    error: dict[str, Any] | None = None


class Garbled(Exception):
    """Bytes that are no message, and why."""


def request(number: Id, method: str, params: dict[str, Any] | None = None) -> bytes:
    """A question."""
    return _encoded({"id": number, "method": method, "params": params or {}})


def notification(method: str, params: dict[str, Any] | None = None) -> bytes:
    """Word of something, without an answer."""
    return _encoded({"method": method, "params": params or {}})


def answer(number: Id | None, result: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """The answer to a request."""
    return _encoded({"id": number, "result": result})


def refusal(number: Id | None, code: int, message: str) -> bytes:
    """The answer to a request that can't be met."""
    return _encoded({"id": number, "error": {"code": code, "message": message}})


def decode(data: bytes) -> Message:
    """The message that `data` is. Raises Garbled."""
    if len(data) > MOST:
        raise Garbled(f"a message of {len(data)} bytes, more than the {MOST} that are taken")
    try:
        return msgspec.json.decode(data, type=Message)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Garbled(f"no message of the protocol: {data[:120].decode('utf-8', 'replace')!r}") from error


def _encoded(message: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", **message})
