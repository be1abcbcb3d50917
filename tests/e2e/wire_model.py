"""A provider with the troubles of the wire, one for each loop, told apart by the path of its address."""

import json
from collections import Counter
from collections.abc import Callable

from tests.kit.model_talk import Answer, Call, Cut, Garble, Refuse, Request

SOON = {"retry-after-ms": "20"}
STORM = 8
_asked: Counter[str] = Counter()
_RIGHT = Call("write_file", json.dumps({"path": "answer.txt", "content": "right\n"}))
_WRONG = Call("write_file", json.dumps({"path": "answer.txt", "content": "wrong\n"}))


def troubled(request: Request) -> Answer:
    """What the loop at this address gets."""
    tag = request.tag.rpartition("/")[2]
    _asked[tag] += 1
    return _TROUBLES[tag](request, _asked[tag])


def _good(request: Request) -> Answer:
    return Answer("Done.") if request.turns else Answer("Writing.", (_RIGHT,))


def _at_second(request: Request) -> Answer:
    if request.turns:
        return Answer("Done.")
    return Answer("Writing.", (_RIGHT if "Iteration 2 of" in request.texts[0] else _WRONG,), thinking="Hm.")


def _first(times: int, refusal: Refuse) -> Callable[[Request, int], Answer]:
    return lambda request, number: Answer(fault=refusal) if number <= times else _good(request)


def _cut(request: Request, number: int) -> Answer:
    return Answer("All of this will be lost.", fault=Cut(events=4)) if number == 1 else _good(request)


def _garbled(request: Request, number: int) -> Answer:
    """First a stream that is no JSON, then a call whose arguments are none."""
    match number:
        case 1:
            return Answer("So", fault=Garble(3))
        case 2:
            return Answer(calls=(Call("write_file", '{"path": "answer.txt", "content": '),))
        case 3:
            return Answer("Again.", (_RIGHT,))
        case _:
            return Answer("Done.")


def _unwilling(request: Request, number: int) -> Answer:
    return Answer("I would rather not.", stop="refusal") if number == 1 else _good(request)


def _slow(request: Request, number: int) -> Answer:
    answer = _good(request)
    return Answer(answer.text * 4, answer.calls, pace_s=0.05, piece=4)


def _review(request: Request, number: int) -> Answer:
    """Busy at first; then not satisfied, then satisfied."""
    if number == 1:
        return Answer(fault=Refuse(429, "rate_limit_error", "slow down", SOON))
    passed = number > 2
    one = {"id": "says-right", "outcome": "passed" if passed else "failed", "reason": "As it stands.", "path": "answer.txt", "line": 1}
    result = "satisfied" if passed else "needs_revision"
    return Answer(json.dumps({"criteria": [one], "result": result, "explanation": "Read it."}))


_TROUBLES: dict[str, Callable[[Request, int], Answer]] = {
    "patient": _first(1, Refuse(429, "rate_limit_error", "slow down", {"retry-after": "2"})),
    "storm": _first(STORM, Refuse(529, "overloaded_error", "Overloaded", SOON)),
    "flaky": _first(4, Refuse(500, "api_error", "Internal server error", SOON)),
    "down": _first(10**6, Refuse(500, "api_error", "Internal server error", SOON)),
    "locked": _first(10**6, Refuse(401, "authentication_error", "invalid x-api-key")),
    "cut": _cut,
    "garbled": _garbled,
    "unwilling": _unwilling,
    "slow": _slow,
    "chat": lambda request, number: _at_second(request),
    "responses": lambda request, number: _at_second(request),
    "mixed": lambda request, number: _good(request),
    "review": _review,
}
