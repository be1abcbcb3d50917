"""How a turn of Codex failed, in loopdeck's words.

Invariant: what the gateway refused is its sentence, and no crash of the agent's.
"""

import re

from loopdeck.agents import failures
from loopdeck.agents.outside.listening import Json, text
from loopdeck.agents.outside.port import Ended
from loopdeck.agents.outside.refusals import refused_by_us, unwrapped
from loopdeck.core.conversation import FailureKind

MOST_NOTES = 50
OUR_OWN_DOING = "Project-local config"
"""How it begins to warn of settings in the worktree that it was told not to trust."""
_KINDS: dict[str, FailureKind] = {
    "contextWindowExceeded": "context", "usageLimitExceeded": "rate_limit", "rateLimitExceeded": "rate_limit",
    "serverOverloaded": "overloaded", "flexUnavailable": "overloaded", "policyCapacityUnavailable": "overloaded",
    "modelNotFound": "request", "internalServerError": "server", "unauthorized": "auth", "badRequest": "request",
    "sandboxError": "request", "httpConnectionFailed": "connection", "responseStreamConnectionFailed": "connection",
    "responseStreamDisconnected": "cut", "responseTooManyFailedAttempts": "server",
}  # fmt: skip
_POLICIES = frozenset({"cyberPolicy", "misalignmentPolicyViolation", "inferenceHookDenied"})
_STATUS = re.compile(r"\bstatus:? (\d{3})\b")


def failed(error: Json, said: str) -> Ended:
    """A turn that failed, by its `error`; `said` is what the agent said last."""
    words = message(error)
    ours = refused_by_us(words, said)
    if ours is not None:
        return ours
    kind, status = _kind(error)
    if kind == "sessionBudgetExceeded":
        return Ended("budget", said, message=words)
    if kind == "tooManyDenials":
        return Ended("denied", said, message=words)
    if kind in _POLICIES:
        return Ended("refused", said, message=words)
    if kind == "other" and "disconnected" in words:
        return Ended("failed", said, "cut", words)
    if status:
        return Ended("failed", said, failures.from_status(status, {}, words).kind, words)
    return Ended("failed", said, _KINDS.get(kind, "server"), words)


def message(error: Json) -> str:
    """What an error says, the provider's own words if they are in there as JSON."""
    told = [unwrapped(text(error, "message")), unwrapped(text(error, "additionalDetails"))]
    return "; ".join(dict.fromkeys(filter(None, told)))[:2000] or "no explanation"


def said(error: Json) -> str:
    """The same in one short line."""
    return " ".join(message(error).split())[:300]


def _kind(error: Json) -> tuple[str, int]:
    """Its word for what went wrong, and the status that the provider answered with, or 0."""
    told = error.get("codexErrorInfo")
    if isinstance(told, dict) and told:
        kind, more = next(iter(told.items()))
        status = more.get("httpStatusCode") if isinstance(more, dict) else None
        if isinstance(status, int):
            return str(kind), status
        return str(kind), 0
    found = _STATUS.search(message(error))
    return (told if isinstance(told, str) else ""), int(found[1]) if found else 0
