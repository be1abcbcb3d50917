"""The operator's hand and the gate, through the front door: each command has its effect, once, or is refused with the reason."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.loops import fixer, loop, turn, waiting, write

pytestmark = pytest.mark.usefixtures("without_walls")


def asking(name="asking", command="touch asked"):
    return loop(name, [turn("a", ("bash", {"command": command})), turn("d")], checks=[{"name": "asked", "run": "test -f asked"}])


def test_pause_and_resume(front):
    door = front(asking())
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.ok("pause", "asking")
    door.ok("approve", waits["id"])
    door.until("asking", "paused")
    assert "is not paused" not in door.ok("resume", "asking").err
    assert door.until_ended("asking")["reason"] == "done"


def test_hold_stops_before_the_next_iteration_and_a_nudge_reaches_it(front):
    turns = [turn("a", ("bash", {"command": "true"})), turn("d"), turn("w", write("x", "x"), iteration=2), turn("d")]
    door = front(loop("slow", turns, checks=[{"name": "there", "run": "test -f x"}]))
    door.ok("start", "slow")
    [waits] = door.until("slow", "asking")["approvals"]
    assert "before the next iteration" in door.ok("hold", "slow").out
    door.ok("approve", waits["id"])
    assert door.until("slow", "paused")["iteration"] == 1
    assert "mind the third file" in door.ok("nudge", "slow", "mind the third file").out
    door.ok("resume", "slow")
    entry = door.until_ended("slow")
    assert entry["iteration"] == 2
    sent = [one for one in door.ok("trace", "slow", "--kind", "prompt_sent", "--json").lines if one["iteration"] == 2]
    blobs = [Path(entry["dir"], "blobs", part["blob"]) for part in sent[0]["parts"]]
    assert any("mind the third file" in blob.read_text(encoding="utf-8") for blob in blobs)


@pytest.mark.parametrize("now", [[], ["--now"]])
def test_kill_says_who_and_why(front, now):
    door = front(waiting())
    door.ok("start", "waiting")
    door.at_work("waiting")
    assert "ended: human" in door.ok("kill", "waiting", "--why", "it was only a test", *now).out
    entry = door.entry("waiting")
    assert (entry["status"], entry["reason"]) == ("ended", "human")
    shown = door.ok("show", "waiting", "--json").json
    assert "it was only a test" in shown["why"]
    assert shown["ended_by"] in shown["why"]
    assert shown["ended_by"]
    assert door.runners() == []
    for verb in (["kill"], ["pause"], ["resume"], ["hold"]):
        said = door.run(*verb, "waiting")
        assert (said.code, "has ended: human" in said.err) == (2, True)


def test_set_changes_a_live_run_and_says_what_it_cant(front):
    door = front(waiting())
    door.ok("start", "waiting")
    door.at_work("waiting")
    assert "max_iterations: 3 → 4" in door.ok("set", "waiting", "max_iterations", "4").out
    for key, value in (("max_iterations", "7"), ("max_cost_usd", "2.5"), ("max_wall", "30m"), ("severity_floor", "minor")):
        door.ok("set", "waiting", key, value)
    entry = door.entry("waiting")
    assert (entry["max_iterations"], entry["limits"]["cost_usd"], entry["limits"]["wall_s"]) == (7, 2.5, 1800.0)
    for key, value in (("max_iterations", "0"), ("max_iterations", "many"), ("goal", "x"), ("max_wall", "soon"), ("", "")):
        said = door.run("set", "waiting", key, value)
        assert (said.code, said.out) == (2, "")
    assert door.entry("waiting")["max_iterations"] == 7


def test_a_person_is_a_check(front):
    checks: list[dict[str, object]] = [{"name": "there", "run": "test -f answer.txt"}, {"name": "looks good", "human": True}]
    turns = [turn("w", write("answer.txt", "1")), turn("d"), turn("w", write("answer.txt", "2"), iteration=2), turn("d")]
    door = front(loop("judged", turns, checks=checks))
    door.ok("start", "judged")
    door.until("judged", "asking")
    wrong = door.run("verdict", "judged", "there", "pass")
    assert (wrong.code, "looks good" in wrong.err) == (2, True)
    door.ok("verdict", "judged", "looks good", "fail", "--why", "say it in blue")
    door.until("judged", "asking")
    assert "say it in blue" in json.dumps(door.ok("show", "judged", "--json").json["findings"])
    door.ok("verdict", "judged", "looks good", "pass")
    entry = door.until_ended("judged")
    assert (entry["reason"], entry["iteration"]) == ("done", 2)


def test_an_approval_lets_exactly_this_call_run(front):
    door = front(asking())
    door.ok("start", "asking")
    waits = door.until("asking", "asking")["approvals"]
    assert [(one["tool"], one["summary"]) for one in waits] == [("bash", "touch asked")]
    assert "touch asked" in door.ok("approvals").out
    assert "1 waiting for you" in door.ok("status").out
    door.ok("approve", waits[0]["id"])
    assert door.until_ended("asking")["reason"] == "done"
    assert door.ok("approvals", "--json").json == {"approvals": []}
    again = door.run("approve", waits[0]["id"])
    assert (again.code, "already" in again.err) == (2, True)


def test_an_approval_can_be_edited_and_made_a_rule(front):
    calls = [("bash", {"command": f"touch {name}"}) for name in ("wrong", "asked")]
    door = front(
        loop("asking", [turn("a", calls[0]), turn("b", calls[1]), turn("d")], checks=[{"run": "test -f asked && ! test -f wrong"}])
    )
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    for bad in ("[1]", "touch", '"x"', '{"comand": "touch right"}', '{"command": 1}'):
        assert door.run("approve", waits["id"], "--edit", bad).code == 2
    assert door.run("approve", waits["id"], "--always", "no rule (").code == 2
    said = door.ok("approve", waits["id"], "--edit", '{"command": "touch right"}', "--always", "bash(touch *)").out
    assert ("touch right" in said, "touch wrong" in said, "bash(touch *)" in said) == (True, False, True)
    entry = door.until_ended("asking")
    assert entry["reason"] == "done"
    assert Path(entry["worktree"], "right").exists()


def test_only_its_whole_id_allows_a_call(front):
    door = front(asking())
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    for vague in ("asking", waits["id"][:-2], waits["id"][:8]):
        said = door.run("approve", vague)
        assert (said.code, waits["id"] in said.err, waits["summary"] in said.err) == (2, True, True)
    assert door.entry("asking")["status"] == "asking"


def test_a_denial_reaches_the_maker(front):
    door = front(asking())
    door.ok("start", "asking")
    door.until("asking", "asking")
    assert door.run("deny", "asking").code == 2
    door.ok("deny", "asking", "--why", "leave that file alone")
    door.until_ended("asking")
    returned = door.ok("trace", "asking", "--kind", "tool_returned", "--json").lines
    assert any("leave that file alone" in one["output"] for one in returned)


def test_of_two_answers_one_counts_and_the_other_is_told(front):
    door = front(asking())
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda args: door.run(*args), [["approve", waits["id"]], ["deny", waits["id"], "--why", "no"]]))
    assert sorted(one.code for one in answers) == [0, 2]
    told = next(one for one in answers if one.code == 2)
    assert "answered" in told.err


def test_a_dead_runner_is_resumed_at_its_last_step(front):
    door = front(asking())
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.end()
    lost = door.until_ended("asking")
    assert (lost["status"], lost["reason"]) == ("ended", "lost")
    assert "loopdeck resume" in lost["why"]
    said = door.run("approve", waits["id"])
    assert (said.code, "loopdeck resume" in said.err) == (0, True)
    door.ok("resume", "asking")
    entry = door.until_ended("asking")
    assert entry["reason"] == "done"
    assert entry["usage"]["tool_calls"] == 1


def test_a_dead_runner_that_stood_still_goes_on_by_the_same_word(front):
    door = front(asking())
    door.ok("start", "asking")
    [waits] = door.until("asking", "asking")["approvals"]
    door.ok("pause", "asking")
    door.ok("approve", waits["id"])
    door.until("asking", "paused")
    door.end()
    assert door.until_ended("asking")["reason"] == "lost"
    door.ok("resume", "asking")
    assert door.until_ended("asking")["reason"] == "done"


def test_a_dead_run_can_be_ended(front):
    door = front(waiting())
    door.ok("start", "waiting")
    door.at_work("waiting")
    door.end()
    door.until_ended("waiting")
    door.ok("kill", "waiting", "--why", "gone anyway")
    assert door.entry("waiting")["reason"] == "human"


def test_unknown_runs_and_approvals_are_the_operators_mistake(front, inside):
    door = front(fixer())
    for args in (
        ["pause", "nothing"], ["kill", "fixer"], ["approve", "nothing"], ["deny", "nothing", "--why", "x"], ["nudge", "fixer", "x"],
        ["verdict", "fixer", "x", "pass"], ["verdict", "fixer", "x", "perhaps"], ["set", "fixer", "max_iterations", "3"],
    ):  # fmt: skip
        said = inside(door, *args)
        assert said.code == 2, args
        assert said.out == ""
