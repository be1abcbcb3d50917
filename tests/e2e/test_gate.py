"""The gate: a call that a person must allow waits, costs no time, runs once, and never otherwise than it was shown."""

import json

import pytest

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.commands import Decide
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat

pytestmark = pytest.mark.usefixtures("without_walls")

ONCE = "echo ran >> ran.txt"
RAN = [{"name": "ran once", "run": "test $(grep -c ran ran.txt) = 1"}]


def asking(command=ONCE, **more):
    """A loop whose maker wants to run `command`."""
    return loop("asking", [turn("a", ("bash", {"command": command})), turn("d")], checks=more.pop("checks", RAN), **more)


def bash(*commands):
    """Turns that each want to run one command."""
    return [turn("b", ("bash", {"command": one})) for one in commands]


def judged():
    """A loop that a person grades, and whose maker hears what they say."""
    checks: list[dict[str, object]] = [{"name": "there", "run": "test -f x"}, {"name": "pretty", "human": True}]
    again = turn("I hear.", write("x", "2"), when="paint it blue", iteration=2)
    return loop("judged", [turn("w", write("x", "1")), turn("d"), again, turn("d")], checks=checks)


def test_a_call_waits_and_is_said_everywhere(front):
    door: Seat = front(asking())
    door.ok("start", "asking")
    entry = door.until("asking", "asking")
    [waits] = entry["approvals"]
    assert set(waits) == {"id", "tool", "summary", "since"}
    assert (entry["phase"], waits["tool"], waits["summary"]) == ("maker", "bash", ONCE)
    [told] = door.ok("approvals", "--json").json["approvals"]
    assert (told["id"], told["loop"], told["run"]) == (waits["id"], "asking", entry["run"])
    assert (told["arguments"], told["cwd"]) == ({"command": ONCE}, entry["worktree"])
    assert told["tier"] in ("low", "medium", "high", "dangerous")
    assert len(told["digest"]) == 64
    assert told["since"] < told["expires"] < "9"
    assert not (door.worktree("asking") / "ran.txt").exists()
    door.ok("approve", waits["id"])
    assert door.until_ended("asking")["reason"] == "done"
    [granted] = [one for one in door.events("asking") if isinstance(one, ev.ToolCallGranted)]
    assert granted.approval == waits["id"]


def test_what_was_edited_is_what_runs_and_what_the_trace_says(front):
    door: Seat = front(asking("rm -rf everything"))
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.ok("approve", waits["id"], "--edit", json.dumps({"command": ONCE}))
    assert door.until_ended("asking")["reason"] == "done"
    [called] = [one for one in door.trace("asking") if isinstance(one, tr.ToolCalled)]
    assert json.loads(called.arguments) == {"command": ONCE}
    assert "rm" not in json.dumps(called.arguments)


def test_an_edit_that_makes_no_sense_runs_nothing_and_is_told_the_maker(front):
    door: Seat = front(asking(end={"max_iterations": 1}))
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    assert "comand" in door.says("approve", waits["id"], "--edit", '{"comand": "true"}').err
    assert door.entry("asking")["status"] == "asking"
    # Another client may be less careful than the verb.
    [asked] = door.folded("asking").pending_approvals
    careless = Decide(by="somebody", at="", approval=waits["id"], approved=True, arguments='{"comand": "true"}', digest=asked.digest)
    door.deck.send(door.paths("asking"), careless)
    assert door.until_ended("asking")["reason"] == "max_iterations"
    assert any("make no sense" in one for one in door.outputs("asking"))
    assert door.entry("asking")["usage"]["tool_calls"] == 0


def test_a_rule_given_once_is_not_asked_again(front):
    turns = [*bash("touch one", "touch two", "touch three"), turn("d")]
    door: Seat = front(loop("asking", turns, checks=[{"run": "test -f one -a -f two -a -f three"}]))
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.ok("approve", waits["id"], "--always", "bash(touch)")
    assert door.until_ended("asking")["reason"] == "done"
    assert len(door.folded("asking").approvals) == 1


def test_a_rule_given_does_not_lift_a_denial(front):
    turns = [*bash("touch one", "rm one"), turn("d")]
    door: Seat = front(loop("asking", turns, checks=[{"run": "test -f one"}], gates={"deny": ["bash(rm)"]}))
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.ok("approve", waits["id"], "--always", "bash")
    assert door.until_ended("asking")["reason"] == "done"
    assert any("bash(rm) denies it" in one for one in door.outputs("asking"))


def test_an_approval_edited_into_what_a_rule_denies_does_not_run(front):
    door: Seat = front(asking("touch one", checks=[{"run": "true"}], gates={"deny": ["bash(rm)"]}))
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.ok("approve", waits["id"], "--edit", '{"command": "rm -f README.md"}')
    door.until_ended("asking")
    assert (door.worktree("asking") / "README.md").exists()
    assert any("bash(rm) denies it" in one for one in door.outputs("asking"))


def test_the_reason_of_a_denial_reaches_the_maker_who_does_something_else(front):
    turns = [
        *bash("git push origin main"), turn("I see.", write("answer.txt", "patch"), when="make a patch instead"), turn("d"),
    ]  # fmt: skip
    door: Seat = front(loop("asking", turns, checks=[{"run": "grep -q patch answer.txt"}]))
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.ok("deny", waits["id"], "--why", "make a patch instead")
    entry = door.until_ended("asking")
    assert (entry["reason"], entry["usage"]["tool_calls"]) == ("done", 1)
    assert door.ok("approvals", "--json").json == {"approvals": []}


def test_ids_nobody_knows_and_answers_that_come_too_late(front):
    door: Seat = front(asking())
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.says("approve", "nonesuch")
    door.says("deny", "nonesuch", "--why", "x")
    door.ok("approve", waits["id"])
    assert "already" in door.says("approve", waits["id"]).err
    assert "already" in door.says("deny", waits["id"], "--why", "too late").err
    assert door.until_ended("asking")["reason"] == "done"
    assert "already" in door.says("approve", waits["id"]).err


def test_two_questions_come_one_after_the_other(front):
    both = turn("b", ("bash", {"command": "touch one"}), ("bash", {"command": "touch two"}))
    door: Seat = front(loop("asking", [both, turn("d")], checks=[{"run": "test -f one -a ! -f two"}]))
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.ok("approve", waits["id"])
    door.wait("asking", lambda one: len(one.run.approvals) == 2)
    door.ok("deny", "asking", "--why", "one is enough")
    assert door.until_ended("asking")["reason"] == "done"


def test_paused_while_it_asks(front):
    door: Seat = front(asking())
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.ok("pause", "asking")
    assert door.entry("asking")["status"] == "asking"
    door.ok("approve", waits["id"])
    door.until("asking", "paused")
    assert not (door.worktree("asking") / "ran.txt").exists()
    door.ok("resume", "asking")
    assert door.until_ended("asking")["reason"] == "done"


def test_killed_while_it_asks(front):
    door: Seat = front(asking())
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.ok("kill", "asking", "--why", "no")
    assert (door.entry("asking")["reason"], door.entry("asking")["approvals"]) == ("human", [])
    assert door.ok("approvals", "--json").json == {"approvals": []}
    door.says("approve", waits["id"])
    assert not (door.worktree("asking") / "ran.txt").exists()


@pytest.mark.parametrize("answer", ["approve", "deny"])
def test_an_approval_outlives_its_runner(front, answer):
    door: Seat = front(asking(end={"max_iterations": 1}))
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.slay("asking")
    [told] = door.ok("approvals", "--json").json["approvals"]
    assert told["id"] == waits["id"]
    said = door.ok("approve", waits["id"]) if answer == "approve" else door.ok("deny", waits["id"], "--why", "better not")
    assert "loopdeck resume" in said.err
    assert not (door.worktree("asking") / "ran.txt").exists()
    door.ok("resume", "asking")
    entry = door.until_ended("asking")
    ran = answer == "approve"
    assert (entry["reason"], entry["usage"]["tool_calls"]) == (("done", 1) if ran else ("max_iterations", 0))
    assert (door.worktree("asking") / "ran.txt").exists() == ran


def test_a_dead_runner_is_resumed_and_asks_on(front):
    door: Seat = front(asking())
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.slay("asking")
    door.ok("resume", "asking")
    assert door.until("asking", "asking")["approvals"] == [waits]
    door.ok("approve", waits["id"])
    entry = door.until_ended("asking")
    assert (entry["reason"], entry["usage"]["tool_calls"]) == ("done", 1)


def test_a_person_who_is_a_check_is_asked_last_and_done_waits_for_them(front):
    door: Seat = front(judged())
    door.ok("start", "judged")
    entry = door.until("judged", "asking")
    assert (entry["approvals"], "pretty" in entry["why"]) == ([], True)
    assert [one.check for one in door.folded("judged").verdicts] == ["there"]
    door.slay("judged")
    door.says("verdict", "judged", "pretty", "pass", code=0)
    door.ok("resume", "judged")
    assert door.until_ended("judged")["reason"] == "done"
    assert [one.check for one in door.folded("judged").verdicts] == ["there", "pretty"]


@pytest.mark.req("S0-22")
def test_a_person_who_says_no_is_heard(front):
    door: Seat = front(judged())
    door.ok("start", "judged")
    door.until("judged", "asking")
    door.ok("verdict", "judged", "pretty", "fail", "--why", "paint it blue")
    door.wait("judged", lambda one: one.status == "asking" and one.run.iteration == 2)
    assert (door.worktree("judged") / "x").read_text() == "2"
    door.says("verdict", "judged", "there", "pass")
    door.ok("verdict", "judged", "pretty", "pass")
    assert door.until_ended("judged")["reason"] == "done"
