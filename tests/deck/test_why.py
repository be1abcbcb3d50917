"""Why: every status and every reason of an end has its evidence."""

import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core.happening import Reason, Settings, Signal
from loopdeck.core.lifecycle import Status
from loopdeck.core.run import Run
from loopdeck.deck.answer import answer
from loopdeck.deck.passes import History
from loopdeck.deck.view import HUNG_AFTER_S, RunView, Seen, view
from loopdeck.deck.why import Section, limits, of_pass, why
from tests.core.make import DOLLAR, Story, check, loop, verdict
from tests.deck.test_passes import told

NOW = "2026-11-21T07:20:00Z"
ALIVE = Seen(held=True, beat_age_s=1.0, age_s=60.0, begun=True)
SILENT = Seen(held=True, beat_age_s=HUNG_AFTER_S + 60, age_s=90.0, begun=True)
GONE = Seen(held=False, beat_age_s=75.0, age_s=90.0, begun=True)


def begun(**more) -> Story:
    return Story(loop(check("tests"), check("lint"), max_iterations=4, **more)).begun()


def failing(story: Story, *messages: str) -> Story:
    return story.round(verdict("tests", "failed", *messages), verdict("lint"))


def seen(story: Story, how: Seen = ALIVE, said: str = "") -> RunView:
    return structs.replace(view(story.run, how, "/runs/fix/r1"), said=said)


def asking_verdict() -> Story:
    return begun().iteration().reply().made().tell(ev.VerdictAsked("look"))


def clashing() -> Story:
    return begun().iteration().reply().made().tell(ev.StateClashed("o" * 64, "20261121-0003-maker.md"))


def backing_off() -> Story:
    return begun().iteration().fail("overloaded").tell(ev.WaitStarted("overloaded", 300, "2026-11-21T07:25:00Z", 2))


def calling() -> Story:
    story = begun().iteration().reply("t1:bash")
    story.tell(ev.ToolCallGranted("t1", "bash"))
    return story


def reserved() -> Story:
    story = begun().iteration()
    story.reserve(cost=DOLLAR // 2, cap=4096)
    return story


def spent_out() -> Story:
    story = failing(begun(max_cost=DOLLAR // 100), "a")
    return story.tell(ev.RunEnded("budget", "the next step does not fit into what is left of cost_usd", "cost_usd", best=1))


def ended(reason: Reason, **more) -> Story:
    return failing(begun(), "a").tell(ev.RunEnded(reason, best=1, **more))


def stuck() -> Story:
    story = begun()
    for _ in range(3):
        story.iteration().reply().made().judged(verdict("tests", "failed", "a"), verdict("lint"))
        said = (Signal("same_findings", 3, "stop", "the same 1 finding and score 0.50 x3"), Signal("plateau", 2, "nudge", "flat"))
        story.tell(ev.IterationFinished(story.run.iteration, 0.5, False, "t" * 64, said))
    return story.tell(ev.RunEnded("no_progress", "the same 1 finding", detector="same_findings", best=3))


CASES: dict[str, tuple[RunView, tuple[str, ...]]] = {
    "queued": (seen(Story()), ("waits for a place", "max_runs")),
    "queued, not there yet": (seen(Story(), Seen(held=False, beat_age_s=0, age_s=2.0)), ("runner is being started, 2 s ago",)),
    "running setup": (seen(Story().tell(ev.RunStarted())), ("worktree is being made",)),
    "running maker": (seen(reserved()), ("maker is at work: iteration 1, turn 1", "at most $0.5000 and 4.1k tokens out")),
    "running tool": (seen(calling()), ("bash (t1) runs",)),
    "running checks": (seen(begun().iteration().reply().made().judged(verdict("tests"))), ("the checks judge iteration 1: 1 done",)),
    "running deciding": (seen(failing(begun(), "a")), ("iteration 1 is over",)),
    "pausing": (seen(calling().tell(ev.PauseAsked("olga"))), ("olga wants it to stand still: it will, at the next step",)),
    "held": (seen(calling().tell(ev.HoldSet("olga"))), ("olga wants it to stand still before the next iteration",)),
    "asking approval": (
        seen(begun().iteration().reply("t1:bash").ask("t1")),
        ("approve bash: git push", "high", "expires never", "ago"),
    ),
    "asking verdict": (seen(asking_verdict()), ("your verdict on 'look'",)),
    "asking state": (seen(clashing()), ("both versions are kept", "20261121-0003-maker.md")),
    "waiting": (seen(backing_off()), ("overloaded", "07:25:00Z, 300 s from now", "failure 2 in a row", "overloaded: no")),
    "paused": (seen(calling().ran("t1").tell(ev.PauseAsked("olga"), ev.RunPaused("pause", "olga"))), ("paused by olga",)),
    "held still": (seen(begun().tell(ev.HoldSet("olga"), ev.RunPaused("hold", "olga"))), ("held before its next iteration by olga",)),
    "hung": (seen(calling(), SILENT), ("process 1", "1m", "every 2 s; after 15 s", "bash (t1) runs")),
    "stopping": (seen(calling().tell(ev.StopAsked("olga", "enough", now=True))), ("olga ended it: enough, at once",)),
    "done": (
        seen(begun().round(verdict("tests"), verdict("lint")).tell(ev.RunEnded("done", "every required check passed", best=1))),
        ("every required check passed, in iteration 1", "`./tests` gave 0", "iteration 1, commit 111111111111"),
    ),
    "max_iterations": (seen(ended("max_iterations")), ("all 4 iterations are done",)),
    "budget cost": (seen(spent_out()), ("cost_usd: $0.0000 of $0.0100", "does not fit")),
    "budget tokens": (seen(ended("budget", limit="tokens")), ("tokens: 15 of",)),
    "budget wall": (seen(ended("budget", limit="wall_s")), ("wall_s: ",)),
    "budget calls": (seen(ended("budget", limit="tool_calls_per_iteration")), ("twice in a row",)),
    "no_progress": (seen(stuck()), ("same_findings: 3 iterations in a row, 3 end a run", "x3", "plateau 2 of 3 (nudge): flat")),
    "human": (seen(ended("human", why="enough", by="olga")), ("stopped by olga: enough",)),
    "human, wordless": (seen(ended("human", by="olga")), ("stopped by olga, who gave no reason",)),
    "error": (seen(ended("error", why="the model call failed: auth: no")), ("the model call failed: auth: no",)),
    "lost": (
        seen(calling(), GONE, "no space left on device"),
        ("runner is gone", "no space left on device", "bash: it may have run", "1m"),
    ),
    "lost in a model call": (seen(reserved(), GONE), ("charged in full",)),
    "lost before the first": (seen(Story(), Seen(held=False, beat_age_s=0, age_s=99.0)), ("no runner ever had it",)),
}


def words(sections: tuple[Section, ...]) -> str:
    return "\n".join(f"{line.label} {line.text}" for section in sections for line in section.lines)


@pytest.mark.parametrize("name", CASES)
def test_every_status_and_reason_has_its_evidence(name):
    one, expected = CASES[name]
    said = "\n".join(f"{line.label} {line.text}" for line in answer(one, NOW))
    for part in expected:
        assert part in said, said
    assert why(one, None, NOW)[0].lines[0].text


def test_no_status_and_no_reason_is_left_out():
    statuses = {one.status for one, _ in CASES.values()}
    reasons = {one.reason for one, _ in CASES.values() if one.reason}
    assert statuses == set(typing.get_args(Status)) - {"idle"}
    assert reasons == set(typing.get_args(Reason))
    assert "no run" in why(RunView(Run(), "idle", None, ALIVE, ""), None, NOW)[0].lines[0].text


def test_a_check_that_broke_is_shown_with_its_words():
    broken = verdict("tests", "error")
    broken = structs.replace(broken, evidence=structs.replace(broken.evidence, tail="pytest: command not found"))
    story = begun().iteration().reply().made().judged(broken, broken).tell(ev.RunEnded("error", "it could not be carried out"))
    assert "command not found" in words(why(seen(story), None, NOW))


@pytest.mark.req("S3-11")
def test_money_since_the_last_progress_is_said():
    story = failing(failing(failing(begun(), "a"), "b"), "c")
    said = words(why(seen(story), None, NOW))
    assert "last progress iteration 1; since then $0.0000 in 2 iterations" in said
    assert "last progress never yet" in words(
        why(seen(begun().round(verdict("tests", "failed", "a"), verdict("lint", "failed", "b"))), None, NOW)
    )


def test_limits_count_what_is_set_aside():
    story = begun(max_cost=DOLLAR, max_tokens=10_000)
    story.iteration().reserve(bound=1000, cap=1000, cost=DOLLAR * 9 // 10)
    found = {one.name: one for one in limits(story.run)}
    assert (found["cost"].taken, found["cost"].reserved, found["cost"].share) == (DOLLAR * 9 // 10, DOLLAR * 9 // 10, 0.9)
    assert (found["tokens"].taken, found["tokens"].share) == (2000, 0.2)
    (cost,) = [line for section in why(seen(story), None, NOW) for line in section.lines if line.label == "cost"]
    assert (cost.tone, "$0.9000 set aside" in cost.text, "90 %" in cost.text) == ("warn", True, True)


def test_limits_that_are_not_set_are_said_to_be_none():
    story = begun(max_tokens=None, no_progress=0)
    found = {one.name: one for one in limits(story.run)}
    assert [found[name].share for name in ("tokens", "wall time", "tool calls", "no progress")] == [None] * 4
    assert "the detectors are off" in found["no progress"].shown


def test_how_many_more_iterations_there_is_money_for():
    story = failing(begun(max_cost=600), "a")
    assert {one.name: one.more for one in limits(story.run)}["cost"] == pytest.approx(3.0)
    assert {one.name: one.more for one in limits(story.tell(ev.RunEnded("error")).run)}["cost"] is None


def test_who_did_what():
    story = begun().tell(ev.Nudged("try the parser", "olga", command="c1"))
    story.iteration().reply("t1:bash").ask("t1").tell(ev.ApprovalDecided("a1", False, "pavel", "not today", command="c2"))
    story.tell(ev.CommandTaken("c9", "resume", "olga", "it is not paused"))
    (people,) = [section for section in why(seen(story), told(story), NOW) if section.title == "People"]
    said = [line.text for line in people.lines]
    assert said[0].startswith("2 by people; longest without one ")
    assert said[1] == "anna: start"
    assert "olga: nudge, try the parser, before the first iteration" in said[2]
    assert "approval bash git push: denied by pavel (not today) after 1s, iteration 1" in said[3]
    assert "refused, resume: it is not paused" in said[4]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (ev.RunEnded("human", "enough", by="olga"), "olga: the end, enough"),
        (ev.RunEnded("budget", limit="cost_usd"), "loopdeck: the end, budget: cost_usd"),
        (ev.RunEnded("done"), "loopdeck: the end, done"),
    ],
)
def test_who_ended_it_is_the_last_of_what_was_done(end, said):
    story = failing(begun(), "a").tell(end)
    (people,) = [section for section in why(seen(story), told(story), NOW) if section.title == "People"]
    assert people.lines[-1].text == said


def test_a_budget_that_is_spent_says_what_the_next_call_would_have_taken_and_what_was_left():
    story = failing(begun(max_cost=DOLLAR), "a").tell(ev.LimitReached("cost_usd", "maker", DOLLAR // 10, DOLLAR // 5))
    said = words(why(seen(story.tell(ev.RunEnded("budget", "…", "cost_usd"))), told(story), NOW))
    assert "did not fit the next call of the maker sets aside $0.2000 at least; left is $0.1000" in said


def test_tokens_that_are_spent_are_counted_in_tokens():
    story = failing(begun(max_tokens=9000), "a").tell(ev.LimitReached("tokens", "maker", 12, 1))
    said = words(why(seen(story.tell(ev.RunEnded("budget", "…", "tokens"))), told(story), NOW))
    assert "sets aside 1 token at least; left is 12 tokens" in said


def test_while_it_runs_the_worst_case_of_a_call_stands_beside_what_is_left():
    story = begun(max_cost=DOLLAR, max_tokens=10_000)
    story.iteration().reserve(bound=1000, cap=1000, cost=DOLLAR // 4)
    said = words(why(seen(story), told(story), NOW))
    assert "next call one like the last, of the maker, sets aside $0.2500, 1.0k tokens in, 1.0k out" in said
    assert "$0.7500 and 8.0k tokens left to set aside" in said
    assert "$0.7500 left" in said


def test_an_open_question_is_among_them():
    story = begun().iteration().reply("t1:bash").ask("t1")
    (people,) = [section for section in why(seen(story), told(story), NOW) if section.title == "People"]
    assert (people.lines[-1].tone, "open, asked" in people.lines[-1].text) == ("ask", True)


def test_the_runner_and_its_lives():
    story = begun().iteration().crash()
    one = structs.replace(seen(story, GONE), damage="journal.jsonl:9: the checksum is wrong")
    said = words(why(one, told(story), NOW))
    for part in ("process 2, life 2, epoch 2, gone", "life 2 goes on, as process 2", "the checksum is wrong", "runner started"):
        assert part in said, said


def test_verdict_history_has_every_iteration():
    story = failing(failing(begun(), "a", "b"), "a")
    (found,) = [section for section in why(seen(story), told(story), NOW) if section.title == "Verdicts"]
    assert [(line.label, line.text) for line in found.lines] == [
        ("iteration 1", "✗ tests failed (2 findings), ✓ lint passed"),
        ("iteration 2", "✗ tests failed (1 finding), ✓ lint passed"),
    ]


def test_what_went_wrong_in_an_iteration():
    story = begun().iteration().fail("server").fail("server").reply("t1:bash").ran("t1", problem="tool_failed")
    history = told(story)
    assert [(one.label, one.text) for one in of_pass(history.passes[0], history)] == [
        ("model failed", "x2  server: no"),
        ("tool failed", "x1  bash (t1)"),
    ]


WISHES = st.lists(
    st.sampled_from([
        ev.PauseAsked("olga"), ev.HoldSet("olga"), ev.Nudged("\x1b]0;x\x07[/bold]", "olga"), ev.NoticeRaised("x"),
        ev.SettingChanged("max_iterations", "4", "9", "olga", Settings(max_iterations=9)), ev.CommandTaken("c", "kill", "olga", "no"),
    ]),
    max_size=6,
)  # fmt: skip


@given(st.sampled_from(sorted(CASES)), WISHES, st.sampled_from([ALIVE, SILENT, GONE]))
@settings(max_examples=60)
def test_there_is_always_an_answer(name, wishes, how):
    run = CASES[name][0].run
    story = Story()
    for wish in wishes if run.status != "ended" else ():
        story.tell(wish)
    for one in (view(run, how, "/r"), view(story.run, how, "/r")):
        history: History | None = told(story) if one.run is story.run else None
        sections = why(one, history, NOW)
        assert sections[0].lines[0].text
        assert all(line.text and line.label for section in sections for line in section.lines)
