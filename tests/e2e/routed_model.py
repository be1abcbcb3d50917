"""Models of three sizes at one address, and a provider that is too busy."""

import json
import re

from tests.kit.model_talk import Answer, Call, Refuse, Request


def phases(request: Request) -> Answer:
    """Wrong in the first two iterations, right in the third; the small one says what to take first."""
    if "haiku" in request.model:
        return Answer("Take answer.txt first.")
    if request.turns:
        return Answer("Done.")
    said = re.search(r"Iteration (\d+) of", request.said)
    content = "right\n" if said and int(said[1]) >= 3 else "wrong\n"
    return Answer("Writing.", (Call("write_file", json.dumps({"path": "answer.txt", "content": content})),))


def busy(request: Request) -> Answer:
    """One vendor answers nobody, the other everybody."""
    if "claude" in request.model:
        return Answer(fault=Refuse(529, "overloaded_error", "Overloaded", {"retry-after": "0.1"}))
    if request.turns:
        return Answer("Done.")
    return Answer("Writing.", (Call("write_file", json.dumps({"path": "answer.txt", "content": "right\n"})),))


def no_triage(request: Request) -> Answer:
    """The small one fails."""
    if "haiku" in request.model:
        return Answer(fault=Refuse(500, "api_error", "Internal server error"))
    if request.turns:
        return Answer("Done.")
    return Answer("Writing.", (Call("write_file", json.dumps({"path": "answer.txt", "content": "right\n"})),))
