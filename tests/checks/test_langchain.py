"""Their shape, from ours, and back without loss."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.checks.langchain import as_langchain, from_langchain
from loopdeck.core.findings import CheckKind, Criterion, Evidence, Finding, Outcome, Verdict

OUTCOMES: list[Outcome] = ["passed", "failed", "unknown", "error"]
KINDS: list[CheckKind] = ["command", "rubric", "links", "human"]
texts = st.text(max_size=20)
verdicts = st.builds(
    Verdict,
    check=texts,
    kind=st.sampled_from(KINDS),
    outcome=st.sampled_from(OUTCOMES),
    score=st.floats(0, 1),
    findings=st.lists(st.builds(Finding, texts, texts, texts, texts, path=texts, line=st.integers(0, 999)), max_size=3).map(tuple),
    criteria=st.lists(st.builds(Criterion, texts, st.sampled_from(OUTCOMES), texts), max_size=4).map(tuple),
    evidence=st.builds(Evidence, texts, st.none() | st.integers(0, 255), texts, texts, texts, texts),
)


@pytest.mark.req("S2-031")
@given(verdicts, st.booleans())
def test_a_record_has_their_fields_and_gives_the_verdict_back(verdict: Verdict, last: bool) -> None:
    record = json.loads(json.dumps(as_langchain(verdict, iteration=2, last=last)))
    assert set(record) == {"grading_run_id", "iteration", "result", "explanation", "criteria", "loopdeck"}
    assert record["result"] in {"satisfied", "needs_revision", "failed", "max_iterations_reached", "grader_error"}
    for one in record["criteria"]:
        assert set(one) == ({"name", "passed"} if one["passed"] else {"name", "passed", "gap"})
        assert one["passed"] or one["gap"]
    assert from_langchain(record) == verdict


@pytest.mark.req("S2-031")
@pytest.mark.parametrize(
    ("outcome", "last", "result"),
    [
        ("passed", False, "satisfied"),
        ("passed", True, "satisfied"),
        ("failed", False, "needs_revision"),
        ("failed", True, "max_iterations_reached"),
        ("unknown", False, "failed"),
        ("error", True, "grader_error"),
    ],
)
def test_each_of_their_five_results_has_its_cause(outcome: Outcome, last: bool, result: str) -> None:
    verdict = Verdict("c", "rubric", outcome, 0.0, criteria=(Criterion("a", "unknown"),))
    record = as_langchain(verdict, grading_run_id="g", last=last)
    assert record["result"] == result
    assert record["criteria"] == [{"name": "a", "passed": False, "gap": "unknown, without a reason"}]
    assert record["grading_run_id"] == "g"


def test_a_foreign_record_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        from_langchain({"result": "satisfied"})
