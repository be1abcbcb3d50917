"""The operator's hand: what each command comes to, in every status, once."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import commands as cmd
from loopdeck.core import events as ev
from loopdeck.core.hand import KEYS, Effect, answer, changed
from loopdeck.core.happening import Commanded, Settings
from loopdeck.errors import UsageError
from tests.core.make import Story, check, loop, verdict

BY = "anna"
COMMANDS: list[cmd.Command] = [
    cmd.Pause(by=BY), cmd.Resume(by=BY), cmd.Hold(by=BY), cmd.Kill(by=BY, why="enough", now=True), cmd.Nudge(by=BY, text="try"),
    cmd.Set(by=BY, key="max_iterations", value="9"), cmd.Decide(by=BY, approval="a1", approved=True, digest="d1"),
    cmd.Judge(by=BY, check="look", passed=True),
]  # fmt: skip


def posed(status: str) -> Story:
    story = Story(loop(check(), check("look", human=True)))
    if status == "queued":
        return story
    story.begun().iteration()
    match status:
        case "waiting":
            story.fail().tell(ev.WaitStarted("server", 0.5, "then", 1))
        case "asking":
            story.reply("t1:bash").ask("t1")
        case "asking a verdict":
            story.reply().made().judged(verdict()).tell(ev.VerdictAsked("look"))
        case "asking for a state":
            story.reply().made().judged(verdict()).tell(ev.StateClashed("o", "t"))
        case "paused":
            story.tell(ev.PauseAsked("ben"), ev.RunPaused("pause", "ben"))
        case "stopping":
            story.reply("t1:bash").ask("t1").tell(ev.StopAsked("ben"))
        case "ended":
            story.ended()
        case _:
            pass
    return story


STATUSES = ["queued", "running", "waiting", "asking", "asking a verdict", "asking for a state", "paused", "stopping", "ended"]


def test_every_command_there_is_is_tried():
    assert {type(one) for one in COMMANDS} == set(get_args(cmd.Command))
    assert all(issubclass(kind, Commanded) for kind in get_args(Effect))


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: type(one).__name__)
def test_a_command_at_any_moment_is_taken_once_and_answered(status, command):
    story = posed(status)
    said = answer(story.run, "c1", command, "s")
    story.tell(*said)
    if status == "ended":
        assert said == ()
        return
    taken = said[-1]
    assert isinstance(taken, ev.CommandTaken)
    assert (taken.command, taken.by, bool(taken.refused)) == ("c1", BY, len(said) == 1)
    assert story.run.refused.get("c1", "") == taken.refused
    assert answer(story.run, "c1", command, "s") == ()


@pytest.mark.parametrize("status", STATUSES[:-1])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: type(one).__name__)
def test_a_crash_after_the_effect_does_not_bring_it_twice(status, command):
    story = posed(status)
    effects = answer(story.run, "c1", command, "s")[:-1]
    story.tell(*effects).crash()
    assert answer(story.run, "c1", command, "s")[: len(effects)] == ()


@pytest.mark.parametrize(
    ("status", "accepted"),
    [
        ("queued", "Pause Hold Kill Nudge Set"),
        ("running", "Pause Hold Kill Nudge Set"),
        ("waiting", "Pause Hold Kill Nudge Set"),
        ("asking", "Pause Hold Kill Nudge Set Decide"),
        ("asking a verdict", "Pause Hold Kill Nudge Set Judge"),
        ("asking for a state", "Pause Resume Hold Kill Nudge Set"),
        ("paused", "Resume Hold Kill Nudge Set"),
        ("stopping", "Kill"),
    ],
)
def test_what_has_an_effect_when(status, accepted):
    had = [type(one).__name__ for one in COMMANDS if len(answer(posed(status).run, "c1", one, "s")) > 1]
    assert had == accepted.split()


@pytest.mark.parametrize("wish", [ev.PauseAsked("ben"), ev.HoldSet("ben")])
@pytest.mark.parametrize("status", ["queued", "running", "waiting", "asking"])
def test_resume_takes_back_what_has_not_taken_effect_yet(status, wish):
    story = posed(status).tell(wish)
    story.tell(*answer(story.run, "c1", cmd.Resume(by=BY), "s"))
    assert (story.run.pause_wanted, story.run.hold) == ("", "")


def test_resume_settles_a_state_that_clashed_with_what_is_on_disk():
    story = posed("asking for a state")
    assert answer(story.run, "c1", cmd.Resume(by=BY), "disk")[0] == ev.StateSettled("disk", BY, command="c1")


def test_a_verdict_is_taken_for_the_check_that_waits_for_it_and_no_other():
    for story, name in ((posed("asking a verdict"), "tests"), (posed("asking"), "look"), (posed("running"), "look")):
        (refused,) = answer(story.run, "c1", cmd.Judge(by=BY, check=name, passed=True), "s")
        assert refused == ev.CommandTaken("c1", "judge", BY, f"no verdict of '{name}' is awaited")


def test_an_approval_is_answered_once_and_by_its_name():
    story = posed("asking")
    (refused,) = answer(story.run, "c0", cmd.Decide(by=BY, approval="a9", approved=True), "s")
    assert refused == ev.CommandTaken("c0", "decide", BY, "there is no approval a9")
    for digest in ("", "d0"):
        (refused,) = answer(story.run, "c3", cmd.Decide(by=BY, approval="a1", approved=True, digest=digest), "s")
        assert isinstance(refused, ev.CommandTaken)
        assert "another question" in refused.refused
    yes = cmd.Decide(
        by=BY, at="2026-11-21T07:15:00Z", where="pts/1", approval="a1", approved=True, why="fine", arguments="{}", always="bash(git)",
        digest="d1", for_s=60.0, bound=(("file a", "x"),),
    )  # fmt: skip
    decided, taken = answer(story.run, "c1", yes, "s")
    assert decided == ev.ApprovalDecided(
        "a1", True, BY, "fine", "{}", "bash(git)", "2026-11-21T07:15:00Z", "pts/1", 60.0, (("file a", "x"),), command="c1"
    )
    assert taken == ev.CommandTaken("c1", "decide", BY, where="pts/1")
    story.tell(decided)
    (late,) = answer(story.run, "c2", cmd.Decide(by="ben", approval="a1", approved=False), "s")
    assert isinstance(late, ev.CommandTaken)
    assert late.refused == "anna has answered it before"


# Settings

START = Settings(4, 2 * 10**12, None, None, 40, 3, "major", False, "m")
WORDS = {
    "max_iterations": "4", "max_cost": "2", "max_tokens": "none", "max_wall_s": "none", "max_tool_calls": "40", "no_progress": "3",
    "severity_floor": "major", "final_pass": "false", "model": "m",
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "field", "parsed"),
    [
        ("max_iterations", "8", "max_iterations", 8),
        ("exit.max_iterations", " 8 ", "max_iterations", 8),
        ("max_tokens", "100000", "max_tokens", 100_000),
        ("max_cost_usd", "2.50", "max_cost", 2_500_000_000_000),
        ("max_wall", "1h30m", "max_wall_s", 5400.0),
        ("max_tool_calls", "5", "max_tool_calls", 5),
        ("no_progress", "2", "no_progress", 2),
        ("no_progress", "false", "no_progress", 0),
        ("severity_floor", "blocker", "severity_floor", "blocker"),
        ("final_pass", "true", "final_pass", True),
        ("final_pass", "false", "final_pass", False),
        ("maker.model", "claude-sonnet-4-5", "model", "claude-sonnet-4-5"),
    ],
)
def test_a_setting_is_written_as_in_a_loop_file(key, value, field, parsed):
    old, new, after = changed(START, key, value)
    assert getattr(after, field) == parsed
    assert (old, new) == (WORDS[field], {"max_wall": "5400s", "max_cost_usd": "2.5"}.get(key, value.strip()))
    assert [name for name in START.__struct_fields__ if getattr(after, name) != getattr(START, name)] in ([field], [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("goal", "x"), ("exit.goal", "x"), ("", "1"), ("max_iterations", "0"), ("max_iterations", "-1"), ("max_iterations", "two"),
        ("max_iterations", "1.5"),
        ("max_iterations", "100001"), ("max_tokens", "9" * 30), ("max_wall", "9999h"),
        ("max_tokens", "0"), ("max_cost_usd", "0"), ("max_cost_usd", "-2"), ("max_cost_usd", "nan"),
        ("max_cost_usd", "inf"), ("max_cost_usd", "1e400"), ("max_wall", "soon"), ("max_wall", "0s"), ("max_tool_calls", ""),
        ("no_progress", "-1"), ("severity_floor", "grave"), ("final_pass", "yes"), ("model", " "),
    ],
)  # fmt: skip
def test_what_is_no_setting_or_no_value_is_refused_and_changes_nothing(key, value):
    with pytest.raises(UsageError) as refused:
        changed(START, key, value)
    assert refused.value.remedy
    story = posed("running")
    (taken,) = answer(story.run, "c1", cmd.Set(by=BY, key=key, value=value), "s")
    assert isinstance(taken, ev.CommandTaken)
    assert taken.refused


def test_a_key_that_can_not_be_set_is_told_from_a_value_that_makes_no_sense():
    with pytest.raises(UsageError, match="'goal' can't be set on a live run"):
        changed(START, "goal", "x")
    with pytest.raises(UsageError, match="'x' is no value for max_tokens"):
        changed(START, "exit.max_tokens", "x")


@given(st.sampled_from(KEYS), st.text(max_size=30))
@settings(max_examples=400)
def test_any_text_is_a_value_or_is_refused(key, value):
    try:
        _, _, after = changed(START, key, value)
    except UsageError:
        return
    assert after.max_iterations > 0
    assert after.max_cost is None or after.max_cost > 0
    assert after.max_wall_s is None or after.max_wall_s > 0
