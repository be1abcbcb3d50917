"""A run's history by iteration, out of its events."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import events as ev
from loopdeck.core import fold
from loopdeck.core.happening import Settings
from loopdeck.deck.chronicle import Chronicle
from loopdeck.deck.passes import History, between
from tests.core.make import DOLLAR, Story, check, loop, verdict


def told(story: Story) -> History:
    """The history of what `story` told."""
    book = Chronicle()
    for event, stamp in story.entries:
        book.take(event, stamp)
    return book.history()


def small(**more) -> Story:
    return Story(loop(check("tests"), check("lint"), max_iterations=9, **more)).begun()


def test_verdicts_and_findings_stay_with_their_iteration():
    story = small()
    story.round(verdict("tests", "failed", "a is wrong", "b is wrong"), verdict("lint"))
    story.round(verdict("tests", "failed", "b is wrong"), verdict("lint", "failed", "too long"))
    story.round(verdict("tests"), verdict("lint"))
    first, second, third = told(story).passes
    assert [one.message for one in first.findings] == ["a is wrong", "b is wrong"]
    assert [one.outcome for one in second.verdicts] == ["failed", "failed"]
    assert (first.first_failing, second.first_failing, third.first_failing) == ("tests", "tests", "")
    assert [one.over for one in (first, second, third)] == [True] * 3
    assert third.findings == ()
    assert first.state_after == "t" * 64
    assert told(story).first_failing is not None


def test_the_fold_is_the_runs_own():
    story = small().round(verdict("tests", "failed", "no"), verdict("lint"))
    seen = told(story)
    assert seen.run == story.run
    assert [one.iteration for one in seen.passes] == story.run.iterations
    assert seen.last == "iteration_finished"


def test_what_is_handed_out_never_changes():
    book = Chronicle()
    story = small().iteration()
    for event, stamp in story.entries:
        book.take(event, stamp)
    before = book.history()
    spent = msgspec.json.encode((before.run, [one.iteration for one in before.passes]))
    story.reply("bash").ran("m1-1").reply().made().judged(verdict("tests"), verdict("lint")).finished()
    for event, stamp in story.entries[len(before.run.iterations) + 4 :]:
        book.take(event, stamp)
    assert msgspec.json.encode((before.run, [one.iteration for one in before.passes])) == spent
    assert not before.passes[0].over
    assert book.history().passes[0].over


def test_a_running_iteration_has_what_it_has_so_far():
    story = small().iteration().reply().made().judged(verdict("tests", "failed", "no"))
    (now,) = told(story).passes
    assert (now.over, now.state_after, now.checker_time_share) == (False, "", None)
    assert [one.message for one in now.findings] == ["no"]


def test_checks_that_were_not_run_are_named_and_their_findings_stay_open():
    spec = loop(check("tests"), check("look", rubric=True), max_iterations=9)
    story = Story(spec).begun().round(verdict("tests"), verdict("look", "failed", "dull"))
    story.iteration().reply().made().judged(verdict("tests", "failed", "no")).tell(
        ev.CheckSkipped("look", "waits for tests")
    ).finished()
    second = told(story).passes[1]
    assert second.skipped == (("look", "waits for tests"),)
    assert [one.message for one in second.findings] == ["no", "dull"]


def test_an_approval_is_a_wait_with_its_answer():
    story = small().iteration().reply("t1:bash").ask("t1")
    waits = told(story).waits
    assert [(one.awaited, one.subject, one.until, one.seconds) for one in waits] == [("approval", "bash git push", "", None)]
    story.tell(ev.NoticeRaised("meanwhile"), ev.ApprovalDecided("a1", False, "olga", "not today"))
    (answered,) = told(story).waits
    assert (answered.answer, answered.by, answered.why, answered.seconds) == ("denied", "olga", "not today", 2.0)


ANSWERED = {
    "edited": (ev.ApprovalDecided("a1", True, "olga", arguments="{}"), "approved as edited"),
    "always": (ev.ApprovalDecided("a1", True, "olga", always="bash(git push)"), "approved, from now on bash(git push)"),
    "always, for a time": (
        ev.ApprovalDecided("a1", True, "olga", always="bash(git push)", for_s=7200.0),
        "approved, from now on bash(git push) for 2h",
    ),
    "never for a denial": (ev.ApprovalDecided("a1", False, "olga", always="bash(git push)"), "denied"),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_how_an_approval_was_given(name):
    event, words = ANSWERED[name]
    assert told(small().iteration().reply("t1:bash").ask("t1").tell(event)).waits[0].answer == words


def test_pauses_back_offs_and_verdicts_are_waits():
    story = small().iteration().fail("overloaded")
    story.tell(ev.WaitStarted("overloaded", 0.5, "2026-11-21T07:15:00Z", 1), ev.PauseAsked("olga"), ev.RunPaused("pause", "olga"))
    story.tell(ev.RunResumed("pavel"))
    story.reply().made().tell(ev.VerdictAsked("look"), ev.VerdictGiven("look", True, "olga"))
    seen = told(story)
    kinds = [(one.awaited, one.subject, one.answer, one.by, one.of_person) for one in seen.waits]
    assert kinds == [
        ("back_off", "overloaded", "", "", False),
        ("pause", "olga", "resumed", "pavel", True),
        ("verdict", "look", "passed", "olga", True),
    ]
    assert all(one.until for one in seen.waits)
    assert [(one.deed, one.by) for one in seen.touches] == [("pause", "olga")]


def test_a_stop_ends_what_is_waited_for():
    story = small().iteration().reply("t1:bash").ask("t1").tell(ev.StopAsked("olga", "enough"))
    seen = told(story)
    assert (seen.waits[0].answer, seen.waits[0].by) == ("stopped", "")
    assert [(one.deed, one.text) for one in seen.touches] == [("stop", "enough")]


def test_what_people_do_unasked():
    story = small().tell(
        ev.Nudged("try the parser", "olga"),
        ev.SettingChanged("max_iterations", "9", "12", "olga", Settings(max_iterations=12, max_cost=DOLLAR)),
        ev.HoldSet("olga"),
        ev.CommandTaken("c1", "resume", "pavel", "it is not paused"),
        ev.RunResumed("olga"),
    )
    seen = told(story.iteration())
    assert [(one.iteration, one.deed, one.text) for one in seen.touches] == [
        (0, "nudge", "try the parser"),
        (0, "set", "max_iterations: 9 → 12"),
        (0, "hold", ""),
        (0, "refused", "resume: it is not paused"),
        (0, "resume", ""),
    ]
    assert seen.passes[0].told == ("try the parser",)


def test_trouble_is_labelled_and_never_mixed_up():
    story = small().iteration().fail("server").reply("t1:bash", "t2:bash", "t3:bash")
    story.ran("t1", problem="tool_failed")
    story.tell(ev.ToolCallRefused("t2", "bash", "bash(rm)", "no"), ev.ToolCallGranted("t3", "bash")).crash().tell(
        ev.ToolCallLost("t3", "bash")
    )
    story.reply(problem="malformed_output").tell(ev.LimitReached("tokens", "maker", 12))
    story.made().judged(verdict("tests", "error"), verdict("tests"))
    regressed = msgspec.structs.replace(verdict("lint", "failed", "no").findings[0], regression=True)
    story.judged(msgspec.structs.replace(verdict("lint", "failed", "no"), findings=(regressed,)))
    assert told(story).labels(1) == {
        "model_failed": 1, "tool_failed": 1, "tool_refused": 1, "runner_died": 1, "tool_lost": 1, "malformed_output": 1, "no_room": 1,
        "check_broke": 1, "regression": 1,
    }  # fmt: skip
    assert told(story).labels(2) == {}
    assert [one.outcome for one in told(story).passes[0].verdicts] == ["passed", "failed"]


def test_new_and_repeated_are_counted():
    found = verdict("tests", "failed", "a", "b").findings
    again = msgspec.structs.replace(
        verdict("tests", "failed", "a", "b"), findings=(msgspec.structs.replace(found[0], seen=3), found[1])
    )
    (one,) = told(small().round(again, verdict("lint"))).passes
    assert (one.new, len(one.findings)) == (1, 2)


@pytest.mark.req("S2-035")
def test_the_checks_share_of_the_time():
    slow = msgspec.structs.replace(verdict("tests"), seconds=2.0)
    story = small().round(slow, verdict("lint"))
    (one,) = told(story).passes
    assert one.checker_time_share == pytest.approx(2.0 / one.iteration.seconds)


def test_a_dead_lifes_events_do_not_count():
    story = small().iteration()
    stale = fold.Stamp("2026-11-21T07:30:00Z", 99.0, 0)
    story.entries.append((ev.Nudged("from the past", "ghost"), stale))
    assert told(story).touches == ()


def test_times():
    assert between("2026-11-21T07:15:00Z", "2026-11-21T07:15:01.5Z") == 1.5
    assert between("2026-11-21T07:15:01Z", "2026-11-21T07:15:00Z") == 0.0
    assert between("2026-11-21T07:15:01Z", "") is None


OUTCOMES = st.lists(st.sampled_from(["passed", "failed"]), min_size=1, max_size=5)


@given(OUTCOMES, st.integers(0, 40))
@settings(max_examples=40)
def test_all_at_once_or_as_they_come(outcomes, cut):
    story = small(no_progress=0)
    for number, outcome in enumerate(outcomes):
        messages = (f"wrong {number % 2}",) if outcome == "failed" else ()
        story.iteration().reply("bash").ran(f"m{story._calls}-1").reply().made()
        story.judged(verdict("tests", outcome, *messages), verdict("lint", outcome, *messages)).finished()
    book = Chronicle()
    for number, (event, stamp) in enumerate(story.entries):
        if number == cut:
            book.history()
        book.take(event, stamp)
    once, later = told(story), book.history()
    assert [msgspec.to_builtins(one) for one in once.passes] == [msgspec.to_builtins(one) for one in later.passes]
    assert (once.run, once.waits, once.touches, once.troubles) == (later.run, later.waits, later.touches, later.troubles)
    assert [one.number for one in once.passes] == list(range(1, len(outcomes) + 1))
