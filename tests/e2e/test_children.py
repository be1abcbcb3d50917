"""Runs that a run's maker starts: a contract and worktree of their own, a share of the budget; ended with the parent, counted once."""

import json

import pytest

from loopdeck.core import childevents as ce
from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat

ANSWERED = [{"name": "answered", "run": "grep -q fixed answer.txt"}]
TOOLS = ["bash", "write_file", "read_file", "loops.child"]


def parent(call=None, *turns, **more):
    """A loop whose maker starts another loop, and takes its work over."""
    asked = ("loops.child", call or {"input": "Write the answer."})
    take = ("bash", {"command": "git apply .loop/children/*.patch"})
    made = turns or (turn("Ask.", asked), turn("Take.", take), turn("Done."))
    return loop("parent", made, checks=ANSWERED, maker={"tools": TOOLS, "max_output_tokens": 300}, **more)


def child(*turns, **more):
    made = turns or (turn("Writing.", write("answer.txt", "fixed\n")), turn("Done."))
    return loop("child", made, checks=ANSWERED, maker={"max_output_tokens": 300}, **more)


@pytest.mark.req("S2-023", "S0-14")
def test_a_run_starts_another_and_takes_its_work_over(front):
    door: Seat = front(parent(), child())
    run = door.done("parent")
    inner = door.folded("child")
    assert (inner.reason, inner.input, inner.by) == ("done", "Write the answer.", f"run {run.id}")
    assert inner.worktree != run.worktree
    assert inner.settings.max_cost is not None
    assert inner.settings.max_cost <= 5 * 10**11, "half of what was left"
    [started] = [one for one in door.events("parent") if isinstance(one, ce.ChildStarted)]
    [ended] = [one for one in door.events("parent") if isinstance(one, ce.ChildEnded)]
    assert (started.run, started.cost, ended.run, ended.reason) == (inner.id, inner.settings.max_cost, inner.id, "done")
    # Three turns of its own, two of the child's: 1,000 tokens in and 100 out each.
    assert run.spend.usage.input == 5000
    assert run.spend.cost == 3 * 4_500_000_000 + inner.spend.cost
    told = next(one.output for one in door.trace("parent") if isinstance(one, tr.ToolReturned))
    assert f"The run {inner.id} of loop child ended: done" in told
    assert door.show("parent")["children"] == [{"run": inner.id, "loop": "child", "reason": "done"}]
    said = door.ok("show", "parent").out
    assert f"child {inner.id}: done" in said
    assert "by its children" in said
    # The deck counts what was spent once.
    [deck] = [door.ok("status", "--json").json]
    by = {entry["loop"]: entry["usage"]["cost_usd"] for entry in deck["loops"]}
    assert (round(by["parent"], 6), round(by["child"], 6)) == (0.0225, 0.009)


def test_its_share_is_its_cap(front):
    door: Seat = front(parent({"input": "x", "max_cost_usd": 0.005}, end={"max_iterations": 1}), child())
    door.ended("parent", 10)
    inner = door.folded("child")
    assert (inner.reason, inner.settings.max_cost) == ("budget", 5 * 10**9)
    told = next(one for one in door.trace("parent") if isinstance(one, tr.ToolReturned))
    assert told.is_error
    assert "ended: budget" in told.output


def test_what_it_spends_trips_the_parents_cap(front):
    big = turn("More.", write("a", "b"), usage={"input": 100, "output": 300})
    asks = turn("Ask.", ("loops.child", {"input": "x", "max_cost_usd": 0.06}))
    goes_on = [turn("Go on.", ("read_file", {"path": f"{number}"})) for number in range(9)]
    door: Seat = front(parent(None, asks, *goes_on, end={"max_cost_usd": 0.08}), child(*[big] * 30))
    door.ended("parent", 11)
    run, inner = door.folded("parent"), door.folded("child")
    assert inner.reason == "budget"
    assert run.limit == "cost_usd"
    assert run.spend.cost <= 8 * 10**10
    assert run.children_cost == inner.spend.cost


def test_a_killed_parent_ends_its_child(front):
    door: Seat = front(parent(), child(turn("Thinking.", delay_s=300)))
    door.ok("start", "parent")
    door.wait("parent", lambda seen: bool(seen.run.children))
    door.at_work("child")
    door.ok("kill", "parent", "--why", "enough")
    assert door.until_ended("parent")["reason"] == "human"
    inner = door.until_ended("child")
    assert (inner["reason"], "the run that started it" in inner["why"]) == ("human", True)
    run = door.folded("parent")
    assert [one.reason for one in run.children.values()] == ["human"]
    assert run.children_cost == door.folded("child").spend.cost


def test_after_a_dead_runner_the_child_is_ended_and_counted_once(front):
    door: Seat = front(parent(end={"max_iterations": 1}), child(turn("Thinking.", delay_s=300)))
    door.ok("start", "parent")
    door.wait("parent", lambda seen: bool(seen.run.children))
    door.at_work("child")
    door.slay("parent")
    door.ok("resume", "parent")
    door.until_ended("parent")
    run, inner = door.folded("parent"), door.folded("child")
    assert (inner.reason, run.children_cost) == ("human", inner.spend.cost)
    assert len([one for one in door.events("parent") if isinstance(one, ce.ChildEnded)]) == 1
    assert [one.tool for one in door.events("parent") if isinstance(one, ev.ToolCallLost)] == ["loops.child"]


def test_a_child_takes_no_place_that_its_parent_waits_in(front):
    one_place = {".loopdeck/deck.toml": "[deck]\nmax_runs = 1\n"}
    door: Seat = front(one_place, parent(), child())
    door.done("parent")


def test_no_loop_starts_itself_and_what_is_not_there_is_said(front):
    again = child(turn("Ask.", ("loops.parent", {"input": "x"})), turn("Done."), end={"max_iterations": 1})
    path = ".loopdeck/loops/child/loop.toml"
    again[path] = again[path].replace("max_output_tokens = 300", 'max_output_tokens = 300\ntools = ["loops.parent", "loops.nobody"]')
    door: Seat = front(parent(end={"max_iterations": 1}), again)
    door.ended("parent", 10)
    said = [one.output for one in door.trace("child") if isinstance(one, tr.ToolReturned)]
    assert "The loop parent is at work above this run already (parent > child): it can't start itself." in said[0]


def test_arguments_that_make_no_sense_reach_the_maker(front):
    door: Seat = front(parent({"goal": "x"}, end={"max_iterations": 1}), child())
    door.ended("parent", 10)
    said = [one.output for one in door.trace("parent") if isinstance(one, tr.ToolReturned)]
    assert "make no sense" in said[0]
    assert json.dumps("input") in said[0]


def test_work_that_is_no_text_is_taken_over_and_never_through_a_link(front, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ask, take = ("loops.child", {"input": "x"}), ("bash", {"command": "git apply .loop/children/*.patch"})
    link = ("bash", {"command": f"mkdir -p .loop && rm -rf .loop/children && ln -s {elsewhere} .loop/children"})
    bytes_ = ("bash", {"command": r"printf '\0\377\1' > image.bin; printf 'fixed \351\n' > answer.txt"})
    door: Seat = front(
        parent(None, turn("Link.", link), turn("Ask.", ask), turn("Take.", take), turn("Done.")),
        child(turn("Make.", bytes_), turn("Done.")),
    )
    door.done("parent")
    tree = door.worktree("parent")
    assert (tree / "image.bin").read_bytes() == b"\0\xff\1"
    assert (tree / "answer.txt").read_bytes() == b"fixed \xe9\n"
    assert list(elsewhere.iterdir()) == []
