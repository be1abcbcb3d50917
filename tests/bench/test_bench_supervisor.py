"""Goals 22 and 23: fifty runners of an agent with an SDK at once, forked from the warm process and spawned; their time and memory."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import psutil
import pytest
import tomli_w

from loopdeck.core import events as ev
from loopdeck.deck.launch import readied
from loopdeck.store.files import open_private, read_bytes
from loopdeck.store.layout import RunPaths
from loopdeck.store.lease import Lease, look
from loopdeck.supervisor import births
from loopdeck.supervisor.spawn import detached
from loopdeck.unpriced import refuse
from tests.bench.engine import until
from tests.bench.patient_model import GATE
from tests.bench.report import goal, say
from tests.cli.loops import fixer
from tests.e2e.seat import Seat, seated
from tests.kit.model_process import serving_process
from tests.supervisor.warmed import environment, made, warmed

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
RUNS = 50
KEYS = {"ANTHROPIC_API_KEY": "any-key-at-all", "NO_PROXY": "127.0.0.1"}
MB = 1_000_000

Starts = Callable[[RunPaths], object]


def names() -> list[str]:
    return [f"n{number:02}" for number in range(RUNS)]


def loop_file(url: str) -> str:
    return tomli_w.dumps(
        {
            "goal": "Anything.",
            "maker": {"agent": "anthropic", "model": "claude-sonnet-4-5", "base_url": url},
            "check": [{"name": "true", "run": "true"}],
            "exit": {"max_iterations": 4, "max_cost_usd": 20.0},
        }
    )


@contextmanager
def fifty(base: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Seat, Path]]:
    """A deck with as many loops as there are runs to start, a model that lets them wait, and the gate that is to be opened."""
    gate = base / "gate"
    monkeypatch.setenv(GATE, str(gate))
    with serving_process("tests.bench.patient_model:once_then_long") as server:
        files = {"README.md": "# A project\n", ".loopdeck/deck.toml": f"[deck]\nmax_runs = {RUNS}\nmin_free_memory_mb = 0\n"}
        files |= {f".loopdeck/loops/{name}/loop.toml": loop_file(server.url) for name in names()}
        with seated(base, files, KEYS) as seat:
            # As the verb that starts runs does: the price is found once for all of them.
            refuse(seat.deck, readied(seat.deck, names()[:1]))
            yield seat, gate
            seat.end()


def with_worktrees(seat: Seat) -> list[RunPaths]:
    """Runs that have a worktree and have asked the model once, and whose runner has died since."""
    runs = [made(seat, name) for name in names()]
    for paths in runs:
        assert births.ask(paths, environment(seat)) is not None
    for paths in runs:
        until(paths, ev.ModelCallReserved, 240)
        seat.slay(paths.loop)
    return runs


def all_past_their_first_request(runs: list[RunPaths], start: Starts) -> tuple[float, float]:
    """Start all; seconds until all were started, and until each has had, and paid for, the model's first answer."""
    began = time.monotonic()
    for paths in runs:
        assert start(paths) is not None
    started = time.monotonic() - began
    left = runs
    while left := [paths for paths in left if b'"tool_call_finished"' not in (read_bytes(paths.journal) or b"")]:
        assert time.monotonic() - began < 240, f"{len(left)} of {len(runs)} never got an answer"
        time.sleep(0.02)
    return started, time.monotonic() - began


def cpu(runs: list[RunPaths]) -> float:
    """Seconds of CPU that the runners, and what they have started, have taken so far."""
    took = 0.0
    for paths in runs:
        held = look(paths.lease).holder
        assert held is not None
        times = psutil.Process(held.pid).cpu_times()
        took += times.user + times.system + times.children_user + times.children_system
    return took


def memory(runs: list[RunPaths]) -> tuple[float, float]:
    """Of each runner, in MB: the median of its own pages, and of its proportional share of all."""
    own, share = [], []
    for paths in runs:
        held = look(paths.lease).holder
        assert held is not None
        said = Path(f"/proc/{held.pid}/smaps_rollup").read_text().splitlines()
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in said[1:]}
        own.append((kilobytes["Private_Dirty"] + kilobytes["Private_Clean"]) * 1024 / MB)
        share.append(kilobytes["Pss"] * 1024 / MB)
    return median(own), median(share)


def spawning(seat: Seat) -> Starts:
    def spawn(paths: RunPaths) -> object:
        words = [sys.executable, "-m", "loopdeck.runner", str(paths.dir)]
        return detached(words, open_private(paths.runner_log, os.O_WRONLY | os.O_APPEND), seat.env)

    return spawn


def test_goal_23_fifty_runners_at_once_and_their_memory(tmp_path, monkeypatch):
    with fifty(tmp_path, monkeypatch) as (seat, gate), warmed(seat, "anthropic"):
        time.sleep(3)
        env = environment(seat)
        runs = with_worktrees(seat)
        gate.touch()
        started, answered = all_past_their_first_request(runs, lambda paths: births.ask(paths, env))
        busy = cpu(runs)
        time.sleep(0.5)
        own, share = memory(runs)
        for name in names():
            seat.slay(name)
        fresh = [made(seat, name) for name in names()]
        _, with_trees = all_past_their_first_request(fresh, lambda paths: births.ask(paths, env))
        for name in names():
            seat.slay(name)
        plain = [made(seat, name) for name in names()]
        _, by_spawning = all_past_their_first_request(plain, spawning(seat))
        own_spawned, share_spawned = memory(plain)
    say(
        f"{RUNS} forked: started in {started:.2f} s, past their first request in {answered:.2f} s, {busy:.1f} s of CPU, "
        f"{os.cpu_count()} cores, others running: load {os.getloadavg()[0]:.0f} ({with_trees:.2f} s with trees to "
        f"be made; {by_spawning:.2f} s spawned), {own:.1f} MB of their own each, PSS {share:.1f} (spawned {own_spawned:.1f}, "
        f"{share_spawned:.1f})"
    )
    goal(23, "MB of a forked runner's own beyond what is shared", own, 15.0, 6.0)
    goal("22a", f"{RUNS} runners past their first model request, seconds", answered, 3.0, 1.5)


def test_goal_22_a_runner_with_all_loaded_is_forked_in_no_time(tmp_path, monkeypatch):
    """Both ways end with a process that has loaded all that a run with the SDK needs; what it does then is the same."""
    loading = "from loopdeck.supervisor import warm; warm.rooms(); warm.sdk('anthropic')"
    with fifty(tmp_path, monkeypatch) as (seat, _), warmed(seat, "anthropic"), ExitStack() as held:
        time.sleep(3)
        runs, env = [made(seat, name) for name in names()], environment(seat)
        for paths in runs:
            lease = Lease.take(paths.lease)
            assert lease is not None
            # Whoever is born finds the run taken, and leaves: to be born is all it does.
            held.callback(lease.release)
        load = os.getloadavg()[0]
        began = time.monotonic()
        born = [births.ask(paths, env) for paths in runs]
        forked = time.monotonic() - began
        assert all(born)
        began = time.monotonic()
        spawned = [subprocess.Popen([sys.executable, "-c", loading], env=seat.env) for _ in runs]
        assert [one.wait() for one in spawned] == [0] * RUNS
        took = time.monotonic() - began
    say(
        f"{RUNS} runners: forked in {forked:.3f} s, {forked / RUNS * 1e3:.1f} ms each; spawned and loaded in {took:.1f} s; "
        f"others running: load {load:.0f}"
    )
    goal(22, f"{RUNS} runners forked, times faster than spawned", took / forked, 20, 100, "higher")


def begun_after(seat: Seat) -> tuple[float, float]:
    """Seconds from the start of `loopdeck start` to the runner's first event, and those of CPU that the verb took."""
    before, known = resource.getrusage(resource.RUSAGE_CHILDREN), len(seat.deck.home.runs_of("fixer"))
    began = time.monotonic()
    process = seat.start("start", "fixer")
    while len(runs := seat.deck.home.runs_of("fixer")) == known or not read_bytes(runs[-1].journal):
        assert time.monotonic() - began < 30
        time.sleep(0.001)
    waited = time.monotonic() - began
    process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seat.until_ended("fixer")
    return waited, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_a_run_is_begun_sooner_than_by_spawning(tmp_path):
    with (
        seated(tmp_path / "warm", {"README.md": "# A project\n", **fixer()}) as warm,
        seated(tmp_path / "cold", {"README.md": "# A project\n", **fixer()}) as cold,
        warmed(warm) as process,
    ):
        figures: dict[str, list[tuple[float, float]]] = {"forked": [], "spawned": []}
        for seat in (warm, cold):
            seat.done("fixer")
        for _ in range(9):
            figures["forked"].append(begun_after(warm))
            figures["spawned"].append(begun_after(cold))
        assert process.poll() is None, "loopdeck's code was changed meanwhile"
    waits = {how: median(wait for wait, _ in each) for how, each in figures.items()}
    took = {how: median(cpu for _, cpu in each) for how, each in figures.items()}
    for how, each in figures.items():
        say(f"{how}: first event after {waits[how] * 1e3:.0f} ms ({min(each)[0] * 1e3:.0f} at best), CPU {took[how] * 1e3:.0f} ms")
    say(f"others running: load {os.getloadavg()[0]:.0f}")
    goal("S1", "`start` to the first event, of what it takes with a spawned runner", waits["forked"] / waits["spawned"], 1.0, 0.6)
    goal("S2", "CPU of `start`, of what it takes with a spawned runner", took["forked"] / took["spawned"], 1.1, 1.0)
