"""What an approval holds for: each part counts, times that make no sense open nothing, and rules end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core import binding
from loopdeck.core.run import Approval, Given, Run

PARTS = (("arguments", "a"), ("folder", "b"), ("file x.sh", "c"))
NOW = "2026-11-21T12:00:00.000Z"


def approval(**facts) -> Approval:
    given_ = {
        "id": "r-1", "call": "c", "tool": "bash", "summary": "s", "arguments": "{}", "cwd": "/w", "rule": "", "tier": "high",
        "digest": "d", "since": NOW,
    }  # fmt: skip
    return Approval(**{**given_, **facts})


def test_a_digest_holds_for_one_question_only():
    same = binding.digest("r-1 in life 1", PARTS)
    assert same == binding.digest("r-1 in life 1", PARTS[::-1])
    others = {
        binding.digest("r-2 in life 1", PARTS), binding.digest("r-1 in life 2", PARTS), binding.digest("r-1 in life 1", PARTS[:2]),
        *(binding.digest("r-1 in life 1", (*PARTS[:at], (PARTS[at][0], "z"), *PARTS[at + 1 :])) for at in range(3)),
    }  # fmt: skip
    assert len({same, *others}) == 7


def test_arguments_count_as_the_value_they_are():
    assert binding.canonical('{"b": 1, "a": "x"}') == binding.canonical('{ "a":"x","b":1}')
    assert binding.canonical("no json") == "no json"
    assert binding.canonical("[" * 100_000) == "[" * 100_000


def test_what_changed_is_said():
    assert binding.differences(PARTS, PARTS) == ()
    now = (("arguments", "a"), ("folder", "z"), ("file y.sh", "c"), ("connector", "1"))
    assert binding.differences(PARTS, now) == (
        "the folder it runs in is another one", "x.sh is gone", "y.sh is new", "its connector changed",
    )  # fmt: skip
    assert binding.differences(PARTS, (*PARTS[:2], ("file x.sh", "d"))) == ("x.sh changed",)


@pytest.mark.parametrize(
    ("at", "fine"),
    [
        ("", True), (NOW, True), ("2026-11-21T11:50:00.001Z", True), ("2026-11-21T11:49:59Z", False), ("2026-11-21T12:00:59Z", True),
        ("2026-11-21T12:01:01Z", False), ("yesterday", False), ("9999-12-31T23:59:59Z", False), ("2026-11-21", False),
    ],
)  # fmt: skip
def test_an_answer_is_good_for_ten_minutes(at, fine):
    assert bool(binding.stale(approval(at=at), NOW)) != fine


def test_an_answer_after_the_question_had_expired_is_none():
    assert "expired" in binding.stale(approval(at=NOW, expires="2026-11-21T11:59:00Z"), NOW)
    assert not binding.stale(approval(at=NOW, expires="2026-11-21T12:01:00Z"), NOW)


@pytest.mark.parametrize(("expires", "over"), [("", False), (NOW, True), ("2026-11-21T12:00:01Z", False), ("soon", True)])
def test_a_question_lapses(expires, over):
    asking = approval(expires=expires)
    run = Run(status="asking", asking="approval", asking_for="r-1", approvals={"r-1": asking})
    assert (binding.due(run, NOW) is not None) == over
    for other in (Run(status="paused", asking="approval"), Run(status="asking", asking="verdict", asking_for="tests")):
        assert binding.due(other, NOW) is None


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        (Given("r"), True), (Given("r", at=NOW, for_s=60, clock=90), True),
        (Given("r", at="2026-11-21T11:59:01Z", for_s=60, clock=90), True),
        (Given("r", at="2026-11-21T11:59:00Z", for_s=60, clock=90), False),
        (Given("r", at="2027-11-21T11:59:00Z", for_s=60, clock=90), False), (Given("r", at="", for_s=60, clock=90), False),
        (Given("r", at=NOW, for_s=60, clock=40), False), (Given("r", at=NOW, for_s=60, clock=41), True),
    ],
)  # fmt: skip
def test_a_rule_ends_by_the_clock_on_the_wall_and_by_the_runs_own(rule, holds):
    assert binding.in_force((rule,), NOW, 100.0) == (("r",) if holds else ())


@given(st.text(), st.text())
def test_no_text_is_a_time_that_opens_anything(at, expires):
    if binding.seconds_between(at, NOW) is None and at:
        assert binding.stale(approval(at=at), NOW)
    if binding.seconds_between(NOW, expires) is None and expires:
        assert binding.lapsed(approval(expires=expires), NOW)
