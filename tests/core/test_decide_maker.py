"""What comes next while the maker works, and when somebody interferes: hand-made states, one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from loopdeck.core import agentevents as ae
from loopdeck.core import events as ev
from loopdeck.core import steps
from loopdeck.core.decide import LONGEST_WAIT_S, MAX_FAILURES, back_off
from loopdeck.core.happening import Settings
from loopdeck.core.spec import Maker
from tests.core.make import Story, check, loop, verdict


def making(**exits) -> Story:
    return Story(loop(**exits)).begun().iteration()


# From the start to the first call


def test_a_run_takes_its_place_then_a_workspace_then_begins():
    story = Story()
    assert story.step() == steps.TakePlace()
    assert story.tell(ev.RunStarted()).step() == steps.PrepareWorkspace()
    assert story.crash().step() == steps.PrepareWorkspace()
    assert story.tell(ev.WorkspacePrepared("/w", "b", "c")).step() == steps.StartIteration(1, False)
    assert story.iteration().step() == steps.CallModel()
    assert story.reply().step() == steps.FinishMaker("ended")
    assert story.ended().step() == steps.Nothing()


def test_a_reply_cut_at_its_length_is_gone_on_from():
    assert making().reply(stop="max_output").step() == steps.CallModel()
    assert making().reply(stop="tools").step() == steps.CallModel()


# Tool calls


def test_calls_are_weighed_and_run_one_after_the_other():
    story = making().reply("t1:bash", "t2:grep")
    assert story.step() == steps.WeighCall("t1")
    assert story.tell(ev.ToolCallGranted("t1", "bash")).step() == steps.RunCall("t1")
    assert story.tell(ev.ToolCallFinished("t1", "bash")).step() == steps.WeighCall("t2")
    assert story.tell(ev.ToolCallRefused("t2", "grep", "grep", "no")).step() == steps.CallModel()


def test_a_call_that_asks_waits_for_a_person_and_then_is_granted_or_refused():
    story = making().reply("t1:bash", "t2:bash").ask("t1")
    assert story.step() == steps.AwaitPerson()
    assert story.crash().step() == steps.AwaitPerson()
    story.tell(ev.ApprovalDecided("a1", True, "anna"))
    assert story.step() == steps.GrantCall("t1")
    assert story.crash().step() == steps.GrantCall("t1")
    story.ran("t1").ask("t2", "a2").tell(ev.ApprovalDecided("a2", False, "ben", "not on a Friday"))
    assert story.step() == steps.RefuseCall("t2", "not on a Friday", "operator")


def test_a_denial_without_a_reason_still_says_who():
    story = making().reply("t1:bash").ask("t1").tell(ev.ApprovalDecided("a1", False, "ben"))
    assert story.step() == steps.RefuseCall("t1", "the operator denied it", "operator")


def test_an_approved_call_may_be_asked_for_again():
    story = making().reply("t1:bash").ask("t1").tell(ev.ApprovalDecided("a1", True, "anna")).ask("t1", "a2")
    assert story.step() == steps.AwaitPerson()
    story.tell(ev.ApprovalDecided("a2", True, "anna"))
    assert (story.step(), story.run.calls[0].approval) == (steps.GrantCall("t1"), "a2")


def test_a_granted_call_of_a_dead_life_is_reported_lost_and_never_run():
    story = making().reply("t1:bash", "t2:bash").tell(ev.ToolCallGranted("t1", "bash"))
    assert story.step() == steps.RunCall("t1")
    assert story.crash().step() == steps.ReportLost("t1")
    assert story.crash().step() == steps.ReportLost("t1")
    assert story.tell(ev.ToolCallLost("t1", "bash")).step() == steps.WeighCall("t2")


def test_a_lost_call_is_told_even_where_the_time_is_up_or_the_run_is_stopped():
    story = making(max_wall_s=100.0).reply("t1:bash").tell(ev.ToolCallGranted("t1", "bash")).crash()
    story.tell(ev.NoticeRaised("late"), clock=500.0)
    assert story.step() == steps.ReportLost("t1")
    story.tell(ev.StopAsked("anna", "enough"))
    assert story.step() == steps.ReportLost("t1")
    story.tell(ev.ToolCallLost("t1", "bash"))
    assert story.step() == steps.EndRun("human", why="enough", by="anna")


@pytest.mark.req("S0-16")
def test_the_tool_call_budget_ends_the_iteration_and_refused_calls_do_not_use_it_up():
    story = making(max_tool_calls=2).reply("a:bash", "b:bash", "c:bash", "d:bash")
    story.tell(ev.ToolCallRefused("a", "bash", "r", "no")).ran("b")
    assert story.step() == steps.WeighCall("c")
    assert story.ran("c").step() == steps.FinishMaker("tool_calls")


def test_without_a_tool_call_budget_there_is_none():
    story = making().reply(*(f"t{number}:bash" for number in range(300)))
    for number in range(300):
        story.ran(f"t{number}")
    assert story.step() == steps.CallModel()


# How the maker's part ends


def test_a_refusal_ends_the_part_and_runs_nothing():
    assert making().reply("t1:bash", stop="refused").step() == steps.FinishMaker("refused")
    assert making().reply(stop="refused").crash().step() == steps.FinishMaker("refused")


@pytest.mark.req("S2-093")
def test_malformed_output_three_times_in_a_row_ends_the_iteration_and_not_the_run():
    story = making()
    for _ in range(2):
        assert story.reply(problem="malformed_output").step() == steps.CallModel()
    assert story.reply(problem="malformed_output").step() == steps.FinishMaker("malformed")
    story.made("malformed").judged(verdict("tests", "failed", "no")).finished()
    assert story.step() == steps.StartIteration(2, False)


def test_malformed_arguments_count_with_malformed_replies():
    story = making().reply(problem="malformed_output").reply("t1:bash", "t2:bash")
    story.tell(ev.ToolCallRefused("t1", "bash", why="no JSON", problem="malformed_output"))
    assert story.step() == steps.WeighCall("t2")
    story.tell(ev.ToolCallRefused("t2", "bash", why="no JSON", problem="malformed_output"))
    assert story.step() == steps.FinishMaker("malformed")


def test_a_sound_call_between_malformed_ones_begins_the_count_anew():
    story = making().reply(problem="malformed_output").reply(problem="malformed_output").reply("t1:bash")
    story.ran("t1", problem="tool_failed").reply(problem="malformed_output")
    assert story.step() == steps.CallModel()


def test_a_call_repeated_five_times_with_one_result_ends_the_iteration_and_not_the_run():
    story = making()
    for number in range(5):
        assert story.step() == steps.CallModel(), number
        story.reply(f"t{number}:bash").ran(f"t{number}", signature="same")
    assert story.step() == steps.FinishMaker("repeating")
    story.made("repeating").judged(verdict("tests", "failed", "no")).finished()
    assert story.step() == steps.StartIteration(2, False)


def test_a_reply_that_asks_for_one_thing_ten_times_is_stopped_at_the_fifth():
    story = making().reply(*(f"t{number}:bash" for number in range(10)))
    ran = 0
    while story.step() == steps.WeighCall(f"t{ran}"):
        story.ran(f"t{ran}", signature="same")
        ran += 1
    assert (ran, story.step()) == (5, steps.FinishMaker("repeating"))


def test_calls_that_are_refused_again_and_again_count_as_repeated():
    story = making()
    for number in range(5):
        story.reply(f"t{number}:bash").tell(ev.ToolCallRefused(f"t{number}", "bash", "bash(rm)", "a rule denies it"))
    assert story.step() == steps.FinishMaker("repeating")


def test_the_last_turn_still_has_its_calls_run():
    story = Story(loop(max_turns=2)).begun().iteration().reply("t1:bash").ran("t1")
    assert story.step() == steps.CallModel()
    assert story.reply("t2:bash").step() == steps.WeighCall("t2")
    assert story.ran("t2").step() == steps.FinishMaker("max_turns")
    ended = Story(loop(max_turns=1)).begun().iteration().reply()
    assert ended.step() == steps.FinishMaker("ended")


@pytest.mark.parametrize("limit", ["cost_usd", "tokens"])
def test_a_call_that_does_not_fit_ends_the_part(limit):
    story = making().reply("t1:bash").ran("t1").tell(ev.LimitReached(limit, "maker", 3))
    assert story.step() == steps.FinishMaker("budget")
    assert story.crash().step() == steps.FinishMaker("budget")


def test_a_raised_limit_lets_the_maker_go_on():
    story = making().tell(ev.LimitReached("tokens", "maker", 3))
    raised = structs.replace(story.run.settings, max_tokens=10**6)
    assert story.tell(ev.SettingChanged("max_tokens", "9", "1000000", "anna", raised)).step() == steps.CallModel()


def test_a_spent_token_budget_lets_calls_run_but_asks_no_model():
    story = making(max_tokens=15).reply("t1:bash")
    assert story.step() == steps.WeighCall("t1")
    assert story.ran("t1").step() == steps.FinishMaker("budget")


def test_when_the_time_is_up_nothing_more_is_run():
    story = making(max_wall_s=60.0).reply("t1:bash")
    assert story.tell(ev.NoticeRaised("tick"), clock=59.9).step() == steps.WeighCall("t1")
    assert story.tell(ev.NoticeRaised("tick"), clock=60.0).step() == steps.FinishMaker("budget")


# Failing calls


@pytest.mark.parametrize("failure", ["server", "timeout", "cut", "connection", "malformed"])
def test_what_may_mend_itself_is_tried_again_after_doubling_waits_and_then_is_an_error(failure):
    story = making()
    waits = []
    for _ in range(MAX_FAILURES - 1):
        step = story.fail(failure).step()
        assert isinstance(step, steps.BackOff)
        waits.append(step.seconds)
        story.tell(ev.WaitStarted(step.cause, step.seconds, "then", step.attempt))
        assert story.step() == steps.WaitOut()
        assert story.tell(ev.WaitEnded()).step() == steps.CallModel()
    assert waits == [0.5, 1.0, 2.0, 4.0]
    step = story.fail(failure).step()
    assert isinstance(step, steps.EndRun)
    assert step.reason == "error"
    assert failure in step.why


def test_a_busy_provider_never_ends_the_run():
    story = making()
    for attempt in range(1, 40):
        step = story.fail("overloaded" if attempt % 2 else "rate_limit").step()
        assert isinstance(step, steps.BackOff)
        assert step.attempt == attempt
        story.tell(ev.WaitStarted(step.cause, step.seconds, "then", step.attempt), ev.WaitEnded())
    assert story.step() == steps.CallModel()


@pytest.mark.parametrize("seconds", [0.0, 0.25, 7.0, 3600.0])
def test_what_the_provider_says_of_when_to_come_back_is_kept_to(seconds):
    assert making().fail("rate_limit", retry_after=seconds).step() == steps.BackOff("rate_limit", seconds, 1)


def test_a_wait_ends_when_the_time_is_up_at_the_latest():
    story = making(max_wall_s=100.0).fail("rate_limit", retry_after=3600.0)
    step = story.step()
    assert isinstance(step, steps.BackOff)
    assert step.seconds == pytest.approx(100.0 - story.run.clock)


@given(st.integers(1, 10**6), st.none() | st.floats(-10, 10**6))
def test_back_off_is_never_negative_nor_longer_than_a_minute_unless_told_so(attempt, after):
    wait = back_off(attempt, after)
    assert wait >= 0
    assert wait <= LONGEST_WAIT_S or wait == after
    assert after is not None or back_off(attempt + 1, None) >= wait


@pytest.mark.parametrize("failure", ["auth", "request", "missing"])
def test_what_no_retry_mends_ends_the_run(failure):
    step = making().reply("t1:bash").ran("t1").fail(failure).step()
    assert isinstance(step, steps.EndRun)
    assert (step.reason, step.why) == ("error", f"the model call failed: {failure}: no")


def in_an_agent() -> Story:
    spec = loop()
    return Story(structs.replace(spec, maker=Maker("claude", "m"))).begun().iteration()


def test_an_agent_that_failed_is_told_in_its_own_words():
    story = in_an_agent().tell(ae.AgentTurnStarted(1, "claude"), ae.AgentTurnFinished("failed", "auth", "claude: Not logged in"))
    assert story.step() == steps.EndRun("error", why="the agent failed: claude: Not logged in")
    story = in_an_agent()
    for turn in range(1, MAX_FAILURES + 1):
        story.tell(ae.AgentTurnStarted(turn, "claude"), ae.AgentTurnFinished("failed", "server", "claude: gone"))
    assert story.step() == steps.EndRun("error", why=f"{MAX_FAILURES} turns of the agent failed in a row, the last: claude: gone")
    story = in_an_agent().tell(ae.AgentTurnStarted(1, "claude"), ae.AgentTurnFinished("failed", "request"))
    assert story.step() == steps.EndRun("error", why="the agent failed: request")


def test_a_conversation_that_outgrew_the_window_ends_the_iteration_unless_its_first_prompt_does():
    assert making().reply("t1:bash").ran("t1").fail("context").step() == steps.FinishMaker("context")
    first = making().fail("context").step()
    assert isinstance(first, steps.EndRun)
    assert first.reason == "error"


def test_a_retry_outlives_its_runner():
    story = making().fail("server").fail("rate_limit", retry_after=9.0).crash()
    assert story.step() == steps.BackOff("rate_limit", 9.0, 2)
    story.tell(ev.WaitStarted("rate_limit", 9.0, "then", 2)).crash()
    assert story.step() == steps.WaitOut()
    assert story.tell(ev.WaitEnded()).step() == steps.CallModel()


def test_a_call_that_a_dead_life_had_reserved_is_made_again():
    story = making()
    story.reserve()
    assert story.crash().step() == steps.CallModel()


# The operator's hand


def stand(status: str) -> Story:
    """A run in the given status."""
    story = Story(loop(check(), check("look", human=True)))
    if status == "queued":
        return story
    story.begun().iteration()
    match status:
        case "asking":
            return story.reply("t1:bash").ask("t1")
        case "asking a verdict":
            return story.reply().made().judged(verdict()).tell(ev.VerdictAsked("look"))
        case "asking for a state":
            return story.reply().made().judged(verdict()).tell(ev.StateClashed("o", "t"))
        case "waiting":
            return story.fail().tell(ev.WaitStarted("server", 0.5, "then", 1))
        case "paused":
            return story.tell(ev.PauseAsked("anna"), ev.RunPaused("pause", "anna"))
        case _:
            return story


EVERYWHERE = ["queued", "running", "asking", "asking a verdict", "asking for a state", "waiting", "paused"]


@pytest.mark.req("S2-091")
@pytest.mark.parametrize("status", EVERYWHERE)
@pytest.mark.parametrize("crashed", [False, True])
def test_a_stop_ends_the_run_from_everywhere_saying_who_and_why(status, crashed):
    story = stand(status).tell(ev.StopAsked("anna", "wrong branch"))
    if crashed:
        story.crash()
    assert story.step() == steps.EndRun("human", why="wrong branch", by="anna", best=0)


def test_a_stop_beats_a_pause():
    story = making().tell(ev.PauseAsked("ben"), ev.StopAsked("anna"))
    assert story.step() == steps.EndRun("human", by="anna")


@pytest.mark.parametrize("status", ["running", "waiting"])
def test_a_pause_takes_effect_at_the_next_step(status):
    story = stand(status).tell(ev.PauseAsked("anna"))
    assert story.step() == steps.StandStill("pause", "anna")
    assert story.tell(ev.RunPaused("pause", "anna")).step() == steps.AwaitPerson()
    assert story.crash().step() == steps.AwaitPerson()
    assert story.tell(ev.RunResumed("anna")).step() == steps.CallModel()


def test_a_pause_while_a_person_is_asked_takes_effect_after_the_answer():
    story = stand("asking").tell(ev.PauseAsked("anna"))
    assert story.step() == steps.AwaitPerson()
    story.tell(ev.ApprovalDecided("a1", True, "ben"))
    assert story.step() == steps.StandStill("pause", "anna")
    story.tell(ev.RunPaused("pause", "anna"), ev.RunResumed("anna"))
    assert story.step() == steps.GrantCall("t1")


def test_a_pause_can_be_taken_back_before_it_takes_effect():
    assert stand("running").tell(ev.PauseAsked("anna"), ev.RunResumed("anna")).step() == steps.CallModel()


def test_a_queued_run_that_is_paused_stands_still_once_it_has_its_place():
    story = Story().tell(ev.PauseAsked("anna"))
    assert story.step() == steps.TakePlace()
    assert story.tell(ev.RunStarted()).step() == steps.StandStill("pause", "anna")


def test_a_hold_lets_the_iteration_end_and_stops_before_the_next():
    story = making().tell(ev.HoldSet("ben"))
    assert story.step() == steps.CallModel()
    story.reply().made().judged(verdict("tests", "failed", "no")).finished()
    assert story.step() == steps.StandStill("hold", "ben")
    assert story.crash().step() == steps.StandStill("hold", "ben")
    story.tell(ev.RunPaused("hold", "ben"))
    assert story.step() == steps.AwaitPerson()
    assert story.tell(ev.RunResumed("ben")).step() == steps.StartIteration(2, False)


def test_a_hold_outlives_a_pause():
    story = making().tell(ev.HoldSet("ben"), ev.PauseAsked("anna"), ev.RunPaused("pause", "anna"), ev.RunResumed("anna"))
    story.reply().made().judged(verdict("tests", "failed", "no")).finished()
    assert story.step() == steps.StandStill("hold", "ben")


def test_a_hold_before_the_first_iteration_holds_it():
    assert Story().begun().tell(ev.HoldSet("ben")).step() == steps.StandStill("hold", "ben")


def test_a_run_that_is_done_is_done_whatever_is_held():
    story = making().reply().made().judged(verdict()).tell(ev.HoldSet("ben")).finished()
    step = story.step()
    assert isinstance(step, steps.EndRun)
    assert step.reason == "done"


def test_a_limit_lowered_below_what_is_spent_ends_the_part():
    story = making().reply("t1:bash").ran("t1")
    lower: Settings = structs.replace(story.run.settings, max_tokens=1)
    assert story.tell(ev.SettingChanged("max_tokens", "None", "1", "anna", lower)).step() == steps.FinishMaker("budget")
