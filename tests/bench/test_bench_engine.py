"""What the engine itself costs: an iteration, a start, a turn, and the memory of a runner.

The makers are scripted and take no time; all else is real: worktrees, commits, clean checkouts, a shell for each check, durable
journals. Times are of a shared machine: of several runs the least disturbed one counts, and what it is made of is said.
"""

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from loopdeck.core import events as ev
from loopdeck.deck.decks import Deck
from loopdeck.store.layout import RunPaths
from loopdeck.store.locks import SlotPool
from tests.bench.engine import FILES, again, journal, moments, runner, status, until, writer
from tests.bench.report import goal, say
from tests.bench.test_bench_agents import TURNS, cpu, run
from tests.cli.loops import fixer, waiting
from tests.kit.front import Front, opened

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
ITERATIONS = 40
PHASES = (
    ("model calls and a write", ev.IterationStarted, ev.MakerFinished),
    ("commit", ev.MakerFinished, ev.WorkCommitted),
    ("clean checkout and check", ev.WorkCommitted, ev.CheckFinished),
    ("state", ev.CheckFinished, ev.IterationFinished),
)


def iterations(front: Front, name: str) -> tuple[float, float, RunPaths]:
    """Run the loop to its end; gives the median iteration by the journal's stamps, and the whole wall by iteration, in ms."""
    began = time.monotonic()
    said = front.run("start", name, "--wait", timeout=500)
    wall = (time.monotonic() - began) * 1e3
    assert said.code == 10, said.err
    paths = Deck.open(front.repo, front.env).home.runs_of(name)[-1]
    starts = moments(journal(paths), ev.IterationStarted)
    return median(after - before for before, after in pairwise(starts)), wall / len(starts), paths


class PlainScript:
    """What a person's script would do for an iteration: commit the work, take the commit over to a clean checkout, run the check."""

    def __init__(self, front: Front) -> None:
        self._env = front.env
        self._work, self._clean = front.base / "plain-work", front.base / "plain-clean"
        for place in (self._work, self._clean):
            self._run("git", "-C", str(front.repo), "worktree", "add", "-q", "--detach", str(place), place=front.repo)

    def iteration(self) -> float:
        """Milliseconds of one."""
        (self._work / "src" / "m000.py").write_text(f"VALUE = {time.time()}\n")
        began = time.perf_counter()
        self._run("git", "add", "--all")
        self._run("git", "commit", "-q", "-m", "iteration")
        commit = self._run("git", "rev-parse", "HEAD").strip()
        self._run("git", "checkout", "-q", "--force", "--detach", commit, place=self._clean)
        self._run("git", "clean", "-ffdxq", place=self._clean)
        self._run("sh", "-c", "true", place=self._clean)
        return (time.perf_counter() - began) * 1e3

    def _run(self, *command: str, place: Path | None = None) -> str:
        done = subprocess.run(command, cwd=place or self._work, env=self._env, check=True, capture_output=True, text=True)
        return done.stdout


def test_an_iteration(tmp_path):
    with opened(tmp_path, {**FILES, **writer("writer", ITERATIONS), **writer("idler", ITERATIONS, turns=0)}) as front:
        script = PlainScript(front)
        for name, what in (("writer", "a file written and committed"), ("idler", "nothing done")):
            rounds = []
            for _ in range(3):
                unit = [script.iteration() for _ in range(ITERATIONS // 2)]
                took, wall, paths = iterations(front, name)
                unit += [script.iteration() for _ in range(ITERATIONS // 2)]
                rounds.append((took, wall, paths, median(unit)))
            best, wall, paths, plain = min(rounds, key=lambda one: one[0])
            entries = journal(paths)
            parts = [
                f"{part} {median(end - start for start, end in zip(moments(entries, first), moments(entries, last), strict=True)):.0f}"
                for part, first, last in PHASES
            ]
            every = ", ".join(f"{one[0]:.0f}" for one in rounds)
            say(f"an iteration with {what}: medians of three runs {every} ms; the least: {', '.join(parts)} ms")
            say(f"from outside, with the verb, start and end of the run, {wall:.0f} ms; a plain script's six processes {plain:.0f} ms")
            if name == "writer":
                ratio = median(took / unit for took, _, _, unit in rounds)
                goal("E", "an iteration with a commit, of a plain script's that does as much", ratio, 4, 1.5)
            goal("E", f"engine overhead an iteration, {what}, ms", best, 50, 20)


def test_many_iterations_grow_no_dearer(tmp_path):
    count = 200
    with opened(tmp_path, {**FILES, **writer("writer", count)}) as front:
        _, _, paths = iterations(front, "writer")
        starts = moments(journal(paths), ev.IterationStarted)
        took = [after - before for before, after in pairwise(starts)]
        early, late = median(took[5 : count // 4]), median(took[-count // 4 :])
        say(f"iterations 5 to {count // 4} took {early:.0f} ms, the last {count // 4} {late:.0f} ms")
        goal("E", f"the last quarter of {count} iterations against the first", late / early, 1.5, 1.1)


def test_starting_a_runner(tmp_path):
    with opened(tmp_path, {**FILES, **fixer()}) as front:
        front.ok("start", "fixer", "--wait")
        first, ended = [], []
        for _ in range(9):
            paths = again(front, "fixer")
            began = time.monotonic()
            with runner(front, paths) as process:
                first.append((until(paths, ev.RunnerStarted) - began) * 1e3)
                assert process.wait(30) == 0
            ended.append((time.monotonic() - began) * 1e3)
        say(f"a whole run of one iteration {median(ended):.0f} ms")
        goal("E", "runner start to its first event, ms", median(first), 250, 125)


def test_memory_of_a_runner(tmp_path):
    limit = {".loopdeck/deck.toml": "[deck]\nmax_runs = 1\n"}
    with opened(tmp_path, {**FILES, **limit, **waiting()}) as front:
        home = Deck.open(front.repo, front.env).home
        taken = SlotPool(home.locks / "places").try_take(1)
        assert taken is not None
        front.ok("start", "waiting")
        paths = home.runs_of("waiting")[-1]
        until(paths, ev.RunnerStarted)
        pid = front.entry("waiting")["pid"]
        time.sleep(0.5)
        queued = status(pid, "VmHWM") / 1024
        taken.release()
        until(paths, ev.ModelCallReserved)
        time.sleep(0.5)
        scripted = status(pid, "VmHWM") / 1024
        say(f"most resident so far: while queued {queued:.1f} MB, in a scripted maker's turn, prices looked up, {scripted:.1f} MB")
        goal("E", "memory of a runner that waits for its place, MB", queued, 60, 30)
        goal("E", "memory of a runner before an SDK is needed, MB", scripted, 60, 40)


_ALONE = "import sys, time; from loopdeck.runner.__main__ import main; main(sys.argv); print(time.process_time())"


def test_goal_28_the_engines_own_cpu_a_turn(tmp_path, monkeypatch):
    """By the slope between runs with few and many turns, so that start, checks and commits are not in it."""
    few, many, count = 2, 22, 6
    with opened(tmp_path, {**FILES, **writer("few", count, few), **writer("many", count, many)}) as front:

        def seconds(name: str) -> float:
            paths = again(front, name)
            said = subprocess.run(
                [sys.executable, "-c", _ALONE, str(paths.dir)], env=front.env, capture_output=True, text=True, check=True
            )
            return float(said.stdout)

        for name in ("few", "many"):
            front.run("start", name, "--wait")
        slopes = [(seconds("many") - seconds("few")) / (count * (many - few)) * 1e3 for _ in range(5)]
    monkeypatch.setenv("ANTHROPIC_API_KEY", "bench")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    _, sdk = run(lambda ask: cpu(ask, 1, TURNS))
    turn = median(slopes)
    say(f"a turn with a tool call, 4 events in the journal (2 durable) and 4 in the trace: {turn:.2f} ms of CPU")
    say(f"a call of the SDK: {sdk * 1e3:.2f} ms")
    goal(28, "engine's own CPU a turn, ms", turn, 3, 1)
    goal(28, "engine's own CPU a turn, of an SDK call's", turn / (sdk * 1e3), 2.3, 1)
