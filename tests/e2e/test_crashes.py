"""Runners killed by the kernel: nothing is lost, nothing happens twice, nothing is left running, and `resume` goes on."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from loopdeck.core import events as ev
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat, nap, runs, seated, until_runs
from tests.kit.repos import git, status

MOMENTS = 15
OPEN: dict[str, Any] = {"gates": {"allow": ["bash"]}}


def mended(tick):
    """Turns that do a thing once, and look after it where its outcome is not known, more than once since that can die too."""
    looking = turn("Looking.", ("bash", {"command": f"grep -q {tick} log.txt || echo {tick} >> log.txt"}), when="Outcome unknown")
    return [turn("Ticking.", ("bash", {"command": f"echo {tick} >> log.txt"})), looking, looking, looking]


def ticking(name):
    """Two iterations of tool calls, each of which must have had its effect exactly once."""
    first = mended("one")
    first[0]["iteration"] = 1
    second = [turn("Reading.", ("read_file", {"path": ".loop/FINDINGS.md"}), iteration=2), *mended("two")]
    wrote = [turn("Writing.", write("b.txt", "b\n")), *[turn("Looking.", write("b.txt", "b\n"), when="Outcome unknown")] * 3]
    turns = [*first, turn("d"), *second, *wrote, turn("d"), turn("One more.", iteration=3)]
    checks = [
        {"name": "once", "run": "test $(grep -c one log.txt) = 1 -a $(grep -c two log.txt || true) -le 1"},
        {"name": "both", "run": "test -f b.txt && grep -q two log.txt"},
    ]
    return loop(name, turns, checks=checks, end={"max_iterations": 4}, workspace={"setup": "true"}, **OPEN)


class Slain(NamedTuple):
    """The deck after the killing, what `git status` said before, and the loops whose runner was killed in time."""

    seat: Seat
    before: str
    lost: list[str]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """As many runs as there are moments to die at, each killed at one of them and resumed, and one that was let live."""
    names = [f"at{number:02}" for number in range(MOMENTS)]
    decks = {"README.md": "# A project\n", ".loopdeck/deck.toml": "[deck]\nmax_runs = 20\n", **ticking("whole")}
    for name in names:
        decks |= ticking(name)
    with seated(tmp_path_factory.mktemp("crashes"), decks) as seat:
        before = status(seat.repo)
        seat.done("whole")
        total = len(seat.events("whole"))
        moments = {name: 1 + (total - 2) * number // (MOMENTS - 1) for number, name in enumerate(names)}
        chance = random.Random(15)
        seat.ok("start", *names)
        waiting = dict(moments)
        deadline = time.monotonic() + 30
        while waiting:
            assert time.monotonic() < deadline, waiting
            for name, moment in tuple(waiting.items()):
                journal = seat.paths(name).journal
                if journal.exists() and journal.read_bytes().count(b"\n") >= moment:
                    time.sleep(chance.random() * 0.008)
                    seat.slay(name)
                    del waiting[name]
        lost = [name for name in names if seat.folded(name).status != "ended"]
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(lambda name: seat.run("resume", name).code, lost)) == [0] * len(lost)
        for name in names:
            seat.wait(name, lambda one: one.status == "ended" and not one.live)
        yield Slain(seat, before, lost)


@pytest.fixture(scope="module")
def slain(played):
    """The seat before it."""
    return played.seat


def names_of(seat):
    return [paths.loop for paths in seat.deck.home.all_runs()]


@pytest.mark.req("S0-17")
def test_who_was_killed_anywhere_comes_to_the_same(played, slain):
    assert len(played.lost) >= MOMENTS - 3, "most were killed in time"
    trees = {}
    for name in names_of(slain):
        run = slain.folded(name)
        assert (run.reason, run.iteration) == ("done", 2), (name, run.reason, run.why, slain.log(name))
        trees[name] = git(slain.repo, "rev-parse", f"{run.branch}^{{tree}}").strip()
        log = git(slain.repo, "show", f"{run.branch}:log.txt")
        assert log == "one\ntwo\n", name
    assert len(set(trees.values())) == 1, trees


def test_no_commit_is_made_twice(slain):
    for name in names_of(slain):
        run = slain.folded(name)
        commits = git(
            slain.repo, "log", "--format=%(trailers:key=Loopdeck-Iteration,valueonly,separator=%x2C)", f"{run.base}..{run.branch}"
        )
        assert commits.split() == ["2", "1"], name


def test_no_call_is_granted_twice(slain):
    for name in names_of(slain):
        granted = [(one.call, one.tool) for one in slain.events(name) if isinstance(one, ev.ToolCallGranted)]
        assert len(granted) == len(set(granted)), (name, granted)


def test_every_journal_is_whole_and_says_who_ran_it(played, slain):
    for name in names_of(slain):
        view = slain.view(name)
        assert view.damage == ""
        lives = [one.life for one in slain.events(name) if isinstance(one, ev.RunnerStarted)]
        assert lives == list(range(1, len(lives) + 1))
        assert len(lives) == (2 if name in played.lost else 1)


def test_no_notice_accuses_the_maker(slain):
    for name in names_of(slain):
        for text in slain.folded(name).notices:
            assert "the outcome of" in text, (name, text)


def test_the_state_is_the_same_but_for_the_run(slain):
    texts = set()
    for name in names_of(slain):
        text = slain.ok("state", name, "--json").json["text"]
        texts.add(text.replace(name, "NAME").replace(slain.folded(name).id, "RUN"))
    assert len(texts) == 1, texts


def test_nothing_of_the_operators_was_touched_and_nothing_is_left(played, slain):
    assert status(slain.repo) == played.before
    assert slain.runners() == []
    home = slain.deck.home.worktrees
    listed = git(slain.repo, "worktree", "list", "--porcelain").splitlines()
    known = {Path(line.partition(" ")[2]) for line in listed if line.startswith("worktree ")}
    own = {slain.worktree(name) for name in names_of(slain)}
    others = known - own - {slain.repo}
    assert own <= known
    assert {path.parent for path in others} <= {home / ".pool"}, "each run has its own, and some wait in the pool"
    assert {path for path in home.iterdir() if not path.name.startswith(".")} == own


def test_a_command_cut_short_by_a_crash_is_not_repeated_and_both_are_told(front):
    sleep = nap()
    turns = [
        turn("Slowly.", ("bash", {"command": f"echo begun >> log.txt; {sleep}; echo over >> log.txt"})),
        turn("Looking.", ("bash", {"command": "cat log.txt"}), when="Outcome unknown"),
        turn("d"),
    ]  # fmt: skip
    door: Seat = front(loop("slow", turns, checks=[{"run": "test $(grep -c begun log.txt) = 1"}]))
    door.ok("start", "slow")
    [waits] = door.until("slow", "asking")["approvals"]
    door.ok("approve", waits["id"], "--always", "bash(cat)")
    until_runs(sleep)
    door.slay("slow")
    door.ok("resume", "slow")
    assert door.until_ended("slow")["reason"] == "done"
    assert not runs(sleep), "what a dead runner had started is ended"
    first, second = door.outputs("slow")
    assert "Outcome unknown" in first
    assert "begun" in second
    assert "over" not in second
    assert any("the outcome of bash" in text for text in door.show("slow")["notices"])
    assert "the outcome of bash" in door.ok("show", "slow").out
    assert "is not known" in door.paths("slow").report.read_text(encoding="utf-8")


def test_what_a_dead_runner_left_running_is_ended_by_kill_too(front):
    sleep = nap()
    turns = [turn("s", ("bash", {"command": f"setsid {sleep} & {sleep}"}))]
    door: Seat = front(loop("slow", turns, **OPEN))
    door.ok("start", "slow")
    until_runs(sleep)
    door.slay("slow")
    door.ok("kill", "slow", "--why", "dead anyway")
    assert door.entry("slow")["reason"] == "human"
    assert not runs(sleep)


@pytest.mark.req("S0-17")
def test_killed_again_and_again(front):
    door: Seat = front(ticking("tough"))
    door.ok("start", "tough")
    for count in range(1, 9):
        least = 6 * count
        door.wait("tough", lambda one, least=least: one.run.status == "ended" or len(door.events("tough")) >= least)  # type: ignore[misc]
        door.slay("tough")
        if door.folded("tough").status == "ended":
            break
        door.ok("resume", "tough")
    door.until_ended("tough")
    run = door.folded("tough")
    assert (run.reason, run.life > 3) == ("done", True)
    assert git(door.repo, "show", f"{run.branch}:log.txt") == "one\ntwo\n"


def test_two_runners_of_one_run_are_never_at_work(front):
    door: Seat = front(loop("slow", [turn("b", ("bash", {"command": "true"})), turn("d")]))
    door.ok("start", "slow")
    door.until("slow", "asking")
    pid = door.folded("slow").pid
    said = door.says("resume", "slow")
    assert "not paused" in said.err
    assert (door.folded("slow").pid, door.folded("slow").life) == (pid, 1)
    door.allow("slow")
    assert door.until_ended("slow")["reason"] == "done"


@pytest.mark.parametrize("whose", ["maker", "checks"])
def test_a_setup_that_a_crash_cut_short_is_made_anew(front, tmp_path, whose):
    slow, sleep = tmp_path / "slow", nap()
    setup = f"if test -e {slow}; then {sleep}; fi; echo ready > ready.txt"
    check = [{"name": "ready", "run": "test -f ready.txt && grep -q hello x.txt"}]
    calls = [("bash", {"command": f"touch {slow}"})] if whose == "checks" else []
    turns = [turn("w", write("x.txt", "hello"), *calls), turn("d")]
    door: Seat = front(loop("made", turns, checks=check, workspace={"setup": setup}, **OPEN))
    if whose == "maker":
        slow.touch()
    door.ok("start", "made")
    until_runs(sleep)
    door.slay("made")
    slow.unlink()
    if whose == "checks":
        assert (door.deck.home.worktrees / f"made-{door.folded('made').id}.check").is_dir()
    door.ok("resume", "made")
    assert door.until_ended("made")["reason"] == "done", door.log("made")
    assert not runs(sleep)
