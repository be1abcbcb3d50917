"""The fold, rule by rule: what each event makes of a run, above all where a crash or a person came in between."""

import pytest
from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core.fold import Stamp, apply, fold
from loopdeck.core.happening import CallAsked
from loopdeck.core.run import Run
from loopdeck.core.usage import Usage
from loopdeck.errors import Bug
from tests.core.make import DOLLAR, Story, check, loop, verdict


def test_the_head_of_a_journal_says_what_was_frozen_at_the_start():
    run = Story(loop(max_iterations=7)).run
    assert (run.loop, run.id, run.status, run.phase) == ("fix", "r1", "queued", None)
    assert (run.spec_hash, run.exit_hash, run.harness, run.by) == ("sp", "ex", "ha", "anna")
    assert run.settings.max_iterations == 7
    assert (run.pid, run.life) == (1, 1)


def test_phases_follow_each_other():
    story = Story()
    assert story.tell(ev.RunStarted()).run.phase == "setup"
    story.tell(ev.WorkspacePrepared("/w", "b", "base", ("dirty",)))
    assert (story.run.phase, story.run.commit, story.run.notices) == ("deciding", "base", ["dirty"])
    assert story.iteration().run.phase == "maker"
    assert story.reply().run.iterations[0].turns == 1
    assert story.made().run.phase == "checks"
    assert story.judged(verdict()).finished().run.phase == "deciding"
    assert story.ended().run.phase is None
    run, stamps = story.run, {type(event): stamp.at for event, stamp in story.entries}
    assert (run.queued_at, run.started_at, run.ended_at) == tuple(stamps[kind] for kind in (ev.RunQueued, ev.RunStarted, ev.RunEnded))


# Money


def test_a_settled_call_takes_its_reservation_away_and_counts_for_run_and_iteration():
    story = Story().begun().iteration()
    call = story.reserve(bound=100, cap=50, cost=1500)
    assert story.run.reserved[call].life == 1
    story.tell(ev.ModelCallSettled(call, Usage(60, 20, 30, 10), 900))
    assert story.run.reserved == {}
    for spend in (story.run.spend, story.run.iterations[0].spend):
        assert (spend.usage, spend.cost, spend.model_calls) == (Usage(60, 20, 30, 10), 900, 1)
    assert story.run.iterations[0].check_spend.model_calls == 0


@pytest.mark.parametrize("role", ["maker", "check"])
def test_a_call_of_a_dead_life_is_charged_in_full(role):
    story = Story().begun().iteration()
    story.reserve(bound=100, cap=50, cost=1500, role=role)
    story.crash()
    assert story.run.reserved == {}
    assert (story.run.spend.usage, story.run.spend.cost) == (Usage(100, 50), 1500)
    assert story.run.spend.certainty == "estimated"
    assert story.run.iterations[0].check_spend.cost == (1500 if role == "check" else 0)


def test_what_the_dead_life_still_hears_is_not_charged_again():
    story = Story().begun().iteration()
    call = story.reserve(cost=1500)
    story.crash()
    spent = story.run.spend.cost
    late = ev.ModelCallSettled(call, Usage(1, 1), 2)
    apply(story.run, late, Stamp("late", 50.0, 1))
    assert story.run.spend.cost == spent
    story.tell(late)  # nor if the new life should say it
    assert story.run.spend.cost == spent
    assert story.run.turns == 0


def test_a_crashed_maker_call_is_neither_a_turn_nor_a_failure():
    story = Story().begun().iteration()
    story.reserve()
    story.crash()
    assert (story.run.turns, story.run.failures, story.run.retry) == (0, 0, None)


def test_a_call_under_way_when_the_run_ends_is_charged_in_full():
    story = Story().begun().iteration()
    story.reserve(bound=7, cap=8, cost=90)
    story.ended("lost")
    assert (story.run.reserved, story.run.spend.cost, story.run.spend.usage.tokens) == ({}, 90, 15)


def test_a_cost_that_is_not_known_is_none_and_never_nothing():
    story = Story().begun().iteration()

    def costs(**reply):
        return story.reply(**reply).run.cost

    assert costs(cost=None, usage=Usage()) == 0, "nothing was taken, so nothing is unknown"
    assert costs(cost=7) == 7
    assert costs(cost=None) is None
    assert costs(cost=5) is None


def test_the_kind_of_a_cost_is_that_of_its_least_certain_part():
    story = Story().begun().iteration()

    def settle(certainty):
        story.tell(ev.ModelCallSettled(story.reserve(), Usage(1, 1), 2, certainty))
        return story.run.spend.certainty

    assert [settle(one) for one in ("metered", "priced", "metered", "estimated", "priced")] == [
        "metered", "priced", "priced", "estimated", "estimated",
    ]  # fmt: skip


# The maker's part


def test_an_iteration_starts_with_a_clean_slate_but_keeps_what_is_the_runs():
    story = Story().begun().iteration().reply("t1:bash").ran("t1", problem="malformed_output").fail()
    story.reply().made("tool_calls").judged(verdict("tests", "failed", "no")).finished()
    over = story.run.over_calls
    story.iteration()
    run = story.run
    assert (run.turns, run.tool_calls, run.malformed, run.failures, run.patience) == (0, 0, 0, 0, 0)
    assert (run.calls, run.signatures, run.verdicts, run.skipped, run.check_tries, run.given) == ([], [], [], [], {}, {})
    assert (run.replied, run.committed, run.maker_end, run.retry, run.fatal) == (False, False, None, None, None)
    assert run.over_calls == over == 1
    assert run.spend.tool_calls == 1
    assert run.session == "after m3"
    assert [one.check for one in run.findings] == ["tests", "maker"]


def test_only_replies_of_the_maker_are_turns():
    story = Story().begun().iteration()
    call = story.reserve(role="check")
    story.tell(ev.ModelCallSettled(call, Usage(1, 1), 2, asked=(CallAsked("x", "bash"),)))
    assert (story.run.turns, story.run.calls) == (0, [])


@pytest.mark.parametrize(("stop", "replied"), [("end", True), ("refused", True), ("max_output", False), ("tools", False)])
def test_a_reply_without_calls_ends_the_makers_part_only_if_it_came_to_its_end(stop, replied):
    story = Story().begun().iteration().reply(stop=stop)
    assert story.run.replied is replied
    assert story.run.maker_end == ("refused" if stop == "refused" else None)


def test_two_calls_of_one_id_are_one():
    story = Story().begun().iteration().reply("t1:bash", "t2:grep", "t1:bash")
    assert [(one.id, one.tool) for one in story.run.calls] == [("t1", "bash"), ("t2", "grep")]
    story.ran("t1").ran("t2")
    assert all(one.status == "finished" for one in story.run.calls)


@pytest.mark.req("S2-093")
def test_malformed_output_is_counted_in_a_row_and_apart_from_failing_tools():
    story = Story().begun().iteration().reply("a:bash", "b:bash", "c:bash", "d:bash", "e:bash")
    counts = []

    def told(*events):
        story.tell(*events)
        counts.append(story.run.malformed)

    told(ev.ToolCallRefused("a", "bash", problem="malformed_output"))
    told(ev.ToolCallGranted("b", "bash"), ev.ToolCallFinished("b", "bash", problem="malformed_output"))
    told(ev.ToolCallGranted("c", "bash"), ev.ToolCallFinished("c", "bash", problem="tool_failed"))
    told(ev.ToolCallRefused("d", "bash", problem="malformed_output"))
    told(ev.ToolCallRefused("e", "bash", why="a rule says no"))
    assert counts == [1, 2, 0, 1, 0]
    story.reply(problem="malformed_output").reply(problem="malformed_output")
    assert story.run.malformed == 2
    assert story.reply(stop="max_output").run.malformed == 0


@pytest.mark.parametrize(("failure", "failures", "patience"), [("server", 1, 0), ("rate_limit", 0, 1), ("overloaded", 0, 1)])
def test_a_busy_provider_is_no_failure(failure, failures, patience):
    run = Story().begun().iteration().fail(failure, retry_after=7.0).run
    assert (run.failures, run.patience, run.fatal) == (failures, patience, None)
    assert run.retry is not None
    assert (run.retry.cause, run.retry.after, run.retry.attempt) == (failure, 7.0, 1)


def test_a_session_is_handed_on_and_lost_by_no_failure():
    story = Story().begun().iteration().reply()
    assert story.fail().run.session == "after m1"
    story.tell(ev.ModelCallSettled(story.reserve(), failure="cut", session="half of m3"))
    assert story.run.session == "half of m3"
    assert story.crash().run.session == "half of m3"
    assert story.reply().run.session == "after m4"


def test_what_ended_one_iteration_does_not_end_the_next():
    story = Story().begun().iteration().reply("t1:bash").ran("t1").fail("context")
    assert [story.run.fatal] == ["context"]
    story.made("context").judged(verdict("tests", "failed", "no")).finished().iteration()
    assert [story.run.fatal, story.run.maker_end] == [None, None]


@pytest.mark.parametrize("event", [ev.StopAsked("anna"), ev.RunEnded("error"), ev.RunPaused("pause"), ev.WaitEnded()])
def test_nothing_is_waited_out_any_more_after(event):
    story = Story().begun().iteration().fail().tell(ev.WaitStarted("server", 9.0, "then", 1))
    assert story.tell(event).run.wait is None


def test_retries_are_forgotten_by_an_answer_only():
    story = Story().begun().iteration().fail().fail("rate_limit").crash()
    assert story.run.retry is not None
    assert story.run.retry.attempt == 2
    story.tell(ev.WaitStarted("rate_limit", 1.0, "then", 2))
    assert story.run.status == "waiting"
    assert [story.run.retry] == [None]
    story.tell(ev.WaitEnded()).fail()
    assert (story.run.failures, story.run.patience) == (2, 1)
    assert story.reply().run.failures == 0


def test_a_wait_outlives_its_runner():
    story = Story().begun().iteration().fail("rate_limit").tell(ev.WaitStarted("rate_limit", 9.0, "then", 1)).crash()
    assert story.run.status == "waiting"
    assert story.run.wait is not None
    assert (story.run.wait.until, story.run.wait.attempt) == ("then", 1)


@pytest.mark.parametrize("event", [ev.ToolCallGranted("t9", "bash"), ev.ToolCallFinished("t9", "bash"), ev.ToolCallLost("t9", "bash")])
def test_a_call_that_nobody_asked_for_is_a_bug(event):
    with pytest.raises(Bug, match="t9"):
        Story().begun().iteration().reply("t1:bash").tell(event)


def test_a_lost_call_is_told_to_the_operator():
    story = Story().begun().iteration().reply("t1:bash").tell(ev.ToolCallGranted("t1", "bash")).crash()
    story.tell(ev.ToolCallLost("t1", "bash"))
    assert story.run.calls[0].status == "lost"
    assert "t1" in story.run.notices[-1]


# Checks


def test_a_check_that_is_run_again_replaces_its_verdict():
    story = Story().begun().iteration().reply().made().judged(verdict("tests", "error"), verdict("tests"))
    assert [one.outcome for one in story.run.verdicts] == ["passed"]
    assert story.run.check_tries == {"tests": 2}
    assert story.run.iterations[0].outcomes == {"tests": "passed"}


def test_what_the_harness_says_is_never_taken_for_a_check_of_the_same_name():
    spec = loop(check("maker"))
    story = Story(spec).begun().iteration().reply().made("max_turns")
    own = structs.replace(verdict("maker", "failed", "turns used up", severity="minor"), kind="tools")
    story.judged(own, verdict("maker", "failed", "no"))
    assert [(one.check, one.kind) for one in story.run.verdicts] == [("maker", "tools"), ("maker", "command")]
    assert story.run.check_tries == {"maker": 1}
    assert story.run.iterations[0].outcomes == {"maker": "failed"}


def test_findings_stay_until_the_next_iteration_is_closed():
    story = Story().begun().round(verdict("tests", "failed", "one", "two"))
    story.iteration().reply().made().judged(verdict("tests", "failed", "three"))
    assert [one.message for one in story.run.findings] == ["one", "two"]
    story.finished()
    assert [one.message for one in story.run.findings] == ["three"]


def test_fingerprints_of_an_iteration_are_as_many_as_its_findings():
    story = Story().begun().round(verdict("tests", "failed", "line 1 too long", "line 2 too long", "b"))
    found = story.run.iterations[0].fingerprints
    assert (len(found), len(set(found))) == (3, 2)
    assert list(found) == sorted(found)


# People


def test_an_approval_stays_pending_through_crashes_until_it_is_answered():
    story = Story().begun().iteration().reply("t1:bash").ask("t1").crash().crash()
    assert story.run.status == "asking"
    assert (story.run.asking, story.run.asking_for) == ("approval", "a1")
    assert [one.id for one in story.run.pending_approvals] == ["a1"]
    story.tell(ev.ApprovalDecided("a1", True, "anna", "fine", '{"command":"true"}', "bash(true)"))
    call, approval = story.run.calls[0], story.run.approvals["a1"]
    assert (call.status, call.arguments, call.why) == ("approved", '{"command":"true"}', "fine")
    assert (approval.decided, approval.approved, approval.by) == (True, True, "anna")
    assert [(one.rule, one.by, one.for_s) for one in story.run.rules] == [("bash(true)", "anna", 0.0)]
    assert (story.run.asking, story.run.pending_approvals) == ("", [])


def test_a_question_that_nobody_answers_is_over_and_its_call_is_weighed_anew():
    story = Story().begun().iteration().reply("t1:bash").ask("t1").tell(ev.ApprovalLapsed("a1", "nobody answered"))
    assert (story.run.status, story.run.pending_approvals, story.run.calls[0].status) == ("running", [], "asked")
    story.ask("t1", "a2")
    assert [one.id for one in story.run.pending_approvals] == ["a2"]


def test_a_call_that_is_asked_for_again_after_it_was_granted_is_counted_once():
    story = Story().begun().iteration().reply("t1:bash").ask("t1").tell(ev.ApprovalDecided("a1", True, "anna", arguments='{"a":1}'))
    story.tell(ev.ToolCallGranted("t1", "bash", "approval a1", "a1")).ask("t1", "a2")
    assert (story.run.tool_calls, story.run.spend.tool_calls, story.run.iterations[-1].spend.tool_calls) == (0, 0, 0)
    assert (story.run.calls[0].status, story.run.calls[0].arguments) == ("waiting", "")
    story.tell(ev.ApprovalDecided("a2", True, "anna")).tell(ev.ToolCallGranted("t1", "bash", "approval a2", "a2"))
    assert (story.run.tool_calls, story.run.spend.tool_calls) == (1, 1)


def test_a_denial_allows_nothing_from_now_on():
    story = Story().begun().iteration().reply("t1:bash").ask("t1")
    assert story.tell(ev.ApprovalDecided("a1", False, "anna", always="bash(rm)")).run.rules == ()


def test_nobody_is_waited_for_once_a_run_has_ended():
    story = Story().begun().iteration().reply("t1:bash").ask("t1").tell(ev.StopAsked("anna"))
    assert (story.run.asking, story.run.asking_for) == ("", "")
    assert story.ended("human").run.pending_approvals == []


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("approval", ev.VerdictGiven("look", True, "anna")),
        ("approval", ev.StateSettled("s", "anna")),
        ("approval", ev.ApprovalDecided("a7", True, "anna")),
        ("verdict", ev.ApprovalDecided("a1", True, "anna")),
        ("verdict", ev.VerdictGiven("taste", True, "anna")),
    ],
)
def test_an_answer_to_another_question_is_a_bug(asked, answer):
    story = Story(loop(check(), check("look", human=True))).begun().iteration().reply("t1:bash")
    if asked == "approval":
        story.ask("t1")
    else:
        story.ran("t1").reply().made().judged(verdict()).tell(ev.VerdictAsked("look"))
    with pytest.raises(Bug):
        story.tell(answer)


def test_a_nudge_waits_for_the_next_iteration():
    story = Story().begun().tell(ev.Nudged("early", "anna")).iteration()
    assert (story.run.told, story.run.nudges) == (["early"], [])
    story.tell(ev.Nudged("amid", "anna")).crash()
    assert (story.run.told, story.run.nudges) == (["early"], ["amid"])
    story.reply().made().judged(verdict("tests", "failed", "no")).tell(ev.Nudged("late", "ben")).finished().iteration()
    assert (story.run.told, story.run.nudges) == (["amid", "late"], [])


def test_resuming_a_pause_leaves_a_hold_that_was_asked_for():
    story = Story().begun().iteration().tell(ev.HoldSet("ben"), ev.PauseAsked("anna"), ev.RunPaused("pause", "anna"))
    story.tell(ev.RunResumed("anna"))
    assert (story.run.pause_wanted, story.run.hold) == ("", "ben")
    assert story.tell(ev.RunResumed("anna")).run.hold == ""


def test_one_resume_is_enough_for_a_hold_whatever_was_asked_meanwhile():
    story = Story().begun().tell(ev.HoldSet("ben"), ev.RunPaused("hold", "ben"), ev.PauseAsked("anna"), ev.RunResumed("anna"))
    assert (story.run.pause_wanted, story.run.hold) == ("", "")


def test_a_changed_setting_opens_what_its_old_value_had_closed():
    story = Story(loop(max_tool_calls=1)).begun()
    for _ in range(2):
        story.iteration().reply().made("tool_calls").judged(verdict("tests", "failed", "no")).finished()
    story.tell(ev.LimitReached("cost_usd", "maker", 0))
    assert (story.run.over_calls, story.run.no_room) == (2, "cost_usd")
    richer = structs.replace(story.run.settings, max_cost=9 * DOLLAR)
    story.tell(ev.SettingChanged("max_cost_usd", "2", "9", "anna", richer))
    assert (story.run.over_calls, story.run.no_room, story.run.settings) == (2, "", richer)
    freer = structs.replace(richer, max_tool_calls=5)
    story.tell(ev.SettingChanged("exit.max_tool_calls", "1", "5", "anna", freer))
    assert story.run.over_calls == 0


def test_the_end_keeps_what_it_was_told():
    story = Story().begun().round()
    story.tell(ev.RunEnded("no_progress", "flat", "", "plateau", "anna", 1, "k" * 40))
    run = story.run
    assert (run.reason, run.why, run.detector, run.ended_by, run.best, run.commit) == (
        "no_progress", "flat", "plateau", "anna", 1, "k" * 40,
    )  # fmt: skip
    assert run.ended_at == run.last_at


# Folding


def test_folding_goes_on_from_where_it_is():
    story = Story().begun().round()
    half = fold(story.entries[:5])
    assert fold(story.entries[5:], half) is half
    assert half == story.run
    assert fold([]) == Run()


def test_an_event_of_an_older_epoch_is_ignored_even_where_it_would_be_forbidden():
    story = Story().begun().crash()
    before = fold(story.entries)
    apply(story.run, ev.RunQueued("x", "y", story.run.settings, "", "", ""), Stamp("late", 99.0, 1))
    assert story.run == before


# Findings


@pytest.mark.req("S0-11")
def test_what_a_check_found_stays_open_while_that_check_waits_for_the_others():
    story = Story(loop(check("tests"), check("rubric", rubric=True))).begun().iteration().reply().made()
    story.judged(verdict("tests"), verdict("rubric", "failed", "no reason given")).finished()
    kept = [one for one in story.run.findings if one.check == "rubric"]
    assert len(kept) == 1
    story.iteration().reply().made().judged(verdict("tests", "failed", "it broke"))
    story.tell(ev.CheckSkipped("rubric", "waits for tests")).finished()
    assert [one.check for one in story.run.findings] == ["tests", "rubric"]
    assert story.run.findings[1] == kept[0]
    assert len(story.run.iterations[-1].fingerprints) == 1


def test_a_command_is_one_touch_however_many_events_it_comes_to_and_none_if_it_was_refused():
    story = Story().begun().iteration()
    story.tell(ev.Nudged("Mind zero.", "anna", command="c1"), ev.CommandTaken("c1", "nudge", "anna"), clock=30.0)
    story.tell(ev.CommandTaken("c2", "set", "anna", refused="it is no value"), clock=70.0)
    story.tell(ev.PauseAsked("anna", command="c3"), clock=80.0)
    assert (story.run.touches, story.run.touched, story.run.alone) == (2, 80.0, 50.0)


def test_what_checks_took_is_added_up_for_their_iteration():
    story = Story().begun().iteration().reply().made()
    story.judged(structs.replace(verdict(), seconds=1.5), structs.replace(verdict("lint"), seconds=0.5))
    assert story.run.iterations[-1].check_seconds == 2.0
