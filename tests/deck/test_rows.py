"""Rows as pure values: who needs the operator first, and what a row says of a run."""

import random
from itertools import pairwise

import pytest
from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core.lifecycle import Status
from loopdeck.core.run import Approval
from loopdeck.core.spec import Experiment, Maker, MetricSource, Trigger
from loopdeck.core.usage import Usage
from loopdeck.deck.attention import attention, moment, order
from loopdeck.deck.burn import LEAST_S, WINDOW_S, Burn
from loopdeck.deck.facts import layers_of, trigger_words
from loopdeck.deck.rows import Known, Sums, finished, idle_row, run_row, same, whole
from loopdeck.deck.snapshot import LoopRow
from loopdeck.deck.view import Seen, view
from tests.core.make import Story, loop, verdict

HELD = Seen(True, 0.5, 100.0, True)


def row_of(story: Story, seen: Seen = HELD) -> LoopRow:
    run = story.run
    return run_row(view(run, seen, "/runs/fix/r1"), Known("0/fix", 0), whole(run, finished(run, Sums(), "2026-11-21T00:00:00Z")))


@pytest.mark.parametrize(
    ("status", "reason", "more", "expected"),
    [
        ("asking", None, {}, "asking"),
        ("asking", None, {"damaged": True}, "asking"),
        ("hung", None, {}, "broken"),
        ("running", None, {"damaged": True}, "broken"),
        ("ended", "lost", {}, "broken"),
        ("ended", "error", {"unread": 9}, "broken"),
        ("ended", "done", {"unread": 9}, "unread"),
        ("ended", "budget", {"unread": 1}, "unread"),
        ("waiting", None, {}, "waiting"),
        ("paused", None, {"unread": 5}, "waiting"),
        ("running", None, {}, "working"),
        ("stopping", None, {}, "working"),
        ("queued", None, {}, "queued"),
        ("ended", "done", {}, "quiet"),
        ("ended", "human", {}, "quiet"),
        ("idle", None, {}, "quiet"),
    ],
)
def test_how_much_a_run_needs_the_operator(status, reason, more, expected):
    assert attention(status, reason, **more) == expected


def _row(loop_name: str, status: Status, **more) -> LoopRow:
    said = attention(status, more.get("reason"), unread=more.get("unread", 0))
    return LoopRow(key=f"0/{loop_name}", deck=more.pop("deck", 0), loop=loop_name, run="r", status=status, attention=said, **more)


def _approval(since: str) -> Approval:
    return Approval("a1", "c", "bash", "git push", "{}", "/w", "bash", "high", "d", since)


IN_ORDER = [
    _row("z-asks-longest", "asking", approvals=(_approval("2026-11-21T07:00:00Z"),), last_at=9e9),
    _row("a-asks", "asking", approvals=(_approval("2026-11-21T08:00:00Z"),), last_at=9e9),
    _row("a-verdict", "asking", last_at=moment("2026-11-21T09:00:00Z")),
    _row("z-broke-last", "ended", reason="error", ended_at=200.0),
    _row("a-broke", "ended", reason="lost", ended_at=100.0),
    _row("a-hangs", "hung"),
    _row("a-waits", "waiting"),
    _row("b-paused", "paused"),
    _row("z-unread", "ended", reason="done", unread=5, ended_at=300.0),
    _row("a-unread", "ended", reason="done", unread=500, ended_at=100.0),
    _row("a-works", "running", cost=9),
    _row("b-works", "running", cost=1),
    _row("a-works", "running", deck=1),
    _row("z-queued-first", "queued", last_at=1.0),
    _row("a-queued", "queued", last_at=2.0),
    _row("a-idle", "idle"),
    _row("b-done", "ended", reason="done", ended_at=900.0),
]


@pytest.mark.req("S2-009")
@pytest.mark.parametrize("seed", range(5))
def test_who_needs_the_operator_most_comes_first(seed):
    rows = list(IN_ORDER)
    random.Random(seed).shuffle(rows)
    assert sorted(rows, key=order) == IN_ORDER
    assert all(order(one) < order(other) for one, other in pairwise(IN_ORDER))


def test_what_changes_by_itself_changes_no_place():
    row = _row("fix", "running", rate=5, cost=7, last_at=100.0, clock_s=3.0)
    assert order(row) == order(structs.replace(row, rate=9, cost=10**12, last_at=200.0, clock_s=99.0, beat_age_s=7.0, iteration=9))


def test_an_asking_run_says_what_for():
    story = Story().begun().iteration().reply("c1:bash").ask("c1")
    row = row_of(story)
    assert (row.status, row.attention, row.asking, row.asking_for) == ("asking", "asking", "approval", "a1")
    assert [one.summary for one in row.approvals] == ["git push"]
    held = row.approvals[0]
    story.tell(ev.ApprovalDecided("a1", True, "anna", command="c"))
    # What was handed over does not change under the reader's fold.
    assert not held.decided
    assert row_of(story).approvals == ()


@pytest.mark.req("S3-11")
def test_money_since_the_score_last_rose():
    story = Story().begun()
    first = story.round(verdict(score=0.0)).run.spend.cost
    assert row_of(story).since_progress == first
    story.round(verdict(score=0.5))
    assert row_of(story).since_progress == 0
    story.round(verdict(score=0.5)).round(verdict(score=0.4))
    row = row_of(story)
    assert row.since_progress == (row.cost or 0) - 2 * first
    assert row.scores == (0.0, 0.5, 0.5, 0.4)
    story.round(verdict(score=0.6))
    assert row_of(story).since_progress == 0


@pytest.mark.req("S2-035")
def test_the_checkers_share_of_cost_and_time():
    story = Story().begun().iteration().reply().made()
    call = story.reserve(role="check", cost=5_000)
    story.tell(ev.ModelCallSettled(call, Usage(10, 5), 4_000))
    story.judged(structs.replace(verdict(), seconds=2.5)).finished()
    row = row_of(story)
    assert (row.checker_cost, row.checker_s) == (4_000, 2.5)
    assert row.cost is not None
    assert row.checker_cost < row.cost


@pytest.mark.req("S2-006", "S2-009")
def test_touches_and_the_longest_stretch_alone():
    story = Story().begun().iteration()
    story.tell(ev.Nudged("Mind zero.", "anna", command="c1"), clock=40.0)
    story.tell(ev.CommandTaken("c1", "nudge", "anna"), clock=41.0)
    story.tell(ev.NoticeRaised("x"), clock=60.0)
    row = row_of(story)
    assert (row.touches, row.alone_s) == (1, 40.0)
    story.tell(ev.NoticeRaised("y"), clock=100.0)
    assert row_of(story).alone_s == 60.0


def test_sums_carried_on_are_those_made_at_once():
    story = Story().begun()
    sums = Sums()
    for number in range(6):
        story.round(verdict(score=number % 3 / 3, outcome="failed"))
        sums = finished(story.run, sums, "2026-11-21T00:00:00Z")
        assert whole(story.run, sums) == whole(story.run, finished(story.run, Sums(), "2026-11-21T00:00:00Z"))
    assert sums.done == 5


def test_what_was_spent_today_is_what_began_today():
    story = Story().begun().round().round()
    spent = story.run.spend.cost
    assert whole(story.run, finished(story.run, Sums(), "2026-11-21T00:00:00Z")).today == spent
    assert whole(story.run, finished(story.run, Sums(), "2026-11-22T00:00:00Z")).today == 0


def test_the_last_refused_commands_are_told():
    story = Story().begun()
    for number in range(5):
        story.tell(ev.CommandTaken(f"c{number}", "set", "anna", refused=f"no {number}"))
    row = row_of(story)
    assert row.refused == (("c2", "no 2"), ("c3", "no 3"), ("c4", "no 4"))
    assert row.touches == 0


def test_a_breath_is_no_news_and_silence_is_told_in_whole_seconds():
    story = Story().begun()
    rows = [row_of(story, Seen(True, age, 100.0, True)) for age in (0.1, 5.9, 7.2, 7.9)]
    assert [row.beat_age_s for row in rows] == [0.0, 0.0, 7.0, 7.0]
    assert same(rows[0], rows[1])
    assert same(rows[2], rows[3])
    assert not same(rows[1], rows[2])


def test_an_idle_loop_is_a_row_without_a_run():
    row = idle_row(Known("0/later", 0), "later")
    assert (row.run, row.status, row.attention, row.cost) == ("", "idle", "quiet", 0)


@pytest.mark.req("S2-025")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, (1, 2)),
        ({"trigger": Trigger(cron="0 7 * * *")}, (1, 2, 3)),
        ({"trigger": Trigger(cron="0 7 * * *", enabled=False)}, (1, 2)),
        ({"trigger": Trigger(timezone="Europe/Berlin")}, (1, 2)),
        ({"experiment": Experiment("./run", MetricSource("x: (.*)"))}, (1, 2, 4)),
        ({"maker": Maker("scripted", "m", tools=())}, (2,)),
        ({"maker": Maker("claude", tools=())}, (1, 2)),
        ({"trigger": Trigger(after="other"), "experiment": Experiment("./run", MetricSource("x: (.*)"))}, (1, 2, 3, 4)),
    ],
)
def test_which_of_the_four_layers_are_on(change, expected):
    assert layers_of(structs.replace(loop(), **change)) == expected


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (Trigger(), ""),
        (Trigger(every_s=5400), "every 90m"),
        (Trigger(every_s=7200), "every 2h"),
        (Trigger(every_s=45), "every 45s"),
        (Trigger(webhook="github", on=("pull_request.opened",)), "webhook github pull_request.opened"),
        (Trigger(cron="0 7 * * 1", watch=("docs/**", "src/**")), "cron 0 7 * * 1, watch docs/**, src/**"),
        (Trigger(git="main", enabled=False), "git main (off)"),
    ],
)
def test_triggers_in_words(trigger, words):
    assert trigger_words(trigger) == words


def test_a_rate_is_over_what_has_been_and_what_is_old_is_forgotten():
    burn = Burn()
    burn.add(1000.0, 600)
    assert burn.rate(995.0, 1000.0) == 600 * 3600 / LEAST_S
    assert burn.rate(880.0, 1000.0) == 600 * 3600 / 120
    burn.add(1100.0, 300)
    assert burn.rate(0.0, 1100.0) == 900 * 3600 / WINDOW_S
    assert burn.rate(0.0, 1000.0 + WINDOW_S) == 300 * 3600 / WINDOW_S
    burn.recall([(1090.0, 10), (1095.0, 20)])
    assert burn.first == 1090.0
    assert burn.rate(0.0, 1395.0) == 300 * 3600 / WINDOW_S
    assert burn.rate(0.0, 2000.0) == 0
    assert not burn


def test_a_time_that_is_none_is_the_beginning_of_all_time():
    assert moment("") == moment("yesterday") == 0.0
    assert moment("1970-01-01T00:01:00Z") == 60.0
