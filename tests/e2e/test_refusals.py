"""What is refused before anything is called or written: malformed loop files, no exit, self-grading, a cap that can't hold."""

import pytest
import tomli_w

from tests.cli.loops import fixer, loop, turn
from tests.core.test_loopfile_malformed import CASES, GOOD
from tests.e2e.seat import Seat

BY_NAME = {name: (text, expected) for name, text, expected in CASES}
LOOP = {name: f"l{number:03}" for number, name in enumerate(BY_NAME)}
# What goes wrong only under a name of its own.
LOOP["after itself"] = "fix"

STARTED = [
    "nothing at all", "no goal", "no maker", "no check", "no exit", "no max_iterations", "no cap on cost or tokens", "an open string",
    "a misspelled key", "a cap in quotes", "a cost that isn't a number", "a script further up", "the maker as judge",
    "the maker's own session", "a schedule without a cost cap", "unattended", "mistakes everywhere",
]  # fmt: skip


def malformed(*names):
    """Loops made of the cases."""
    return {f".loopdeck/loops/{LOOP[name]}/loop.toml": BY_NAME[name][0] for name in names}


def file_of(name):
    """The loop file of a case."""
    return f".loopdeck/loops/{LOOP[name]}/loop.toml"


@pytest.mark.req("S0-10", "S0-13", "S2-085", "S3-12")
def test_every_mistake_is_named_with_file_line_and_remedy(front):
    door: Seat = front(malformed(*BY_NAME), {".loopdeck/loops/good/loop.toml": GOOD.replace('"m"', '"claude-sonnet-4-5"')})
    said = door.says("check", "--json")
    told = {one["loop"]: one["problems"] for one in said.json["loops"]}
    assert set(told) == {*LOOP.values(), "good"}
    assert [one for one in told["good"] if not one["warning"]] == []
    assert len(LOOP) > 60
    for name, (_, expected) in BY_NAME.items():
        # Files that a case names are not made: that is said too, and no matter here.
        found = [one for one in told[LOOP[name]] if not one["warning"] and not one["what"].endswith("is not there")]
        assert len(found) == len(expected), (name, found)
        for line, word in expected:
            assert any(one["line"] == line and word in one["what"] for one in found), (name, line, word, found)
        for one in found:
            assert (one["file"], len(one["remedy"]) > 5) == (file_of(name), True), (name, one)
    for_people = door.says("check").out
    assert all(f"{file_of(name)}:{line}: " in for_people for name, (_, expected) in BY_NAME.items() for line, _ in expected)
    assert not (door.base / "home").exists()


@pytest.mark.req("S0-10", "S0-13", "S2-085", "S3-12")
@pytest.mark.parametrize("name", STARTED)
def test_a_start_is_refused_and_nothing_is_written(front, name):
    door: Seat = front(malformed(name), fixer())
    for words in (["start", LOOP[name]], ["start", "fixer", LOOP[name], "--wait"], ["once", LOOP[name]], ["start", "--all"]):
        said = door.says(*words)
        for line, word in BY_NAME[name][1]:
            assert f"{file_of(name)}:{line}: " in said.err, said.err
            assert word in said.err
        assert "\n  " in said.err
        assert said.out == ""
    assert not (door.base / "home").exists()


def unknown(**end):
    """A loop whose model no price list knows."""
    turns = [turn("d")]
    files = loop("dear", turns, maker={"model": "nobodys-model-1"}, end=end)
    return files | {".loopdeck/loops/dear/play.toml": tomli_w.dumps({"turn": turns})}


def test_a_cap_on_cost_alone_does_not_hold_a_model_without_a_price(front):
    door: Seat = front(unknown(), fixer())
    line = 1 + unknown()[".loopdeck/loops/dear/loop.toml"].splitlines().index("max_cost_usd = 1.0")
    for words in (["start", "dear"], ["start", "fixer", "dear"], ["once", "dear"]):
        said = door.says(*words)
        assert f".loopdeck/loops/dear/loop.toml:{line}: " in said.err
        assert "'nobodys-model-1'" in said.err
        assert "max_tokens" in said.err
    problems = next(one for one in door.says("check", "--json").json["loops"] if one["loop"] == "dear")["problems"]
    assert [one["line"] for one in problems if not one["warning"]] == [line]
    assert not (door.base / "home").exists()


def test_a_misspelt_model_is_told_which_was_probably_meant(front):
    door: Seat = front(loop("dear", [turn("d")], maker={"agent": "claude", "model": "claude-sonet-4-5"}))
    assert "Did you mean `claude-sonnet-4-5`? Else write `max_tokens`" in door.says("check", "dear").out
    assert "Did you mean" not in door.says("check", "dear", "--json").json["loops"][0]["problems"][0]["what"]


def test_a_judge_without_a_price_is_refused_too(front):
    checks = [{"rubric": "RUBRIC.md", "agent": "openai", "model": "nobodys-judge-1"}]
    door: Seat = front(loop("judged", [turn("d")], checks=checks), {".loopdeck/loops/judged/RUBRIC.md": "- It is good.\n"})
    assert "nobodys-judge-1" in door.says("start", "judged").err
    assert not (door.base / "home").exists()


def test_with_a_cap_on_tokens_it_runs_and_its_cost_is_unknown(front):
    door: Seat = front(unknown(max_tokens=50_000))
    door.done("dear")
    [entry] = door.ok("status", "--json").json["loops"]
    assert (entry["usage"]["cost_usd"], entry["usage"]["input"]) == (None, 1000)
    assert door.show("dear")["iterations"][0]["cost_usd"] is None


def test_with_a_price_of_the_decks_own_it_runs_and_costs_that(front):
    prices = {"nobodys-model-1": {"input": 2.0, "output": 10.0}}
    door: Seat = front(unknown(), {".loopdeck/deck.toml": tomli_w.dumps({"prices": prices})})
    door.done("dear")
    assert door.entry("dear")["usage"]["cost_usd"] == pytest.approx(0.003)


def test_a_model_without_a_price_set_while_it_runs_spends_nothing(front):
    turns = [turn("d", delay_s=1), turn("d", iteration=2)]
    files = loop("dear", turns, checks=[{"run": "false"}])
    door: Seat = front(files | {".loopdeck/loops/dear/play.toml": tomli_w.dumps({"turn": turns})})
    door.ok("start", "dear")
    door.at_work("dear")
    door.ok("set", "dear", "model", "nobodys-model-1")
    entry = door.until_ended("dear")
    assert (entry["reason"], door.show("dear")["limit"], entry["usage"]["input"]) == ("budget", "cost_usd", 1000)
