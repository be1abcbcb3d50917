"""An answer holds for the call that was read, once, in its time, and only while nothing about that call has changed."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from loopdeck.core import events as ev
from loopdeck.core.commands import Decide
from loopdeck.store import inbox
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat, seated

pytestmark = pytest.mark.usefixtures("without_walls")

DEPLOY = "sh deploy.sh"
RAN = [{"name": "ran once", "run": "test $(grep -c ran ran.txt) = 1"}]


def deploying(*calls, checks=RAN, **more):
    """A loop whose maker wants to run a script of the repository's, or makes the given calls."""
    files = loop("deploying", [turn("a", *(calls or (("bash", {"command": DEPLOY}),))), turn("d")], checks=checks, **more)
    return {"deploy.sh": "echo ran >> ran.txt\n", "Makefile": "all:\n\techo ran >> ran.txt\n", **files}


def asked(door: Seat) -> ev.ApprovalRequested:
    """The question that waits, as the journal has it."""
    door.until("deploying", "asking")
    return [one for one in door.events("deploying") if isinstance(one, ev.ApprovalRequested)][-1]


def again(door: Seat, than: ev.ApprovalRequested) -> ev.ApprovalRequested:
    """The question that is asked after another one."""
    door.wait("deploying", lambda one: any(each.id != than.approval for each in one.run.pending_approvals))
    return asked(door)


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def yes(question: ev.ApprovalRequested, **more: object) -> Decide:
    given = {"by": "her", "at": ago(0), "approval": question.approval, "approved": True, "digest": question.digest, **more}
    return Decide(**given)  # type: ignore[arg-type]  # what a test says of it


def ran(door: Seat) -> int:
    place = door.worktree("deploying") / "ran.txt"
    return place.read_text().count("ran") if place.exists() else 0


def answer_while_dead(door: Seat) -> ev.ApprovalRequested:
    """The question, answered with yes while no runner is there to hear it."""
    door.ok("start", "deploying")
    question = asked(door)
    door.slay("deploying")
    door.ok("approve", question.approval)
    return question


@pytest.mark.parametrize("name", ["deploy.sh", "Makefile"])
def test_a_script_that_is_swapped_after_the_yes_is_asked_for_again(front, name):
    door: Seat = front(deploying())
    question = answer_while_dead(door)
    tree = door.worktree("deploying")
    (tree / name).write_text("all:\n\techo sly >> ran.txt\n")
    door.ok("resume", "deploying")
    new = again(door, question)
    assert f"{name} changed" in new.reason
    assert new.digest != question.digest
    assert ran(door) == 0
    door.ok("deny", new.approval, "--why", "no")
    door.until_ended("deploying")
    assert not (tree / "ran.txt").exists()


def test_nothing_changed_is_run_once_however_often_its_runner_dies(front):
    door: Seat = front(deploying())
    answer_while_dead(door)
    door.ok("resume", "deploying")
    assert door.until_ended("deploying")["reason"] == "done"
    assert ran(door) == 1


def test_a_file_that_is_edited_after_its_change_was_read_is_asked_for_again(front):
    door: Seat = front({".env": "A=1\n"} | deploying(write(".env", "A=2\n"), checks=[{"run": "true"}]))
    question = answer_while_dead(door)
    (door.worktree("deploying") / ".env").write_text("A=1\nB=3\n")
    door.ok("resume", "deploying")
    assert ".env changed" in again(door, question).reason


def test_another_environment_is_another_call(front):
    door: Seat = front(deploying(sandbox={"env": ["STAGE"]}))
    door.env["STAGE"] = "test"
    question = answer_while_dead(door)
    door.env["STAGE"] = "production"
    door.ok("resume", "deploying")
    assert "its environment changed" in again(door, question).reason
    assert ran(door) == 0


def test_in_another_folder_in_the_same_place_nothing_is_run(front):
    door: Seat = front(deploying())
    answer_while_dead(door)
    tree = door.worktree("deploying")
    inode = tree.stat().st_ino
    subprocess.run(["cp", "-a", str(tree), f"{tree}.copy"], check=True)
    tree.rename(f"{tree}.old")
    Path(f"{tree}.copy").rename(tree)
    door.ok("resume", "deploying")
    # It is seen that this is not the worktree, before anything is done in it.
    entry = door.until("deploying", "paused")
    assert str(tree) in entry["why"]
    granted = [one for one in door.events("deploying") if isinstance(one, ev.ToolCallGranted)]
    assert not [one for one in granted if one.tool == "bash"]
    # Once the right one is back, the call is the one that was approved.
    door.ok("resume", "deploying")
    assert door.until_ended("deploying")["reason"] == "done"
    assert tree.stat().st_ino == inode


def test_an_edited_call_is_bound_to_the_files_that_it_names(front):
    door: Seat = front({"other.sh": "echo other\n"} | deploying())
    door.ok("start", "deploying")
    question = asked(door)
    door.slay("deploying")
    door.ok("approve", question.approval, "--edit", json.dumps({"command": "sh other.sh"}))
    (door.worktree("deploying") / "other.sh").write_text("echo ran >> ran.txt\n")
    door.ok("resume", "deploying")
    assert "other.sh changed" in again(door, question).reason
    assert ran(door) == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"at": ago(1200)}, "longer than 10 minutes ago"),
        ({"at": ago(-86_400)}, "no time before now"),
    ],
)
def test_an_answer_out_of_its_time_is_not_used(front, answer, said):
    door: Seat = front(deploying())
    door.ok("start", "deploying")
    question = asked(door)
    door.deck.send(door.paths("deploying"), yes(question, **answer))
    assert said in again(door, question).reason
    assert ran(door) == 0


def test_a_yes_to_another_question_counts_for_nothing(front):
    door: Seat = front(deploying())
    door.ok("start", "deploying")
    question = asked(door)
    for digest in ("", "0" * 64):
        door.deck.send(door.paths("deploying"), yes(question, digest=digest))
    door.wait("deploying", lambda one: len(one.run.refused) == 2)
    assert asked(door) == question
    assert ran(door) == 0
    door.ok("approve", question.approval)
    assert door.until_ended("deploying")["reason"] == "done"


def test_an_answer_is_not_used_for_the_same_call_made_again(front):
    door: Seat = front(deploying(("bash", {"command": DEPLOY}), ("bash", {"command": DEPLOY})))
    door.ok("start", "deploying")
    question = asked(door)
    door.ok("approve", question.approval)
    new = again(door, question)
    assert (new.arguments, ran(door)) == (question.arguments, 1)
    payload = inbox.look(door.paths("deploying").inbox, f"decision-{question.approval}")
    assert payload is not None
    assert inbox.put(door.paths("deploying").inbox, "replayed", payload)
    inbox.put(door.paths("deploying").inbox, f"decision-{new.approval}", payload)
    door.wait("deploying", lambda one: len(one.run.refused) == 2)
    assert (asked(door), ran(door)) == (new, 1)


@pytest.mark.parametrize("wrong", ["mode", "link"])
def test_a_decision_that_others_could_have_put_there_is_not_taken_up(front, wrong):
    door: Seat = front(deploying())
    door.ok("start", "deploying")
    question = asked(door)
    place = door.paths("deploying").inbox / f"decision-{question.approval}.json"
    place.parent.mkdir(mode=0o700, exist_ok=True)
    aside = place.parent.parent / "aside.json"
    aside.write_bytes(msgspec.json.encode(yes(question)))
    match wrong:
        case "mode":
            aside.chmod(0o666)
            aside.rename(place)
        case _:
            place.symlink_to(aside)
    door.deck.send(door.paths("deploying"), yes(question, digest="0"))
    door.wait("deploying", lambda one: len(one.run.refused) == 1)
    assert asked(door) == question
    assert ran(door) == 0


def test_a_question_that_nobody_answers_is_asked_anew_and_never_a_yes(front):
    door: Seat = front(deploying())
    door.ok("start", "deploying")
    question = asked(door)
    door.slay("deploying")
    # A runner for which a day is a second, in a process of its own.
    program = (
        "import sys; from loopdeck.core import binding; binding.LASTS_S = 1.0; from loopdeck.runner.__main__ import main;"
        " main(['', sys.argv[1]])"
    )
    env = {**os.environ, **door.env}
    hurried = [sys.executable, "-c", program, str(door.paths("deploying").dir)]
    first = subprocess.Popen(hurried, env=env, start_new_session=True)
    try:
        # The question of before stands for its day; what is asked from now on stands for a second.
        door.wait("deploying", lambda one: one.live)
        assert asked(door) == question
        (door.worktree("deploying") / "deploy.sh").write_text("echo sly >> ran.txt\n")
        door.ok("approve", question.approval)
        short = again(door, question)
        for _ in range(2):
            short = again(door, short)
        lapsed = [one for one in door.events("deploying") if isinstance(one, ev.ApprovalLapsed)]
        assert len(lapsed) >= 2
        assert "nobody answered" in lapsed[0].why
        assert (ran(door), door.folded("deploying").tool_calls) == (0, 0)
        late = door.run("approve", lapsed[0].approval)
        assert late.code == 2
        assert "no longer asked" in late.err
    finally:
        first.kill()
        first.wait()


def test_a_rule_given_for_a_time_is_over_after_it(front):
    turns = [
        turn("b", ("bash", {"command": f"touch {name}"}), delay_s=delay) for name, delay in (("one", 0), ("two", 0), ("three", 2.5))
    ]
    door: Seat = front(loop("deploying", [*turns, turn("d")], checks=[{"run": "test -f one -a -f two -a -f three"}]))
    door.ok("start", "deploying")
    question = asked(door)
    assert "--always" in door.says("approve", question.approval, "--for", "2s").err
    assert "no time" in door.says("approve", question.approval, "--always", "bash(touch)", "--for", "soon").err
    said = door.ok("approve", question.approval, "--always", "bash(touch)", "--for", "2s")
    assert "for 2s" in said.out
    new = again(door, question)
    assert json.loads(new.arguments) == {"command": "touch three"}
    assert (door.worktree("deploying") / "two").exists()
    door.ok("approve", new.approval)
    assert door.until_ended("deploying")["reason"] == "done"


def test_the_journal_says_who_decided_when_and_from_where(front):
    door: Seat = front(deploying())
    door.ok("start", "deploying")
    before = ago(0)
    door.ok("approve", asked(door).approval)
    door.until_ended("deploying")
    [decided] = [one for one in door.events("deploying") if isinstance(one, ev.ApprovalDecided)]
    assert "@" in decided.by
    assert before <= decided.at <= ago(0)
    assert f"uid {os.getuid()}" in decided.where
    assert "process " in decided.where
    [taken] = [one for one in door.events("deploying") if isinstance(one, ev.CommandTaken)]
    assert taken.where == decided.where


@pytest.mark.chaos
def test_killed_at_every_step_of_an_approval_it_runs_at_most_once_and_only_after_the_yes(tmp_path):
    """The runner is killed at forty moments around question, answer, grant and start; each life goes on from the files alone."""
    for moment in range(40):
        with seated(tmp_path / str(moment), deploying(end={"max_iterations": 1})) as door:
            door.ok("start", "deploying")
            question = asked(door)
            if moment % 4 == 0:
                door.slay("deploying")
            assert ran(door) == 0
            door.deck.send(door.paths("deploying"), yes(question))
            time.sleep(moment * 0.003)
            if door.view("deploying").live:
                door.slay("deploying")
            while door.folded("deploying").status != "ended":
                door.ok("resume", "deploying")
                door.wait("deploying", lambda one: one.status == "ended" and not one.live)
            assert ran(door) <= 1, moment
            grants = [one for one in door.events("deploying") if isinstance(one, ev.ToolCallGranted)]
            assert len(grants) == 1
            assert grants[0].approval == question.approval
            lost = any(isinstance(one, ev.ToolCallLost) for one in door.events("deploying"))
            assert ran(door) == 1 or lost
