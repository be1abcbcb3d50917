"""The pre-flight estimate as `loopdeck check` says it: from prompt sizes, from the script, and from earlier runs."""

import pytest

from tests.cli.loops import fixer, loop, turn
from tests.e2e.judges import judged, verdict


def plain(name: str, **end) -> dict[str, str]:
    """A loop of a real model, for which nothing is asked here."""
    made = loop(name, [turn("x")], end=end or None, maker={"agent": "anthropic", "model": "claude-sonnet-4-5"})
    text = made[f".loopdeck/loops/{name}/loop.toml"].replace('script = "play.toml"\n', "")
    return {f".loopdeck/loops/{name}/loop.toml": text}


@pytest.mark.req("S2-008", "S2-076")
def test_check_says_what_a_run_will_probably_take(front, inside):
    door = front({**plain("work", max_iterations=20, max_cost_usd=500.0), **plain("poor", max_iterations=20, max_cost_usd=0.001)})
    said = inside(door, "check", "work")
    assert said.code == 0
    assert "estimate, from prompt sizes: $" in said.out
    assert "iterations x (maker" in said.out
    assert "the cap of $500.00 leaves room" in said.out
    assert "below even a short run" in inside(door, "check", "poor").out
    [given] = inside(door, "check", "work", "--json").json["loops"]
    made = given["estimate"]
    assert made["is"] == "an estimate"
    low, likely, high = made["cost_usd"]
    assert 0 < low < likely < high
    assert made["calls"][2] >= 40
    part = made["parts"][0]
    assert (part["role"], part["from"]) == ("maker", "prompt sizes")
    assert part["input_of_first_call"] < part["input_of_last_call"]
    assert inside(door, "check", "--json").json["loops"][0]["estimate"] is not None


def test_a_loop_that_is_refused_has_no_estimate(front, inside):
    door = front({".loopdeck/loops/bad/loop.toml": 'goal = "x"\n'})
    assert "estimate" not in inside(door, "check", "bad").out
    assert inside(door, "check", "bad", "--json").json["loops"][0]["estimate"] is None


def test_a_script_says_what_it_will_take_and_then_history_does(front, inside):
    graded = judged("judged", [turn("Done.")], [turn(verdict(kind=True))], "- kind\n", checks=[{"run": "test -f README.md"}])
    door = front({**fixer(), **graded})
    before = inside(door, "check", "fixer", "--json").json["loops"][0]["estimate"]
    assert before["parts"][0]["from"] == "script"
    assert before["parts"][0]["calls"][0] == 2
    parts = inside(door, "check", "judged", "--json").json["loops"][0]["estimate"]["parts"]
    assert [one["name"] for one in parts] == ["maker", "judge"]
    door.ok("start", "fixer", "--wait")
    spent = door.ok("show", "fixer", "--json").json["usage"]["cost_usd"]
    after = inside(door, "check", "fixer", "--json").json["loops"][0]["estimate"]
    assert after["parts"][0]["from"] == "history"
    assert after["iterations"] == [1, 1, 3]
    assert after["cost_usd"][0] == pytest.approx(spent)
    assert "from this loop's earlier runs" in inside(door, "check", "fixer").out


def test_an_unknown_model_has_no_cost(front, inside):
    files = plain("mine", max_iterations=2, max_tokens=10**9)
    path = ".loopdeck/loops/mine/loop.toml"
    door = front({path: files[path].replace("claude-sonnet-4-5", "never-heard-of-it").replace("max_cost_usd = 1.0\n", "")})
    said = inside(door, "check", "mine")
    assert "cost unknown" in said.out
    assert inside(door, "check", "mine", "--json").json["loops"][0]["estimate"]["cost_usd"] is None
