"""The deck's budget for a day, through the front door: all runs stay within it together; who has no room waits for a person."""

import tomli_w

from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat


def capped(dollars):
    return {".loopdeck/deck.toml": tomli_w.dumps({"deck": {"max_cost_usd_per_day": dollars, "max_runs": 20}})}


def spender(name):
    """Takes $0.009 in two calls, for each of which up to $0.027 are set aside."""
    return loop(name, [turn("a", write("x", name)), turn("b")], maker={"max_output_tokens": 300})


def test_who_has_no_room_stands_still_until_the_cap_is_raised(front):
    door: Seat = front(capped(0.033), spender("one"), spender("two"))
    assert door.done("one").spend.cost == 9_000_000_000
    door.ok("start", "two")
    entry = door.until("two", "paused")
    assert (
        "the deck's budget for today, $0.0330, has no room for the next model call: $0.0090 is spent, and the call may take $0.0"
        in entry["why"]
    )
    assert "max_cost_usd_per_day" in entry["why"]
    (door.repo / ".loopdeck" / "deck.toml").write_text(capped(1.0)[".loopdeck/deck.toml"], "utf-8")
    door.ok("resume", "two")
    assert door.until_ended("two")["reason"] == "done"


def test_many_at_once_stay_within_it_together(front):
    names = [f"l{number}" for number in range(8)]
    door: Seat = front(capped(0.08), *(spender(name) for name in names))
    door.ok("start", "--all")
    for name in names:
        door.wait(name, lambda seen: seen.status in ("ended", "paused"))
    runs = [door.folded(name) for name in names]
    spent = sum(run.spend.cost for run in runs)
    assert 45_000_000_000 <= spent <= 80_000_000_000
    assert {run.status for run in runs} == {"ended", "paused"}
    assert all(run.reason == "done" for run in runs if run.status == "ended")
