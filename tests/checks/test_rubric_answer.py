import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.checks.rubric_answer import Refused, answer_schema, read_answer

IDS = ["a", "b"]


def grade(name: str, outcome: str = "passed", reason: str = "see x") -> dict[str, object]:
    return {"id": name, "outcome": outcome, "reason": reason, "path": "", "line": 0}


def answer(*criteria: dict[str, object], result: str = "satisfied", explanation: str = "fine") -> str:
    return json.dumps({"criteria": criteria, "result": result, "explanation": explanation})


@pytest.mark.parametrize(
    "text",
    [
        answer(grade("b"), grade("a")),
        "```json\n" + answer(grade("a"), grade("b")) + "\n```",
        answer(grade("a"), grade("b", "failed"), result="needs_revision"),
        answer(grade("a", "unknown"), grade("b"), result="needs_revision"),
        answer(grade("a", "unknown"), grade("b", "unknown"), result="failed", explanation="it contradicts itself"),
        json.dumps(
            {
                "criteria": [{"id": "a", "outcome": "passed", "path": None, "line": None}, grade("b")],
                "result": "satisfied",
                "explanation": "",
            }
        ),
    ],
)
def test_an_answer_that_agrees_with_itself_is_taken_in_the_order_asked(text: str) -> None:
    assert [one.id for one in read_answer(text, IDS).criteria] == IDS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (answer(grade("a"), grade("b", "failed")), "satisfied although b did not pass"),
        (answer(grade("a"), grade("b", "unknown")), "satisfied although b did not pass"),
        (answer(grade("a"), grade("b"), result="needs_revision"), "although every criterion passed"),
        (answer(grade("a"), grade("b"), result="failed"), "although every criterion passed"),
        (answer(grade("a", "failed"), grade("b"), result="failed", explanation=" "), "without an explanation"),
        (answer(grade("a", "failed", " "), grade("b"), result="needs_revision"), "failed without a reason"),
        (answer(grade("a")), "'b' has no grade"),
        (answer(grade("a"), grade("b"), grade("c")), "there is no criterion 'c'"),
        (answer(grade("a"), grade("b"), grade("b", "failed")), "graded 2 times"),
        (answer(grade("a"), grade("b"), result="great"), "not JSON of the given schema"),
        (answer(grade("a", "maybe"), grade("b")), "not JSON of the given schema"),
        ('{"criteria": [', "not JSON"),
        ("All good!", "not JSON"),
        ("", "not JSON"),
        ("{" * 100_000 + "}", "not JSON"),
    ],
)
def test_an_answer_that_can_not_be_taken_says_why(text: str, words: str) -> None:
    with pytest.raises(Refused) as caught:
        read_answer(text, IDS)
    assert words in str(caught.value)


def test_the_schema_takes_what_the_reader_takes() -> None:
    schema = json.loads(answer_schema(IDS))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(answer(grade("a"), grade("b"))), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(answer(grade("a"), grade("other"))), schema)
    assert schema["required"] == list(schema["properties"])


OUTCOMES = st.sampled_from(["passed", "failed", "unknown"])


@given(st.lists(OUTCOMES, min_size=1, max_size=5), st.sampled_from(["satisfied", "needs_revision", "failed"]))
def test_satisfied_is_taken_exactly_if_all_passed(outcomes: list[str], result: str) -> None:
    ids = [str(n) for n in range(len(outcomes))]
    text = answer(*(grade(name, outcome) for name, outcome in zip(ids, outcomes, strict=True)), result=result)
    good = set(outcomes) == {"passed"}
    if good == (result == "satisfied"):
        assert read_answer(text, ids).result == result
    else:
        with pytest.raises(Refused):
            read_answer(text, ids)


@given(st.text())
def test_any_text_is_refused_or_read(text: str) -> None:
    with pytest.raises(Refused):
        read_answer(text, IDS)
