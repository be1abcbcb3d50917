"""What went wrong with a model call, in loopdeck's words.

Statuses, broken connections and errors in the middle of a stream.

Invariant: `maybe_charged` is False only where the provider can't have billed: it never got the request, or it
refused it.
"""

import email.utils
import math
import time
from collections.abc import Mapping
from typing import Any

from loopdeck.core.conversation import FailureKind, ModelFailed

_BY_STATUS: dict[int, FailureKind] = {
    400: "request", 401: "auth", 402: "auth", 403: "auth", 404: "request", 408: "timeout", 409: "server", 413: "context",
    422: "request", 425: "server", 429: "rate_limit", 499: "cut", 504: "timeout", 524: "timeout", 529: "overloaded",
}  # fmt: skip
_ANSWER_LOST = frozenset({408, 499, 504, 524})
"""Statuses of a proxy that gave up waiting: the provider behind it may have gone on, and may bill."""

_REFINES: dict[FailureKind, tuple[FailureKind, ...]] = {
    "request": ("context", "auth"),
    "server": ("overloaded",),
    "rate_limit": ("auth",),
}
"""What an error's words may make of its status."""

_BY_WORD: tuple[tuple[str, FailureKind], ...] = (
    ("overloaded", "overloaded"), ("slow_down", "overloaded"), ("insufficient_quota", "auth"), ("billing", "auth"),
    ("rate_limit", "rate_limit"), ("context_length", "context"), ("too_large", "context"), ("authentication", "auth"),
    ("permission", "auth"), ("invalid_api_key", "auth"), ("timeout", "timeout"), ("not_found", "request"),
    ("invalid_request", "request"), ("invalid_prompt", "request"), ("invalid_image", "request"),
)  # fmt: skip
"""Words in an error's type or code that say more than its status."""

_BY_MESSAGE: tuple[tuple[str, FailureKind], ...] = (
    ("maximum context", "context"), ("context length", "context"), ("context window", "context"), ("context limit", "context"),
    ("prompt is too long", "context"), ("input is too long", "context"), ("credit balance", "auth"), ("overloaded", "overloaded"),
)  # fmt: skip
"""The few phrases of a message that are taken for facts: messages quote what we sent, and advertise (rate limits name billing)."""


def from_status(status: int, headers: Mapping[str, str], body: object, key_from: str = "") -> ModelFailed:
    """A status other than 200. `body` is the decoded JSON, or whatever else came; `key_from` says where the key was found."""
    word, message = _said(body)
    text = f"{status} {word}: {message}" if word else f"{status}: {message or 'no explanation'}"
    kind: FailureKind = _BY_STATUS.get(status, "server" if status >= 500 else "request")
    told = [_found(word, _BY_WORD)] + ([_found(message, _BY_MESSAGE)] if kind != "rate_limit" else [])
    kind = next((one for one in told if one is not None and one in _REFINES.get(kind, ())), kind)
    if kind == "rate_limit" and headers.get("x-should-retry") == "false":
        kind = "request"
    text = text[:2000]
    if key_from and status in (401, 403):
        text += f" (the key is that of {key_from}: put one there that the provider takes, then start again)"
    return ModelFailed(kind, text, retry_after=retry_after(headers, time.time()), maybe_charged=status in _ANSWER_LOST)


def from_event(word: str, message: str, *, started: bool) -> ModelFailed:
    """An error inside a stream. `word` is its type or code; `started` says that the model had begun to answer."""
    kind = _found(word, _BY_WORD) or _found(message, _BY_MESSAGE) or "server"
    return ModelFailed(kind, f"{word or 'error'} in mid-stream: {message}"[:2000], maybe_charged=started)


def from_transport(error: Exception, *, answered: bool) -> ModelFailed:
    """A failure of the connection. `answered` says that status 200 had come, after which the stream broke."""
    import httpx2  # loaded with the SDK; not before

    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    match error:
        case httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            return ModelFailed("timeout", what)
        case httpx2.TimeoutException():
            return ModelFailed("timeout", what, maybe_charged=True)
        case httpx2.ConnectError() | httpx2.ProxyError():
            return ModelFailed("connection", what)
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol() | httpx2.LocalProtocolError():
            return ModelFailed("request", f"{what} (is base_url right?)")
        case httpx2.DecodingError():
            return ModelFailed("malformed", what, maybe_charged=True)
        case _:
            return ModelFailed("cut" if answered else "connection", what, maybe_charged=True)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait, as the provider asks for them in either header and either form, or None.

    `now` is the time since the epoch, for a provider who does not say what time it is there.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    given = headers.get("retry-after")
    if (seconds := _number(given)) is not None or given is None:
        return seconds
    until, there = _moment(given), _moment(headers.get("date", ""))
    return None if until is None else max(0.0, until - (now if there is None else there))


def _moment(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return max(0.0, value) if math.isfinite(value) else None


def _found(text: str, table: tuple[tuple[str, FailureKind], ...]) -> FailureKind | None:
    low = text.lower()
    return next((kind for word, kind in table if word in low), None)


def _said(body: object) -> tuple[str, str]:
    """The type or code of an error body and its message, from any vendor's form."""
    inner: Any = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(inner, dict):
        return "", str(inner if inner is not None else "")[:500]
    words = [str(inner[name]) for name in ("type", "code") if inner.get(name) and not isinstance(inner[name], dict)]
    return " ".join(dict.fromkeys(words)), str(inner.get("message") or inner.get("detail") or "")
