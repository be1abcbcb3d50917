"""Where a deck's home may be, and what is said of a runner that could not even write down why it went."""

import os
import signal

from tests.cli.loops import loop, turn
from tests.kit.repos import git

QUICK = loop("quick", [turn("Done.")])
SLOW = loop("slow", [turn("Thinking.", delay_s=30)])


def test_a_home_inside_the_checkout_is_refused_unless_git_ignores_it(front):
    door = front(QUICK)
    before = git(door.repo, "status", "--porcelain")
    inside = {"LOOPDECK_HOME": str(door.repo / "lh")}
    refused = door.run("start", "quick", env=inside)
    assert refused.code == 2
    assert ".git/info/exclude" in refused.err
    assert git(door.repo, "status", "--porcelain") == before
    assert not (door.repo / "lh").exists()
    (door.repo / ".git/info").mkdir(exist_ok=True)
    (door.repo / ".git/info/exclude").write_text("/lh/\n")
    assert door.run("start", "quick", "--wait", env=inside).code == 0
    assert git(door.repo, "status", "--porcelain") == before


def test_a_model_call_under_way_when_the_runner_died_is_told_and_charged(front):
    door = front(SLOW)
    door.ok("start", "slow")
    pid = door.at_work("slow")["pid"]
    while "prompt_sent" not in door.ok("trace", "slow", "--json").out:
        pass
    os.kill(pid, signal.SIGKILL)
    while door.entry("slow")["reason"] != "lost":
        pass
    door.ok("resume", "slow")
    shown = door.ok("show", "slow", "--json").json
    assert any("the outcome of the model call m1 is not known" in notice for notice in shown["notices"])
    assert shown["usage"]["cost_usd"] > 0
    assert git(door.repo, "status", "--porcelain") == ""


def test_the_last_words_of_a_runner_are_passed_on(front):
    door = front(SLOW)
    door.ok("start", "slow")
    seen = door.at_work("slow")
    os.kill(seen["pid"], signal.SIGKILL)
    while door.entry("slow")["reason"] != "lost":
        pass
    with open(f"{seen['dir']}/runner.log", "a") as log:  # noqa: PTH123 (as the runner's own standard error is)
        log.write("journal.jsonl: can't write the file: No space left on device\n  Free some space, then resume the run.\n")
    why = door.entry("slow")["why"]
    assert "No space left on device" in why
    assert "loopdeck resume" in why


def test_starting_a_loop_that_is_at_work_warns(front):
    door = front(SLOW)
    door.ok("start", "slow")
    door.at_work("slow")
    said = door.run("start", "slow", "--json")
    assert said.code == 0
    assert len(said.json["started"]) == 1
    assert "slow has a run that goes on" in said.err
