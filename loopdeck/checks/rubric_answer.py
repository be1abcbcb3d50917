"""A grader's answer, read strictly.

Pure. The invariant: an answer that contradicts itself, grades what was not asked or leaves out what was, is refused with the reason, so
that it can be asked again; nothing in it is mended in silence.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

Result = Literal["satisfied", "needs_revision", "failed"]
Grade = Literal["passed", "failed", "unknown"]


class Graded(Struct, frozen=True):
    """The grader's word on one criterion."""

    id: str
    outcome: Grade
    reason: str = ""
    path: str | None = ""
    line: int | None = 0


class Answer(Struct, frozen=True):
    """The whole answer. `failed` means that the rubric can't be judged."""

    result: Result
    explanation: str
    criteria: tuple[Graded, ...]


class Refused(Exception):
    """An answer that can't be taken: why, in words fit for asking again."""


def answer_schema(ids: Sequence[str]) -> str:
    """JSON Schema text for the answer; every key is required, as strict structured output wants it."""
    one = {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "outcome", "reason", "path", "line"],
        "properties": {
            "id": {"type": "string", "enum": list(ids)},
            "outcome": {"type": "string", "enum": ["passed", "failed", "unknown"]},
            "reason": {"type": "string"},
            "path": {"type": "string"},
            "line": {"type": "integer"},
        },
    }
    whole = {
        "type": "object",
        "additionalProperties": False,
        "required": ["criteria", "result", "explanation"],
        "properties": {
            # The single grades come first, so that the result follows from them and not they from it.
            "criteria": {"type": "array", "items": one},
            "result": {"type": "string", "enum": ["satisfied", "needs_revision", "failed"]},
            "explanation": {"type": "string"},
        },
    }
    return json.dumps(whole)


def read_answer(text: str, ids: Sequence[str]) -> Answer:
    """The answer in `text`, with its grades in the order of `ids`. Raises Refused."""
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end < begin:
        raise Refused("it is not JSON")
    try:
        answer = msgspec.json.decode(text[begin : end + 1].encode("utf-8", "replace"), type=Answer)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise Refused(f"it is not JSON of the given schema: {str(error)[:300]}") from error
    problems = [*_incomplete(answer, ids), *_contradictions(answer)]
    if problems:
        raise Refused("; ".join(problems)[:1500])
    by_id = {one.id: one for one in answer.criteria}
    return msgspec.structs.replace(answer, criteria=tuple(by_id[wanted] for wanted in ids))


def _incomplete(answer: Answer, ids: Sequence[str]) -> list[str]:
    counts = Counter(one.id for one in answer.criteria)
    unknown = [f"there is no criterion {name[:80]!r}" for name in counts if name not in set(ids)]
    missing = [f"criterion {name!r} has no grade" for name in ids if name not in counts]
    twice = [f"criterion {name[:80]!r} is graded {count} times" for name, count in counts.items() if count > 1]
    return unknown + missing + twice


def _contradictions(answer: Answer) -> list[str]:
    short = [one.id for one in answer.criteria if one.outcome != "passed"]
    problems = [
        f"criterion {one.id!r} is {one.outcome} without a reason"
        for one in answer.criteria
        if one.outcome != "passed" and not one.reason.strip()
    ]
    match answer.result:
        case "satisfied" if short:
            problems.append(f"the result is satisfied although {', '.join(short[:10])} did not pass")
        case "needs_revision" if not short:
            problems.append("the result is needs_revision although every criterion passed")
        case "failed" if not answer.explanation.strip():
            problems.append("the result says that the rubric can't be judged, without an explanation")
        case "failed" if not short and answer.criteria:
            problems.append("the result says that the rubric can't be judged although every criterion passed")
    return problems
