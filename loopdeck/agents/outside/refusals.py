"""What the gateway refused, found in whatever an agent makes of it.

Invariant: a request that we did not let through is told by our own sentence, and is no crash of the agent's.
"""

import json
import re

from loopdeck.agents.outside.listening import part, text
from loopdeck.agents.outside.port import Ended

_OURS = re.compile(r"loopdeck: [^\"\n\\{]+")
_BUDGET = "budget"


def refused_by_us(words: str, said: str) -> Ended | None:
    """The end of a turn if `words` hold a sentence of the gateway's; `said` is what the agent said last."""
    found = _OURS.search(words)
    if found is None:
        return None
    sentence = found[0].strip()
    if _BUDGET in sentence:
        return Ended("budget", said, message=sentence)
    return Ended("failed", said, "request", sentence)


def unwrapped(words: str) -> str:
    """An error's words; where they end with a provider's answer as JSON, its message alone."""
    start = words.find("{")
    if start < 0:
        return words
    try:
        body = json.loads(words[start:])
    except (ValueError, RecursionError):
        return words
    if not isinstance(body, dict):
        return words
    inner = text(part(body, "error"), "message") or text(body, "message")
    return f"{words[:start]}{inner}" if inner else words
