"""Runners killed by the kernel: nothing is lost, nothing happens twice, nothing is left running, and `resume` goes on."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from loopdeck.core import events as ev
from tests.cli.loops import loop, turn, write
from tests.e2e.seat import Seat, nap, runs, seated, until_runs
from tests.kit.repos import git, status

MOMENTS = 10
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

    @property
    def names(self) -> list[str]:
        """All its loops."""
        return [paths.loop for paths in self.seat.deck.home.all_runs()]


@contextmanager
def killed(base: Path, moments: int, seed: int) -> Iterator[Slain]:
    """As many runs as there are moments to die at, each killed at one of them and resumed, and one that was let live."""
    names = [f"at{number:02}" for number in range(moments)]
    decks = {"README.md": "# A project\n", ".loopdeck/deck.toml": f"[deck]\nmax_runs = {moments + 1}\n", **ticking("whole")}
    for name in names:
        decks |= ticking(name)
    with seated(base, decks) as seat:
        before = status(seat.repo)
        seat.done("whole")
        total = len(seat.events("whole"))
        chance = random.Random(seed)
        seat.ok("start", *names)
        waiting = {name: 1 + (total - 2) * number // (moments - 1) for number, name in enumerate(names)}
        deadline = time.monotonic() + 60
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
            seat.wait(name, lambda one: one.status == "ended" and not one.live, 60)
        yield Slain(seat, before, lost)


def come_to_the_same(slain: Slain) -> None:
    """Every run has done the same work, once, in as many commits, and remembers the same."""
    seat = slain.seat
    trees, states = set(), set()
    for name in slain.names:
        run = seat.folded(name)
        assert (run.reason, run.iteration) == ("done", 2), (name, run.reason, run.why, seat.log(name))
        trees.add(git(seat.repo, "rev-parse", f"{run.branch}^{{tree}}"))
        assert git(seat.repo, "show", f"{run.branch}:log.txt") == "one\ntwo\n", name
        number = "--format=%(trailers:key=Loopdeck-Iteration,valueonly,separator=%x2C)"
        assert git(seat.repo, "log", number, f"{run.base}..{run.branch}").split() == ["2", "1"], name
        text = seat.deck.home.state_dir(name).joinpath("STATE.md").read_text(encoding="utf-8")
        states.add(text.replace(name, "NAME").replace(run.id, "RUN"))
    assert (len(trees), len(states)) == (1, 1), (trees, states)


def are_told_whole(slain: Slain) -> None:
    """Every journal is whole, says who ran it, grants no call twice, and accuses nobody of what a crash did."""
    seat = slain.seat
    for name in slain.names:
        view, events = seat.view(name), seat.events(name)
        assert view.damage == ""
        lives = [one.life for one in events if isinstance(one, ev.RunnerStarted)]
        assert lives == list(range(1, len(lives) + 1))
        assert len(lives) == (2 if name in slain.lost else 1)
        granted = [one.call for one in events if isinstance(one, ev.ToolCallGranted)]
        assert len(granted) == len(set(granted)), (name, granted)
        for text in view.run.notices:
            assert "the outcome of" in text, (name, text)


def left_nothing(slain: Slain) -> None:
    """The operator's checkout is as it was; each run has a worktree, some wait in the pool, and there is nothing else."""
    seat = slain.seat
    assert status(seat.repo) == slain.before
    assert seat.runners() == []
    home = seat.deck.home.worktrees
    listed = git(seat.repo, "worktree", "list", "--porcelain").splitlines()
    known = {Path(line.partition(" ")[2]) for line in listed if line.startswith("worktree ")}
    own = {seat.worktree(name) for name in slain.names}
    assert own <= known
    assert {path.parent for path in known - own - {seat.repo}} <= {home / ".pool"}
    assert {path for path in home.iterdir() if not path.name.startswith(".")} == own


@pytest.mark.req("S0-17")
@pytest.mark.timeout(200)
@pytest.mark.pain(5)
def test_who_is_killed_at_any_moment_comes_to_the_same(tmp_path):
    with killed(tmp_path, MOMENTS, 15) as slain:
        assert len(slain.lost) >= MOMENTS - 3, "most were killed in time"
        come_to_the_same(slain)
        are_told_whole(slain)
        left_nothing(slain)


@pytest.mark.chaos
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", range(5))
def test_who_is_killed_at_more_moments_comes_to_the_same(tmp_path, seed):
    with killed(tmp_path, 45, seed) as slain:
        come_to_the_same(slain)
        are_told_whole(slain)
        left_nothing(slain)


@pytest.mark.usefixtures("without_walls")
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
    door.ok("approve", waits["id"])
    until_runs(sleep)
    door.slay("slow")
    door.ok("resume", "slow")
    [looks] = door.until("slow", "asking")["approvals"]
    assert looks["summary"] == "cat log.txt"
    door.ok("approve", looks["id"])
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


@pytest.mark.usefixtures("without_walls")
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


@pytest.mark.usefixtures("without_walls")
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


@pytest.mark.usefixtures("without_walls")
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
