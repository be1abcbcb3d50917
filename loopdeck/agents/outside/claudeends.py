"""How a turn of Claude Code ended, in loopdeck's words: by what happened, not by the word that it has for it.

Its `success` may be an error of the provider's, and an exit code of 0 too. Invariant: what the gateway refused is its sentence, and no
crash of the agent's.
"""

import json

from loopdeck.agents import failures
from loopdeck.agents.outside.listening import Json, count, text
from loopdeck.agents.outside.port import Ended
from loopdeck.agents.outside.refusals import refused_by_us
from loopdeck.core.conversation import FailureKind

_NO_CONVERSATION = "No conversation found"
_KINDS: tuple[tuple[str, FailureKind], ...] = (
    ("overloaded", "overloaded"), ("rate limit", "rate_limit"), ("usage limit", "rate_limit"), ("prompt is too long", "context"),
    ("please run /login", "auth"), ("invalid api key", "auth"), ("not logged in", "auth"), ("credit balance", "auth"),
    ("timed out", "timeout"), ("timeout", "timeout"), ("connection", "connection"),
)  # fmt: skip


def ended(result: Json, said: str, api_error: str) -> Ended:
    """The end of a turn by its last message; `said` is what it said last, `api_error` what it said of a failed request."""
    subtype, why = text(result, "subtype"), text(result, "terminal_reason")
    words = "; ".join(one for one in result.get("errors") or () if isinstance(one, str)) or api_error or text(result, "result")
    ours = refused_by_us(words, said)
    failed = result.get("is_error") is True or bool(api_error) or subtype != "success"
    if failed and ours is not None:
        return ours
    match subtype:
        case "success" if not failed and text(result, "stop_reason") == "refusal":
            return Ended("refused", said, message="the model refused")
        case "success" if not failed:
            return Ended("ended", _last(result) or said)
        case "error_max_turns":
            return Ended("max_turns", said, message="claude: its limit of turns is reached")
        case "error_max_budget_usd":
            return Ended("budget", said, message="claude: its own limit of cost is reached")
        case "error_max_structured_output_retries":
            return Ended("failed", said, "malformed", "claude gave no answer of the form that was asked for")
        case "error_during_execution" if why.startswith("aborted"):
            return Ended("cancelled", said, message="claude: the turn was interrupted")
    return Ended("failed", said, _kind(words, count(result, "api_error_status")), f"claude: {words or subtype}"[:2000])


def vanished(ended: Ended, *, resumed: bool) -> Ended:
    """An end that the process came to before the turn had one: told apart where it had nothing to go on with."""
    if resumed and _NO_CONVERSATION in ended.message:
        return Ended("failed", ended.text, "missing", ended.message)
    return ended


def _last(result: Json) -> str:
    structured = result.get("structured_output")
    return text(result, "result") if structured is None else json.dumps(structured, ensure_ascii=False)


def _kind(words: str, status: int) -> FailureKind:
    if status:
        return failures.from_status(status, {}, words).kind
    low = words.lower()
    return next((kind for part, kind in _KINDS if part in low), "server")
