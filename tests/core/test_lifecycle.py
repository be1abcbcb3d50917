"""The transition table, walked pair by pair against what this file says of it, and every kind of event through the fold."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import events as ev
from loopdeck.core import lifecycle
from loopdeck.core.fold import Stamp, apply
from loopdeck.core.happening import snake
from loopdeck.core.lifecycle import TABLE, Status, after
from loopdeck.core.run import Run
from loopdeck.errors import Bug
from tests.core.make import Story, check, loop
from tests.core.samples import SAMPLES

STATUSES: tuple[Status, ...] = get_args(Status)
KINDS = list(SAMPLES)

WORK = (
    "WorkspacePrepared IterationStarted ModelCallReserved ModelCallSettled LimitReached ToolCallGranted ToolCallRefused "
    "ToolCallFinished ToolCallLost MakerFinished WorkCommitted CheckFinished CheckSkipped IterationFinished "
    "AgentTurnStarted AgentSessionNamed AgentTurnFinished ToolCallAsked TriageFinished ChildStarted ChildEnded"
)
AGENT = "ToolCallFinished ToolCallLost AgentSessionNamed AgentTurnFinished"
TELLING = "RunnerStarted CommandTaken HoldSet Nudged SettingChanged NoticeRaised DoorChosen PauseAsked"

# For each status, the events that keep it, and those that lead elsewhere. Whatever is not written here is forbidden.
EXPECTED: dict[str, tuple[str, dict[str, str]]] = {
    "idle": ("", {"RunQueued": "queued"}),
    "queued": (f"{TELLING} RunResumed", {"RunStarted": "running", "StopAsked": "stopping", "RunEnded": "ended"}),
    "running": (
        f"{TELLING} {WORK} RunResumed",
        {
            "WaitStarted": "waiting", "ApprovalRequested": "asking", "VerdictAsked": "asking", "StateClashed": "asking",
            "RunPaused": "paused", "StopAsked": "stopping", "RunEnded": "ended",
        },
    ),
    "asking": (
        f"{TELLING} RunResumed ModelCallSettled {AGENT}",
        {
            "ApprovalDecided": "running", "ApprovalLapsed": "running", "VerdictGiven": "running", "StateSettled": "running",
            "StopAsked": "stopping", "RunEnded": "ended",
        },
    ),
    "waiting": (
        f"{TELLING} RunResumed ModelCallSettled",
        {"WaitEnded": "running", "RunPaused": "paused", "StopAsked": "stopping", "RunEnded": "ended"},
    ),
    "paused": (
        f"{TELLING} ModelCallSettled {AGENT} CheckFinished ChildEnded",
        {"RunResumed": "running", "StopAsked": "stopping", "RunEnded": "ended"},
    ),
    "hung": ("", {}),
    "stopping": (
        f"{TELLING} ModelCallSettled ToolCallFinished ToolCallLost CheckFinished WorkCommitted IterationFinished "
        "StopAsked AgentTurnFinished ChildEnded",
        {"RunEnded": "ended"},
    ),
    "ended": ("", {}),
}  # fmt: skip


def expected(status: str, kind: type) -> str | None:
    keeps, leads = EXPECTED[status]
    return status if kind.__name__ in keeps.split() else leads.get(kind.__name__)


def posed(status: Status, event: ev.Event) -> Story:
    """A run in `status` in the midst of everything, so that any event the table allows there finds what it speaks of."""
    story = Story(loop(check("tests"), check("look", human=True))).begun().iteration().reply("t1:bash")
    story.ask("t1")
    story.run.asking, story.run.asking_for = {
        ev.VerdictGiven: ("verdict", "look"),
        ev.StateSettled: ("state", "t" * 64),
    }.get(type(event), ("approval", "a1"))
    story.run.status = "running"
    story.reserve()
    story.run.status = status
    return story


def test_samples_are_one_of_every_kind():
    assert set(KINDS) == set(get_args(ev.Event))
    assert set(STATUSES) == set(EXPECTED)


@pytest.mark.parametrize("status", STATUSES)
def test_every_pair_is_in_the_table_with_its_target_or_is_a_bug(status):
    for kind, event in SAMPLES.items():
        target = expected(status, kind)
        if target is None:
            with pytest.raises(Bug, match=kind.__name__):
                after(status, event)
        else:
            assert after(status, event) == target, kind


def test_the_table_holds_nothing_else():
    told = {(status, kind) for status in STATUSES for kind in KINDS if expected(status, kind) is not None}
    assert set(TABLE) == told


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_a_rule_wherever_the_table_allows_it(kind):
    event = SAMPLES[kind]
    allowed = [status for status in STATUSES if (status, kind) in TABLE]
    assert allowed
    for status in allowed:
        story = posed(status, event)
        apply(story.run, event, Stamp("later", 99.0, 1))
        assert story.run.status == TABLE[status, kind]
        assert (story.run.last_at, story.run.clock) == ("later", 99.0)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_the_table_forbids_changes_nothing(kind):
    event = SAMPLES[kind]
    for status in STATUSES:
        if (status, kind) in TABLE:
            continue
        story = posed(status, event)
        before = msgspec.json.encode(story.run)
        with pytest.raises(Bug):
            apply(story.run, event, Stamp("later", 99.0, 9))
        assert msgspec.json.encode(story.run) == before


def test_nothing_follows_the_end():
    story = Story().begun().round().ended()
    for event in SAMPLES.values():
        with pytest.raises(Bug):
            story.tell(event)


@given(st.lists(st.sampled_from(KINDS), max_size=30))
@settings(max_examples=300)
def test_no_walk_leaves_the_table(kinds):
    status: Status = "idle"
    for kind in kinds:
        try:
            status = after(status, SAMPLES[kind])
        except Bug:
            assert expected(status, kind) is None
    assert status not in ("hung",)


def test_no_status_but_the_end_is_a_dead_end():
    reached = {status: {target for (source, _), target in TABLE.items() if source == status} for status in STATUSES}
    for status in STATUSES:
        if status not in ("idle", "hung", "ended"):
            assert {"stopping", "ended"} <= reached[status] | {status}, status


def test_the_header_names_every_status_a_journal_can_lead_to():
    assert lifecycle.__doc__ is not None
    led_to = set(TABLE.values())
    assert led_to == set(STATUSES) - {"idle", "hung"}
    for status in led_to:
        assert status in lifecycle.__doc__


def test_each_kind_has_a_tag_of_its_own_and_survives_the_disk():
    tags = [msgspec.json.decode(msgspec.json.encode(event))["kind"] for event in SAMPLES.values()]
    assert tags == [snake(kind.__name__) for kind in SAMPLES]
    assert len(set(tags)) == len(tags)
    decoder = msgspec.json.Decoder(ev.Event)
    for event in SAMPLES.values():
        assert decoder.decode(msgspec.json.encode(event)) == event


def test_events_are_frozen():
    for event in SAMPLES.values():
        assert type(event).__struct_config__.frozen


def test_a_run_without_a_journal_is_idle():
    assert Run().status == "idle"
