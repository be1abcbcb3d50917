"""What follows an iteration: the next one, a final pass, a pause or the end of the run, and which work is kept."""

import pytest
from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core import steps
from loopdeck.core.decide import best, stands
from tests.core.make import Story, check, loop, verdict


def failing(*messages: str, score: float = 0.0):
    return verdict("tests", "failed", *messages, score=score)


def ending(story: Story) -> steps.EndRun:
    step = story.step()
    assert isinstance(step, steps.EndRun), step
    return step


def changed(story: Story, **settings) -> Story:
    """An operator changes settings of the live run."""
    key = next(iter(settings))
    return story.tell(ev.SettingChanged(key, "", str(settings[key]), "anna", structs.replace(story.run.settings, **settings)))


def story_of(*checks, **exits) -> Story:
    return Story(loop(*checks, **exits)).begun()


# The ordinary ends


@pytest.mark.req("S0-08", "S2-087")
def test_done_when_every_required_check_passed():
    assert story_of().round().step() == steps.EndRun("done", why="every required check passed", best=1)


@pytest.mark.req("S0-12")
def test_three_faults_take_as_many_iterations_as_the_checks_need_and_then_it_is_done():
    story = story_of(max_iterations=9)
    for left in (("a", "b", "c"), ("b", "c"), ("c",)):
        story.round(failing(*left))
        assert story.step() == steps.StartIteration(story.run.iteration + 1, False)
        assert len(story.run.findings) == len(left)
    story.round(verdict())
    assert story.run.findings == ()
    assert ending(story).reason == "done"


@pytest.mark.req("S0-08", "S0-16", "S2-088")
def test_the_cap_of_iterations_keeps_the_best():
    story = story_of(max_iterations=2).round(failing("a", score=0.9)).round(failing("b", score=0.1))
    assert ending(story) == steps.EndRun("max_iterations", why="2 iterations are done", best=1)


def test_done_in_the_last_iteration_is_done():
    assert ending(story_of(max_iterations=1).round()).reason == "done"


@pytest.mark.req("S0-08", "S2-089")
@pytest.mark.parametrize("limit", ["cost_usd", "tokens"])
def test_a_budget_that_no_call_fits_into_ends_the_run_after_the_checks(limit):
    story = story_of().iteration().tell(ev.LimitReached(limit, "maker", 3)).made("budget").judged(failing("a")).finished()
    end = ending(story)
    assert (end.reason, end.limit, end.best) == ("budget", limit, 1)
    assert limit in end.why


def test_work_that_passes_with_its_last_cent_is_done():
    story = story_of().iteration().reply("t1:bash").ran("t1").tell(ev.LimitReached("cost_usd", "maker", 0))
    assert ending(story.made("budget").judged(verdict()).finished()).reason == "done"


@pytest.mark.parametrize(
    ("exits", "limit"), [({"max_tokens": 15}, "tokens"), ({"max_cost": 150}, "cost_usd"), ({"max_wall_s": 5.0}, "wall_s")]
)
def test_a_budget_that_is_used_up_ends_the_run(exits, limit):
    story = story_of(**exits).iteration().reply().made()
    story.judged(failing("a")).finished() if limit != "wall_s" else story.tell(ev.CheckSkipped("tests", "late")).finished()
    end = ending(story)
    assert (end.reason, end.limit) == ("budget", limit)


@pytest.mark.req("S0-16")
def test_tool_calls_used_up_once_are_a_finding_and_twice_in_a_row_the_end():
    story = story_of(max_tool_calls=1, max_iterations=9, no_progress=0)

    def spent():
        story.iteration().reply("t1:bash", "t2:bash").ran("t1")
        assert story.step() == steps.FinishMaker("tool_calls")
        story.made("tool_calls").judged(failing("a")).finished()

    spent()
    assert story.step() == steps.StartIteration(2, False)
    assert [one.message for one in story.run.findings if one.check == "maker"] == [
        "all 1 tool calls of the iteration were used up before the work was finished"
    ]
    story.round(failing("a"))
    spent()
    assert story.step() == steps.StartIteration(4, False), "once, then not, then once: not in a row"
    spent()
    end = ending(story)
    assert (end.reason, end.limit) == ("budget", "tool_calls_per_iteration")
    assert changed(story, max_tool_calls=9).step() == steps.StartIteration(5, False)


@pytest.mark.req("S2-090", "S2-092")
def test_no_progress_names_its_detector_and_evidence():
    story = story_of(max_iterations=9, no_progress=3)
    for number in range(1, 4):
        story.round(failing("a"), digest=f"w{number}")
    end = ending(story)
    assert (end.reason, end.detector) == ("no_progress", "same_findings")
    assert end.why == "the same 1 finding and score 0.00 x3"


def test_detectors_that_are_off_end_nothing():
    story = story_of(max_iterations=6, no_progress=0)
    for _ in range(5):
        story.round(failing("a"), digest="w")
        assert story.step() == steps.StartIteration(story.run.iteration + 1, False)


def test_detectors_that_a_person_switches_off_or_gives_more_time_end_nothing():
    story = story_of(max_iterations=9, no_progress=2).round(failing("a")).round(failing("a"))
    assert ending(story).reason == "no_progress"
    assert changed(story, no_progress=0).step() == steps.StartIteration(3, False)
    assert changed(story, no_progress=3).step() == steps.StartIteration(3, False)
    assert ending(changed(story, no_progress=1)).reason == "no_progress"


def test_a_raised_cap_lets_the_run_go_on_and_a_lowered_one_ends_it():
    story = story_of(max_iterations=1).round(failing("a"))
    assert ending(story).reason == "max_iterations"
    assert changed(story, max_iterations=3).step() == steps.StartIteration(2, False)
    story.round(failing("b"))
    assert ending(changed(story, max_iterations=2)).reason == "max_iterations"


def test_a_raised_budget_lets_the_run_go_on():
    story = story_of().iteration().tell(ev.LimitReached("tokens", "maker", 3)).made("budget").judged(failing("a")).finished()
    assert ending(story).reason == "budget"
    story.tell(ev.PauseAsked("anna"), ev.RunPaused("pause", "anna"))
    changed(story, max_tokens=10**6).tell(ev.RunResumed("anna"))
    assert story.step() == steps.StartIteration(2, False)


def test_budget_comes_before_the_cap_and_the_cap_before_the_detectors():
    story = story_of(max_iterations=2, no_progress=1).round(failing("a")).round(failing("a"))
    assert ending(story).reason == "max_iterations"
    assert ending(story.tell(ev.LimitReached("tokens", "maker", 0))).reason == "budget"


# Strictness that changes


def test_work_that_passed_by_a_laxer_floor_is_not_done_by_a_stricter_one():
    story = story_of(check("tests"), check("style", "minor"), max_iterations=3)
    minor = verdict("style", "failed", "ugly", severity="minor")
    story.round(verdict(), minor)
    assert ending(story).reason == "done"
    changed(story, severity_floor="minor")
    assert story.step() == steps.StartIteration(2, False)
    assert not stands(story.run, story.run.iterations[0])
    story.iteration().reply().made().judged(verdict(), verdict("style", severity="minor")).finished()
    assert ending(story).best == 2


def test_a_laxer_floor_leaves_what_passed():
    story = story_of(check("tests")).round()
    assert ending(changed(story, severity_floor="blocker")).reason == "done"


def test_a_floor_that_changes_while_checks_run_is_the_one_that_grades():
    story = story_of(check("tests"), check("style", "minor")).iteration().reply().made()
    story.judged(verdict())
    changed(story, severity_floor="minor").judged(verdict("style", "failed", "ugly", severity="minor")).finished()
    assert story.step() == steps.StartIteration(2, False)


def test_a_floor_that_changes_while_the_state_is_written_does_not_make_old_grades_new():
    story = story_of(check("tests"), check("style", "minor")).iteration().reply().made()
    story.judged(verdict(), verdict("style", "failed", "ugly", severity="minor"))
    step = story.step()
    assert isinstance(step, steps.FinishIteration)
    changed(story, severity_floor="minor")
    story.tell(ev.IterationFinished(1, step.score, step.passed, "t", step.signals, step.floor))
    assert story.step() == steps.StartIteration(2, False)


# The final pass


@pytest.mark.req("S0-16")
def test_one_final_pass_when_everything_passes_and_then_the_checks_again():
    story = story_of(final_pass=True).round()
    assert story.step() == steps.StartIteration(2, True)
    story.round(final=True)
    assert story.run.final
    assert ending(story) == steps.EndRun("done", why="every required check passed", best=2)


def test_without_room_for_it_there_is_no_final_pass():
    assert ending(story_of(final_pass=True, max_iterations=1).round()).reason == "done"
    assert ending(story_of(final_pass=True, max_tokens=15).round()).reason == "done"
    spent = story_of(final_pass=True).iteration().reply().tell(ev.LimitReached("tokens", "check", 0)).made().judged(verdict())
    assert ending(spent.finished()).reason == "done"


def test_a_final_pass_that_breaks_the_checks_is_dropped():
    story = story_of(final_pass=True).round(failing("a")).round().round(failing("b", score=0.99), final=True)
    end = ending(story)
    assert (end.reason, end.best) == ("done", 2)
    assert "iteration 2" in end.why
    assert "final pass was dropped" in end.why


@pytest.mark.parametrize("trouble", ["fatal", "failures", "check", "wall", "room"])
def test_a_final_pass_that_can_not_be_finished_undoes_nothing(trouble):
    story = story_of(final_pass=True, max_wall_s=500.0).round().iteration(final=True)
    match trouble:
        case "fatal":
            story.fail("auth")
        case "failures":
            for _ in range(5):
                story.fail("server")
        case "check":
            story.reply().made().judged(*[verdict("tests", "error", "gone")] * 2)
        case "wall":
            story.reply().tell(ev.NoticeRaised("tick"), clock=501.0).made().tell(ev.CheckSkipped("tests", "late")).finished()
        case _:
            story.tell(ev.LimitReached("tokens", "maker", 0)).made("budget").judged(failing("a")).finished()
    end = ending(story)
    assert (end.reason, end.best) == ("done", 1)


def test_a_person_can_stop_a_final_pass():
    end = ending(story_of(final_pass=True).round().iteration(final=True).tell(ev.StopAsked("anna", "enough")))
    assert (end.reason, end.by, end.best) == ("human", "anna", 1)


def test_a_final_pass_is_no_excuse_once_its_ground_is_gone():
    story = story_of(check("tests"), check("style", "minor"), final_pass=True, max_iterations=9)
    ugly = verdict("style", "failed", "ugly", severity="minor")
    story.round(verdict(), ugly).iteration(final=True)
    changed(story, severity_floor="minor").reply().made().judged(verdict(), ugly).finished()
    assert story.step() == steps.StartIteration(3, False)


def test_an_error_in_a_final_pass_whose_ground_is_gone_is_an_error():
    story = story_of(check("tests"), check("style", "minor"), final_pass=True)
    story.round(verdict(), verdict("style", "failed", "ugly", severity="minor")).iteration(final=True)
    assert ending(changed(story, severity_floor="minor").fail("auth")).reason == "error"


def test_a_final_pass_asked_for_while_the_run_lives_is_made():
    story = story_of().iteration().reply().made().judged(verdict())
    assert changed(story, final_pass=True).finished().step() == steps.StartIteration(2, True)


def test_a_hold_comes_before_a_final_pass():
    assert story_of(final_pass=True).round().tell(ev.HoldSet("ben")).step() == steps.StandStill("hold", "ben")


# Which work is kept


def test_what_passed_is_best_then_the_score_then_the_latest():
    story = story_of(max_iterations=9, no_progress=0)
    assert best(story.run) == 0
    kept = []
    for score in (0.2, 0.5, 0.5, 0.4):
        kept.append(best(story.round(failing("a", score=score)).run))
    assert kept == [1, 2, 3, 3]
    assert best(story.round(verdict(score=0.1)).run) == 5
    assert best(story.round(failing("a", score=0.9)).run) == 5


def test_work_that_was_not_graded_is_never_kept():
    story = story_of().round(failing("a", score=0.1)).iteration().reply().made()
    assert best(story.run) == 1
    assert ending(story.tell(ev.StopAsked("anna"))).best == 1
    assert ending(story_of().iteration().reply().made().tell(ev.StopAsked("anna"))).best == 0


def test_an_error_keeps_the_best_so_far():
    story = story_of().round(failing("a", score=0.3)).iteration().fail("auth")
    assert ending(story) == steps.EndRun("error", why="the model call failed: auth: no", best=1)


# Without progress


def test_words_of_the_detectors_reach_the_journal_with_the_iteration():
    story = story_of(no_progress=4).round(failing("a")).round(failing("a"))
    said = {one.detector: (one.streak, one.rung) for one in story.run.iterations[-1].signals}
    assert said == {"same_findings": (2, "nudge"), "plateau": (1, "note")}


def test_a_check_that_contradicts_itself_on_unchanged_work_is_named():
    story = story_of(check("tests"), check("lint")).round(failing("a"), verdict("lint"), digest="w")
    story.iteration().reply().made(digest="w").judged(verdict("tests"), verdict("lint", "failed", "b"))
    step = story.step()
    assert isinstance(step, steps.FinishIteration)
    assert step.flaky == "lint, tests"
