"""A run that stands still because something stands in its way."""

from loopdeck.core import events as ev
from loopdeck.core import steps
from tests.core.make import Story


def stalled() -> Story:
    story = Story().begun().iteration()
    return story.tell(ev.RunPaused("stall", "loopdeck", "the disk is full"))


def test_it_awaits_a_person_and_goes_on_where_it_stood():
    story = stalled()
    assert (story.run.status, story.run.stalled, story.run.phase) == ("paused", "the disk is full", "maker")
    assert story.step() == steps.AwaitPerson()
    story.tell(ev.RunResumed("anna"))
    assert (story.run.status, story.run.stalled) == ("running", "")
    assert story.step() == steps.CallModel()


def test_to_go_on_clears_a_pause_but_no_hold():
    story = Story().begun().iteration().tell(ev.HoldSet("ben"), ev.PauseAsked("anna"), ev.RunPaused("stall", "loopdeck", "full"))
    story.tell(ev.RunResumed("anna"))
    assert (story.run.pause_wanted, story.run.hold, story.run.stalled) == ("", "ben", "")


def test_to_be_stopped_or_over_is_to_be_stalled_no_more():
    assert stalled().tell(ev.StopAsked("anna")).run.stalled == ""
    assert stalled().tell(ev.RunEnded("error")).run.stalled == ""
