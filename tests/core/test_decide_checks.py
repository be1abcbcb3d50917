"""What comes next while the work is graded, and what the grades come to: hand-made states, one by one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core import harness, steps
from loopdeck.core.decide import CHECK_TRIES, floor, grade, in_order, objects, required
from loopdeck.core.findings import SEVERITIES, Outcome, Severity, Verdict
from loopdeck.core.happening import MakerEnd
from loopdeck.core.spec import CheckSpec
from tests.core.make import Story, check, loop, verdict, wrong

severities = st.sampled_from(SEVERITIES)
outcomes = st.sampled_from(["passed", "failed", "unknown", "error"])


def graded(*checks: CheckSpec, how: MakerEnd = "ended", protected: tuple[str, ...] = (), **exits) -> Story:
    """A run whose first iteration has just been committed."""
    return Story(loop(*checks, **exits)).begun().iteration().reply().made(how, protected=protected)


def finishing(story: Story) -> steps.FinishIteration:
    step = story.step()
    assert isinstance(step, steps.FinishIteration), step
    return step


# In order


def test_the_work_is_committed_before_anything_grades_it():
    story = Story().begun().iteration().reply().tell(ev.MakerFinished("ended"))
    assert story.step() == steps.CommitWork()
    assert story.crash().step() == steps.CommitWork()
    assert story.tell(ev.WorkCommitted("c" * 40, "d")).step() == steps.RunCheck("tests")


def test_checks_that_need_nothing_come_first_and_a_person_last():
    checks = (check("look", human=True), check("rubric", rubric=True), check("b"), check("late", when="others_pass"), check("a"))
    assert [one.name for one in in_order(checks)] == ["b", "a", "rubric", "late", "look"]


@pytest.mark.req("S0-03")
def test_every_check_is_graded_before_the_iteration_is_closed():
    story = graded(check("a"), check("b"), check("c"))
    assert story.step() == steps.RunCheck("a")
    assert story.crash().step() == steps.RunCheck("a")
    story.judged(verdict("a", "failed", "no"))
    assert story.step() == steps.RunCheck("b")
    story.judged(verdict("b"), verdict("c"))
    assert finishing(story) == steps.FinishIteration(0.6667, False, (), "", "major")


def test_a_state_that_clashed_is_written_once_a_person_has_said_which_holds():
    story = graded().judged(verdict()).tell(ev.StateClashed("o", "t"))
    assert story.step() == steps.AwaitPerson()
    assert story.crash().step() == steps.AwaitPerson()
    story.tell(ev.StateSettled("s", "anna"))
    assert finishing(story).passed
    assert story.run.state_settled == "s"


# Checks that wait for the others


def test_what_waits_for_the_others_runs_once_they_pass():
    story = graded(check("tests"), check("rubric", rubric=True), check("look", human=True))
    story.judged(verdict("tests"))
    assert story.step() == steps.RunCheck("rubric")
    story.judged(verdict("rubric"))
    assert story.step() == steps.AskVerdict("look")


def test_what_waits_for_the_others_is_skipped_when_one_fails_and_what_waits_for_it_too():
    story = graded(check("tests"), check("rubric", rubric=True), check("look", human=True))
    story.judged(verdict("tests", "failed", "no"))
    assert story.step() == steps.SkipCheck("rubric", "waits for tests")
    story.tell(ev.CheckSkipped("rubric", "waits for tests"))
    assert story.step() == steps.SkipCheck("look", "waits for tests, rubric")
    story.tell(ev.CheckSkipped("look", "…"))
    assert not finishing(story).passed


def test_a_minor_check_that_fails_holds_nobody_up():
    story = graded(check("style", "minor"), check("rubric", rubric=True)).judged(verdict("style", "failed", "ugly", severity="minor"))
    assert story.step() == steps.RunCheck("rubric")


def test_a_minor_check_that_was_skipped_holds_nobody_up():
    story = graded(check("tests"), check("taste", "minor", rubric=True), check("look", human=True))
    story.judged(verdict("tests")).tell(ev.LimitReached("tokens", "check", 1))
    assert story.step() == steps.SkipCheck("taste", "nothing is left of tokens")
    story.tell(ev.CheckSkipped("taste", "…"))
    assert story.step() == steps.AskVerdict("look")


def test_a_protected_path_that_was_changed_holds_up_what_waits():
    story = graded(check("tests"), check("look", human=True), protected=("tests/a.py",))
    assert story.step() == steps.ReportMaker(harness.PROTECT)
    story.judged(harness.report(story.run, harness.PROTECT), verdict("tests"))
    assert story.step() == steps.SkipCheck("look", "waits for protected paths")


# People who grade


@pytest.mark.req("S0-22")
def test_a_human_check_is_asked_for_and_nothing_is_done_without_it():
    story = graded(check("tests"), check("look", human=True)).judged(verdict("tests"))
    assert story.step() == steps.AskVerdict("look")
    story.tell(ev.VerdictAsked("look"))
    assert story.step() == steps.AwaitPerson()
    assert story.crash().step() == steps.AwaitPerson()
    story.tell(ev.VerdictGiven("look", True, "anna"))
    assert story.step() == steps.RunCheck("look")
    assert story.crash().step() == steps.RunCheck("look")
    assert finishing(story.judged(verdict("look"))).passed


@pytest.mark.req("S0-22")
def test_a_verdict_counts_for_its_iteration_only():
    story = graded(check("look", human=True)).tell(ev.VerdictAsked("look"), ev.VerdictGiven("look", False, "anna", "no"))
    story.judged(verdict("look", "failed", "no")).finished().iteration().reply().made()
    assert story.step() == steps.AskVerdict("look")


def test_a_persons_time_is_not_the_runs():
    story = graded(check("look", human=True), max_wall_s=60.0).tell(ev.NoticeRaised("tick"), clock=61.0)
    assert story.step() == steps.AskVerdict("look")


# Checks that break


def test_a_check_that_breaks_is_tried_again_and_then_ends_the_run():
    story = graded(check("a"), check("b"))
    for _ in range(CHECK_TRIES):
        assert story.step() == steps.RunCheck("a")
        story.judged(verdict("a", "error", "no such program"))
    assert story.step() == steps.EndRun("error", why="the check 'a' could not be carried out: no such program")


def test_a_check_that_broke_once_counts_by_its_second_try():
    story = graded().judged(verdict("tests", "error", "busy"), verdict("tests"))
    assert finishing(story) == steps.FinishIteration(1.0, True, (), "", "major")


def test_a_minor_check_that_breaks_does_not_stand_in_the_way():
    story = graded(check("tests"), check("style", "minor"))
    story.judged(verdict("tests"), *[verdict("style", "error", severity="minor")] * CHECK_TRIES)
    assert finishing(story).passed


def test_a_try_is_of_one_iteration():
    story = graded(check("a"), check("b")).judged(verdict("a", "error"), verdict("a"), verdict("b", "failed", "no")).finished()
    story.iteration().reply().made().judged(verdict("a", "error"))
    assert story.step() == steps.RunCheck("a")


def test_what_can_not_be_judged_is_no_pass():
    assert not finishing(graded().judged(verdict("tests", "unknown"))).passed


# Budgets that run out while checks are left


def test_when_the_time_is_up_checks_that_are_left_are_skipped_and_the_iteration_is_closed():
    story = graded(check("a"), check("b"), max_wall_s=60.0).judged(verdict("a"))
    story.tell(ev.NoticeRaised("tick"), clock=61.0)
    assert story.step() == steps.SkipCheck("b", "the time is up")
    story.tell(ev.CheckSkipped("b", "the time is up"))
    assert (finishing(story).score, finishing(story).passed) == (0.5, False)
    assert story.finished().step() == steps.EndRun("budget", why="the time is up", limit="wall_s", best=1)


def test_work_that_passed_in_the_last_second_is_done():
    story = graded(max_wall_s=60.0).judged(verdict()).tell(ev.NoticeRaised("tick"), clock=61.0)
    assert story.finished().step() == steps.EndRun("done", why="every required check passed", best=1)


def test_a_rubric_that_does_not_fit_is_skipped_and_ends_the_run_by_its_limit():
    story = graded(check("tests"), check("rubric", rubric=True)).judged(verdict("tests"))
    assert story.step() == steps.RunCheck("rubric")
    story.tell(ev.LimitReached("cost_usd", "check", 12))
    assert story.step() == steps.SkipCheck("rubric", "nothing is left of cost_usd")
    story.tell(ev.CheckSkipped("rubric", "…")).finished()
    step = story.step()
    assert isinstance(step, steps.EndRun)
    assert (step.reason, step.limit, step.best) == ("budget", "cost_usd", 1)


def test_a_rubric_is_tried_again_once_the_limit_is_raised():
    story = graded(check("rubric", rubric=True)).tell(ev.LimitReached("cost_usd", "check", 12))
    richer = structs.replace(story.run.settings, max_cost=10**15)
    assert story.tell(ev.SettingChanged("max_cost_usd", "2", "1000", "anna", richer)).step() == steps.RunCheck("rubric")


def test_a_minor_rubric_that_does_not_fit_does_not_stand_in_the_way():
    story = graded(check("tests"), check("taste", "minor", rubric=True)).judged(verdict("tests"))
    story.tell(ev.LimitReached("cost_usd", "check", 12), ev.CheckSkipped("taste", "…")).finished()
    assert story.step() == steps.EndRun("done", why="every required check passed", best=1)


def test_a_check_call_of_a_dead_life_is_made_again_and_paid_twice():
    story = graded(check("rubric", rubric=True))
    story.reserve(cost=1000, role="check")
    assert story.crash().step() == steps.RunCheck("rubric")
    assert story.run.iterations[0].check_spend.cost == 1000


# What the harness itself reports


@pytest.mark.parametrize("how", ["max_turns", "tool_calls", "repeating", "malformed", "refused", "context"])
def test_a_part_that_did_not_come_to_its_own_end_is_reported_once_and_is_no_more_than_minor(how):
    story = graded(how=how, max_tool_calls=3)
    assert story.step() == steps.ReportMaker(harness.MAKER)
    said = harness.report(story.run, harness.MAKER)
    assert (said.kind, said.outcome, said.severity, said.score) == ("tools", "failed", "minor", 0.0)
    assert [(one.check, one.criterion, one.severity) for one in said.findings] == [("maker", how, "minor")]
    assert said.findings[0].message != "it did not finish", "each way says what it was"
    story.judged(said)
    assert story.step() == steps.RunCheck("tests")
    assert finishing(story.judged(verdict())).passed


@pytest.mark.parametrize("how", ["ended", "budget"])
def test_an_end_that_needs_no_finding_has_none(how):
    assert graded(how=how).step() == steps.RunCheck("tests")


def test_a_protected_path_that_was_changed_is_a_finding_that_stands_in_the_way_of_done():
    story = graded(protected=("tests/a.py", "tests/b.py"))
    said = harness.report(story.run, harness.PROTECT)
    assert [one.path for one in said.findings] == ["tests/a.py", "tests/b.py"]
    assert len({one.fingerprint for one in said.findings}) == 2
    story.judged(said, verdict())
    assert finishing(story) == steps.FinishIteration(1.0, False, (), "", "major")


@pytest.mark.parametrize("name", [harness.MAKER, harness.PROTECT])
def test_a_check_that_is_called_like_a_report_of_the_harness_is_still_run(name):
    story = graded(check(name), how="max_turns", protected=("tests/a.py",))
    for due in (harness.PROTECT, harness.MAKER):
        assert story.step() == steps.ReportMaker(due)
        story.judged(harness.report(story.run, due))
    assert story.step() == steps.RunCheck(name)
    story.judged(verdict(name, "failed", "no"))
    assert not finishing(story).passed


# What counts


@pytest.mark.req("S0-16")
@pytest.mark.parametrize(("level", "passed"), [("blocker", True), ("major", False), ("minor", False)])
def test_the_floor_says_which_checks_must_pass(level, passed):
    story = graded(check("a", "blocker"), check("b", "major"), check("c", "minor"), severity_floor=level)
    story.judged(verdict("a", severity="blocker"), verdict("b", "failed", "no"), verdict("c", "failed", "no", severity="minor"))
    assert finishing(story).passed is passed


@pytest.mark.req("S0-23")
@pytest.mark.parametrize("level", SEVERITIES)
def test_where_no_check_is_as_grave_as_the_floor_the_gravest_must_pass(level):
    story = graded(check("a", "minor"), severity_floor=level).judged(verdict("a", "failed", "no", severity="minor"))
    assert finishing(story) == steps.FinishIteration(0.0, False, (), "", level)
    other = graded(check("a", "major"), check("b", "minor"), severity_floor="blocker")
    assert floor(other.run, other.spec) == "major"
    assert [one.name for one in required(other.run, other.spec)] == ["a"]


@pytest.mark.req("S0-16")
def test_a_check_that_found_only_what_is_below_the_floor_does_not_stand_in_the_way():
    story = graded(check("rubric")).judged(verdict("rubric", "failed", "a comma", score=0.9, found="minor"))
    assert finishing(story) == steps.FinishIteration(0.9, True, (), "", "major")
    strict = graded(check("rubric"), severity_floor="minor").judged(verdict("rubric", "failed", "a comma", score=0.9, found="minor"))
    assert not finishing(strict).passed


@pytest.mark.req("S0-23")
def test_a_failure_without_a_finding_stands_in_the_way():
    assert not finishing(graded().judged(verdict("tests", "failed"))).passed


@pytest.mark.req("S0-23")
def test_the_severity_of_a_check_is_what_the_loop_says_whatever_its_verdict_says():
    story = graded(check("tests", "blocker"), severity_floor="blocker").judged(verdict("tests", "failed", "no", found="blocker"))
    assert story.run.verdicts[0].severity == "major"
    assert not finishing(story).passed


def test_the_score_is_that_of_the_required_checks():
    story = graded(check("a"), check("b"), check("c", "minor"))
    story.judged(verdict("a", score=1.0), verdict("b", "failed", "no", score=0.4), verdict("c", "failed", "no", severity="minor"))
    assert finishing(story).score == 0.7


@given(st.lists(st.tuples(severities, outcomes, severities, st.booleans(), st.booleans()), min_size=1, max_size=5), severities)
@settings(max_examples=400)
def test_passed_is_what_the_definition_says(each: list[tuple[Severity, Outcome, Severity, bool, bool]], level):
    checks, verdicts = [], []
    for number, (severity, outcome, found, listed, said) in enumerate(each):
        name = f"c{number}"
        checks.append(check(name, severity))
        messages = ["wrong"] if listed and outcome != "passed" else []
        if said:
            verdicts.append(verdict(name, outcome, *messages, severity=severity, found=found))
    story = graded(*checks, severity_floor=level).judged(*verdicts)
    score, passed = grade(story.run, story.spec)
    grave = {name: number for number, name in enumerate(SEVERITIES)}
    least = min(grave[level], max(grave[severity] for severity, *_ in each))
    fine = [
        said and (outcome == "passed" or (outcome == "failed" and listed and grave[found] < least))
        for severity, outcome, found, listed, said in each
        if grave[severity] >= least
    ]
    assert fine
    assert passed is all(fine)
    assert 0.0 <= score <= 1.0
    in_the_way = [objects(story.run, story.spec, one) for one in story.run.verdicts]
    assert passed <= (not any(in_the_way))


@given(severities, severities, st.lists(severities, max_size=3), outcomes)
def test_a_stricter_floor_never_lets_more_pass(low, severity, found, outcome):
    levels = [] if outcome == "passed" else found
    listed = tuple(one for level in levels for one in wrong("a", level, severity=level))
    said = structs.replace(verdict("a", outcome, severity=severity), findings=listed)
    passes = []
    for level in SEVERITIES[SEVERITIES.index(low) :]:
        story = graded(check("a", severity), check("b", "blocker"), severity_floor=level).judged(said, verdict("b", severity="blocker"))
        passes.append(grade(story.run, story.spec)[1])
    assert passes == sorted(passes)


def test_a_verdict_is_of_the_harness_by_its_kind():
    own: list[Verdict] = [structs.replace(verdict(), kind=kind) for kind in ("protect", "tools")]
    assert all(one.of_harness for one in own)
    assert not verdict().of_harness
