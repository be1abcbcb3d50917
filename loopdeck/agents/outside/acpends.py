"""How a turn of an ACP agent ended, in loopdeck's words: by its stop reason, or by the error that its prompt was answered with.

Invariant: a turn in which a denial was the last thing that happened ended by it, whatever word the agent has for that.
"""

import json
import re

from loopdeck.agents import failures
from loopdeck.agents.outside.listening import Refused, part, text
from loopdeck.agents.outside.port import Ended
from loopdeck.agents.outside.refusals import refused_by_us, unwrapped

_AUTH_REQUIRED = -32000
_STATUS = re.compile(r"([45]\d\d)\b")


def ended(name: str, stop: str, last: str, denied: str) -> Ended:
    """The end of a turn of the agent `name` by its stop reason. `last` is what it said last, `denied` why its last call was denied."""
    if denied:
        return Ended("denied", last, message=denied)
    match stop:
        case "end_turn":
            return Ended("ended", last)
        case "refusal":
            return Ended("refused", last, message=f"{name}: the model refused")
        case "max_turn_requests":
            return Ended("max_turns", last, message=f"{name}: its limit of requests is reached")
        case "max_tokens":
            return Ended("failed", last, "context", f"{name}: the answer did not fit")
        case "cancelled":
            return Ended("cancelled", last, message=f"{name}: the turn was cancelled")
        case _:
            return Ended("failed", last, "malformed", f"{name} ended the turn for no reason that we know: {stop[:60]!r}")


def failed(name: str, refusal: Refused, last: str, *, opened: bool) -> Ended:
    """The end of a turn that came to an error; `opened` says that there was a session by then."""
    more = json.dumps(refusal.more, ensure_ascii=False)[:2000] if refusal.more is not None else ""
    words = unwrapped(refusal.message)
    ours = refused_by_us(f"{words} {more}", last)
    if ours is not None:
        return ours
    told = part({"data": refusal.more}, "data")
    why = unwrapped(text(told, "details") or text(told, "message"))
    message = f"{name}: {words}" + (f": {why}" if why else "")
    if refusal.code == _AUTH_REQUIRED:
        return Ended("failed", last, "auth", f"{message} (log in with it once, by hand)")
    if not opened:
        return Ended("failed", last, "request", message)
    found = _STATUS.match(why or words)
    status = refusal.code if 400 <= refusal.code < 600 else int(found[1]) if found else 500
    return Ended("failed", last, failures.from_status(status, {}, why or words).kind, message)
