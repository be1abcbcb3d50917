"""The matrix: what survives, what a row says that could not be attacked, and that every row is one that can be lost."""

from typing import cast

import pytest

from loopdeck.core.loopfile import DeckFile, read_loop
from loopdeck.core.run import Run
from loopdeck.core.script import Script, read_script
from loopdeck.errors import StoreError
from loopdeck.gameday import matrix
from loopdeck.gameday.scenario import Ground, Outcome, Scenario, Seen, ruling
from loopdeck.gameday.stage import Stage

GROUND = Ground("/arena", "/home/secret", "canary", 4711)
NO_STAGE = cast("Stage", None)
"""These attacks need none."""
WALLS = (True, ("bubblewrap",))
NO_WALLS = (False, ("bubblewrap is not installed",))


def scenario(judge=lambda seen: Outcome("held", "1"), drive=lambda stage, name: Seen(Run(id="r1"), "ended", "done"), needs=""):
    return Scenario("one", "It holds.", "a push", {}, drive, judge, needs)


def row(verdict):
    return matrix.Row(scenario(), Outcome(verdict), "", 0.0)


def attacked(one, walls=WALLS):
    told: list[matrix.Row] = []
    made = matrix.attack(NO_STAGE, one, walls, told.append)
    assert told == [made]
    return made


@pytest.mark.parametrize(
    ("verdicts", "survived"),
    [
        (["held", "held"], True), (["held", "not tried"], True), (["held", "broken"], False), (["broken"], False),
        (["not tried"], False), ([], False),
    ],
)  # fmt: skip
def test_it_is_survived_if_all_that_was_tried_held_and_something_was(verdicts, survived):
    assert matrix.Matrix(tuple(map(row, verdicts)), "", "", 1.0).survived is survived


def test_the_judge_decides():
    assert attacked(scenario()).outcome == Outcome("held", "1")
    assert attacked(scenario()).run == "r1"
    assert attacked(scenario(judge=lambda seen: Outcome("broken", "2", "so"))).outcome.verdict == "broken"


def test_an_attack_that_fails_is_not_taken_for_a_promise_kept():
    def fails(stage, name):
        raise StoreError("the disk is gone")

    outcome = attacked(scenario(drive=fails)).outcome
    assert (outcome.verdict, "the disk is gone" in outcome.why) == ("broken", True)


def test_what_needs_a_sandbox_is_not_tried_without_one():
    outcome = attacked(scenario(needs="walls"), NO_WALLS).outcome
    assert (outcome.verdict, outcome.why) == ("not tried", "no sandbox here: bubblewrap is not installed")
    assert attacked(scenario(needs="walls")).outcome.verdict == "held"


def test_what_needs_setsid_is_not_tried_without_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert attacked(scenario(needs="setsid")).outcome.verdict == "not tried"


def test_a_ruling_names_all_that_is_wrong():
    assert ruling("1 of 1", (False, "a"), (False, "b")) == Outcome("held", "1 of 1")
    assert ruling("1 of 1", (True, "a"), (False, "b"), (True, "c")) == Outcome("broken", "1 of 1", "a; c")


def test_every_row_has_a_loop_of_its_name_that_can_run():
    rows = matrix.scenarios(GROUND)
    assert len({one.name for one in rows}) == len(rows) == 13
    for one in rows:
        folder = f".loopdeck/loops/{one.name}"
        reading = read_loop(one.name, one.files[f"{folder}/loop.toml"], "loop.toml", DeckFile())
        assert reading.spec is not None, reading.problems
        assert isinstance(read_script(one.files[f"{folder}/play.toml"], "play.toml"), Script)
        assert reading.spec.exit.max_wall_s, "one that is forgotten ends by itself"
        assert one.promise[0].isupper()
