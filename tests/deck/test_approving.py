"""The inbox as values: what waits, what came of it, and that no key answers what can't have been read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.commands import Decide
from loopdeck.core.run import Approval
from loopdeck.deck.approving import ARMED_S, FADE_S, READY_S, Guard, Inbox, Outcome, outcome_of, waiting
from loopdeck.deck.snapshot import DeckFacts, LoopRow, Snapshot


def call(number: int, **facts) -> Approval:
    given_ = {
        "id": f"r-{number}", "call": f"c{number}", "tool": "bash", "summary": "s", "arguments": '{"command": "s"}', "cwd": "/w",
        "rule": "default", "tier": "high", "digest": "d", "since": f"2026-11-21T07:15:{number:02}Z",
    }  # fmt: skip
    return Approval(**{**given_, **facts})


def row(loop: str, *calls: Approval, **facts) -> LoopRow:
    return LoopRow(**{"key": loop, "deck": 0, "loop": loop, "run": "r", "status": "asking", "approvals": calls, **facts})


def snapshot(*rows: LoopRow) -> Snapshot:
    return Snapshot(1, 0.0, (DeckFacts("d", "/r", "/h"),), rows)


def keys(inbox: Inbox) -> list[str]:
    return [one.waiting.approval.id for one in inbox.entries()]


def test_the_oldest_question_is_first_and_runs_that_cant_answer_any_more_have_none():
    rows = (
        row("b", call(2)), row("a", call(1)), row("stopping", call(3), status="stopping"),
        row("done", call(4), status="ended", reason="done"),
        row("lost", call(5), status="ended", reason="lost"), row("hung", call(6), status="hung"),
    )  # fmt: skip
    assert [one.approval.id for one in waiting(snapshot(*rows))] == ["r-1", "r-2", "r-5", "r-6"]


def test_an_answered_one_keeps_its_place_says_what_came_of_it_and_goes():
    inbox = Inbox()
    assert inbox.take(snapshot(row("a", call(1)), row("b", call(2)), row("c", call(3))), 100.0) == ()
    inbox.tell("0/b/r-2", Outcome("approved", "me"))
    assert [one.open for one in inbox.entries()] == [True, False, True]
    assert inbox.after("0/b/r-2") == "0/c/r-3"
    assert inbox.take(snapshot(row("a", call(1)), row("c", call(3))), 101.0) == ()
    assert keys(inbox) == ["r-1", "r-2", "r-3"]
    inbox.take(snapshot(row("a", call(1)), row("c", call(3))), 101.0 + FADE_S - 0.1)
    assert keys(inbox) == ["r-1", "r-2", "r-3"]
    inbox.take(snapshot(row("a", call(1)), row("c", call(3))), 101.0 + FADE_S)
    assert keys(inbox) == ["r-1", "r-3"]


def test_one_that_somebody_else_answered_is_asked_after_once():
    inbox = Inbox()
    inbox.take(snapshot(row("a", call(1))), 100.0)
    assert [one.key for one in inbox.take(snapshot(), 101.0)] == ["0/a/r-1"]
    assert inbox.take(snapshot(), 102.0) == ()
    assert not inbox.entries()[0].open
    inbox.tell("0/a/r-1", Outcome("denied", "her"))
    assert inbox.entries()[0].outcome == Outcome("denied", "her")


def test_one_that_comes_back_can_be_answered_again():
    inbox = Inbox()
    inbox.take(snapshot(row("a", call(1))), 100.0)
    inbox.take(snapshot(), 101.0)
    inbox.tell("0/a/r-1", Outcome("no longer asked"))
    inbox.take(snapshot(row("a", call(1))), 102.0)
    assert inbox.entries()[0].open


def test_the_next_one_is_after_it_and_else_from_the_top():
    inbox = Inbox()
    inbox.take(snapshot(row("a", call(1)), row("b", call(2)), row("c", call(3))), 100.0)
    inbox.tell("0/c/r-3", Outcome("approved"))
    assert inbox.after("0/c/r-3") == "0/a/r-1"
    for key in ("0/a/r-1", "0/b/r-2"):
        inbox.tell(key, Outcome("approved"))
    assert inbox.after("0/a/r-1") == "0/a/r-1"
    assert Inbox().after("x") == "x"


def test_equal_are_those_with_the_same_tool_and_arguments_however_they_are_written():
    one = {"command": "make", "timeout_s": 3}
    rows = (
        row("a", call(1, arguments=json.dumps(one))), row("b", call(2, arguments='{"timeout_s":3,"command":"make"}')),
        row("c", call(3, arguments='{"command": "make"}')), row("d", call(4, arguments=json.dumps(one), tool="other.make")),
        row("e", call(5, arguments=json.dumps(one), cwd="/elsewhere")),
    )  # fmt: skip
    inbox = Inbox()
    inbox.take(snapshot(*rows), 0.0)
    assert [each.approval.id for each in inbox.equals("0/b/r-2")] == ["r-2", "r-1", "r-5"]
    inbox.tell("0/a/r-1", Outcome("approved"))
    assert [each.approval.id for each in inbox.equals("0/b/r-2")] == ["r-2", "r-5"]
    assert inbox.equals("0/a/r-1") == ()
    assert inbox.equals("nothing") == ()


def test_two_decks_may_have_the_same_run():
    rows = (row("a", call(1)), row("a", call(1), deck=1))
    assert len({one.key for one in waiting(snapshot(*rows))}) == 2


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (Decide(by="me", approval="x", approved=True), "approved"),
        (Decide(by="me", approval="x", approved=True, arguments="{}"), "approved as edited"),
        (Decide(by="me", approval="x", approved=True, always="bash"), "approved as a rule"),
        (Decide(by="me", approval="x", approved=False, why="no"), "denied"),
    ],
)
def test_an_answer_in_words(command, word):
    assert outcome_of(command).word == word


@pytest.mark.parametrize(("expires", "gone"), [("", False), ("2026-11-21T07:15:00Z", True), ("2126-11-21T07:15:00Z", False)])
def test_what_has_expired_can_only_be_denied(expires, gone):
    (one,) = waiting(snapshot(row("a", call(1, expires=expires))))
    assert one.expired(1_800_000_000.0) is gone


# When a key may answer


def ready() -> Guard:
    guard = Guard()
    guard.face(10.0)
    guard.on_screen(0, 20, 20)
    return guard


def test_nothing_is_answered_in_the_first_half_second():
    guard = ready()
    assert guard.refusal(10.0 + READY_S - 0.01, allows=True)
    assert guard.refusal(10.0 + READY_S - 0.01, allows=False)
    assert not guard.refusal(10.0 + READY_S, allows=True)
    guard.face(20.0)
    assert guard.refusal(20.1, allows=True)


def test_nothing_is_answered_before_it_is_shown():
    guard = Guard()
    assert guard.refusal(1e9, allows=False)
    guard.face(10.0)
    assert guard.refusal(20.0, allows=False)
    guard = ready()
    guard.hide()
    assert guard.refusal(20.0, allows=True)


def test_a_clock_that_is_set_back_opens_nothing_and_closes_nothing_for_good():
    guard = ready()
    assert guard.refusal(5.0, allows=True)
    assert guard.refusal(5.2, allows=True)
    assert not guard.refusal(5.0 + READY_S, allows=True)


def test_all_of_it_has_to_be_on_the_screen_before_it_is_allowed_but_not_before_it_is_denied():
    guard = Guard()
    guard.face(0.0)
    guard.on_screen(0, 20, 50)
    assert "30 lines" in guard.refusal(9.0, allows=True)
    assert not guard.refusal(9.0, allows=False)
    guard.on_screen(30, 50, 50)
    assert "30 lines" in guard.refusal(9.0, allows=True)
    guard.on_screen(19, 39, 50)
    guard.on_screen(30, 50, 50)
    assert not guard.refusal(9.0, allows=True)
    guard.on_screen(0, 20, 51)
    assert guard.refusal(9.0, allows=True)


def test_a_screen_without_a_line_shows_nothing():
    guard = Guard()
    guard.face(0.0)
    guard.on_screen(0, 0, 1)
    assert guard.refusal(9.0, allows=True)


def test_the_second_key_comes_soon_after_the_first():
    guard = ready()
    assert not guard.armed(11.0)
    guard.arm(11.0)
    assert guard.armed(11.0 + ARMED_S)
    assert not guard.armed(11.1 + ARMED_S)
    assert not guard.armed(10.9)
    guard.face(12.0)
    assert not guard.armed(12.0)


@given(
    total=st.integers(1, 60),
    height=st.integers(1, 12),
    tops=st.lists(st.integers(0, 60), max_size=40),
)
def test_allowed_means_that_every_line_has_been_on_the_screen(total, height, tops):
    guard = Guard()
    guard.face(0.0)
    seen: set[int] = set()
    for top in (0, *tops):
        guard.on_screen(top, top + height, total)
        seen |= set(range(top, min(top + height, total)))
        if not guard.refusal(99.0, allows=True):
            assert seen >= set(range(total))
        assert 0 <= guard.unread <= total


@given(total=st.integers(1, 200), height=st.integers(1, 30))
def test_paging_on_from_what_was_read_comes_to_the_end(total, height):
    guard = Guard()
    guard.face(0.0)
    top = 0
    for _ in range(total + 1):
        guard.on_screen(top, top + height, total)
        top = min(top + max(1, height - 1), guard.read)
    assert not guard.refusal(99.0, allows=True)
