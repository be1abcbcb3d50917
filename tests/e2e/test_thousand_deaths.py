"""Runners killed by the kernel, a thousand times, many runs at once, and at every write and every byte of a run.

Truth is kept outside: what was done by files, what was billed by the model's server, what was told by copies of the journal. Whatever
dies and when: nothing is done twice, nothing without leave, nothing billed is missing from what was charged, no line that was there is
gone. Pains 5 and 6 of the field: lost sessions after a crash, and restarts that do the same work twice.

A cut of it always, all of it under `-m chaos`.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import tomli_w

from loopdeck.core import commands as cmd
from loopdeck.core import events as ev
from loopdeck.core.decide import decide
from loopdeck.core.usage import Usage
from loopdeck.deck.launch import readied
from loopdeck.store.folded import load_run
from loopdeck.store.frozen import thaw
from loopdeck.store.journal import JournalWriter, verify_journal
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import TraceWriter, verify_trace
from loopdeck.supervisor import births
from loopdeck.unpriced import refuse
from tests.bench.report import say
from tests.e2e.deaths_model import TURNS
from tests.e2e.seat import Seat, seated
from tests.e2e.test_faults import STRACE, Fault, end, once, resumed, short, traced
from tests.kit.model_process import ServerProcess, serving_process
from tests.supervisor.warmed import environment, made, warmed

KEYS = {"ANTHROPIC_API_KEY": "any-key-at-all", "NO_PROXY": "127.0.0.1"}
BY = "the operator"
LONGEST_LIFE_S = 0.5
AT_ONCE = 6


def loop_file(url: str, name: str) -> str:
    return tomli_w.dumps({
        "goal": "One thing after the other.",
        "maker": {"agent": "anthropic", "model": "claude-sonnet-4-5", "base_url": f"{url}/{name}", "max_turns": 3 * TURNS},
        "check": [{"name": "did", "run": "test -f effects.txt"}],
        "exit": {"max_iterations": 2, "max_cost_usd": 500.0},
        "gates": {"allow": ["bash"], "ask": ["bash(echo gated *)"]},
    })  # fmt: skip


@contextmanager
def theatre(base: Path, loops: int) -> Iterator[tuple[Seat, ServerProcess, list[str]]]:
    """So many loops before a model that keeps the bill, and a warm process that gives them runners."""
    names = [f"dies{number:02}" for number in range(loops)]
    with serving_process("tests.e2e.deaths_model:once_each") as server:
        files = {"README.md": "# A project\n", ".loopdeck/deck.toml": f"[deck]\nmax_runs = {loops}\nmin_free_memory_mb = 0\n"}
        files |= {f".loopdeck/loops/{name}/loop.toml": loop_file(server.url, name) for name in names}
        with seated(base, files, KEYS) as seat, warmed(seat, "anthropic"):
            refuse(seat.deck, readied(seat.deck, names[:1]))
            yield seat, server, names
            seat.end()


class Mortal:
    """A run that is killed so many times, then left to come to its end; and all that was seen of it."""

    def __init__(self, seat: Seat, name: str, deaths: int, seed: int) -> None:
        self.seat = seat
        self.deaths = deaths
        self.paths: RunPaths = made(seat, name)
        self.chance = random.Random(seed)
        self.killed = 0
        self.lives = 0
        self.allowed: set[str] = set()
        self.told = b""

    def live(self) -> "Mortal":
        """From its first life to its last."""
        deadline = time.monotonic() + 120 + 6 * self.deaths
        while self.seat.deck.view(self.paths).run.status != "ended":
            assert time.monotonic() < deadline, (self.paths, self.killed, self.seat.deck.view(self.paths).status)
            born = births.ask(self.paths, environment(self.seat))
            if born is None:
                time.sleep(0.05)
                continue
            self.lives += 1
            until = time.monotonic() + self.chance.random() * LONGEST_LIFE_S if self.killed < self.deaths else deadline
            while not born.gone() and time.monotonic() < until:
                self.answer()
                time.sleep(0.01)
            if not born.gone():
                with suppress(ProcessLookupError):
                    os.kill(born.pid, signal.SIGKILL)
                self.killed += 1
                while not born.gone():
                    time.sleep(0.002)
            self.remember()
        return self

    def answer(self) -> None:
        """Every other question is answered with yes, after a look whether what is asked was done already."""
        if not self.paths.journal.exists():
            return
        for approval in self.seat.deck.view(self.paths).run.pending_approvals:
            line = approval.summary.removeprefix("echo ").partition(" >>")[0]
            assert line not in self.effects(), "done before anybody allowed it"
            yes = int(line.split()[1]) % 8 == 3
            if yes:
                self.allowed.add(line)
            word = cmd.Decide(by=BY, approval=approval.id, approved=yes, why="so", digest=approval.digest)
            self.seat.deck.send(self.paths, word)

    def remember(self) -> None:
        """What was whole in the journal stays in it, to the byte."""
        if not self.paths.journal.exists():
            return
        data = self.paths.journal.read_bytes()
        assert data.startswith(self.told), "a line that was there is gone"
        self.told = data[: data.rfind(b"\n") + 1]

    def effects(self) -> list[str]:
        """What its commands have done."""
        file = self.seat.deck.home.worktree(self.paths.loop, self.paths.run) / "effects.txt"
        return file.read_text().splitlines() if file.exists() else []

    def reckon(self, server: ServerProcess) -> int:
        """What must be true of it at its end; how much more than was billed it was charged, in tokens."""
        view = self.seat.deck.view(self.paths)
        told = (self.paths.loop, view.reason, view.run.why, self.seat.log(self.paths.run))
        assert (view.reason, view.damage) == ("done", ""), told
        assert "Traceback" not in self.seat.log(self.paths.run), told
        effects = Counter(self.effects())
        assert not [line for line, count in effects.items() if count > 1], effects
        assert {line for line in effects if line.startswith("gated")} <= self.allowed
        # What is not there was cut off, and the maker was told so.
        unknown = sum("the outcome of bash" in one for one in view.run.notices)
        missing = [n for n in range(TURNS) if n % 4 != 3 and f"plain {n}" not in effects]
        assert len(missing) <= unknown, (missing, view.run.notices)
        events = self.seat.events(self.paths.run)
        granted = [one.call for one in events if isinstance(one, ev.ToolCallGranted)]
        assert len(granted) == len(set(granted))
        began = [one.life for one in events if isinstance(one, ev.RunnerStarted)]
        assert began == list(range(1, len(began) + 1))
        for verified in (verify_journal(self.paths.journal), verify_trace(self.paths.trace)):
            assert (verified.damage, verified.torn) == (None, 0), told
        billed, charged = server.billed(tag=self.paths.loop), view.run.spend.usage
        assert _all(charged) >= _all(billed), (charged, billed)
        assert charged.output >= billed.output, (charged, billed)
        return _all(charged) - _all(billed)


def _all(usage: Usage) -> int:
    return usage.input + usage.output + usage.cache_read + usage.cache_write


def killed_under_load(base: Path, loops: int, deaths: int, seed: int) -> list[Mortal]:
    """So many runs, some at a time, each killed so often at any moment; reckoned with."""
    with theatre(base, loops) as (seat, server, names):
        mortals = [Mortal(seat, name, deaths, seed + number) for number, name in enumerate(names)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(Mortal.live, mortals))
        over = [one.reckon(server) for one in mortals]
        assert not seat.runners()
        killed, lives = sum(one.killed for one in mortals), sum(one.lives for one in mortals)
        say(
            f"{killed} runners killed over {lives} lives of {loops} runs: 0 effects twice, 0 without leave, 0 under-charges "
            f"({sum(over) / max(1, killed):.0f} tokens too many a death), 0 lines lost"
        )
        return mortals


@pytest.mark.pain(5)
def test_runners_killed_at_any_moment_under_load(tmp_path):
    killed_under_load(tmp_path, 3, 4, 20261121)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_a_thousand_runners_killed_at_any_moment_under_load(tmp_path):
    mortals = killed_under_load(tmp_path, 42, 24, int(time.time()))
    assert sum(one.killed for one in mortals) >= 1000


# At every write, and at every byte


def killed_at_writes(base: Path, every: int) -> tuple[int, int]:
    """A run for each write of its journal and trace (or every so many-th), killed at that; how many, and of how many writes."""
    with seated(base / "seat", {"README.md": "# A project\n", **short()}) as seat:
        paths = made(seat, "short")
        process = traced(seat, paths, "-o", str(base / "calls"), "-e", "trace=write")
        assert process.wait(60) == 0
        total = sum("write(" in line for line in (base / "calls").read_text().splitlines())
        numbers = range(1, total + 1, every)
        for number in numbers:
            paths = made(seat, "short")
            process = traced(seat, paths, "-o", "/dev/null", "-e", "trace=write", "-e", f"inject=write:signal=KILL:when={number}")
            process.wait(60)
            end(paths, process)
            before = paths.journal.read_bytes() if paths.journal.exists() else b""
            fault = Fault("write", number, "signal=KILL:when={n}")
            resumed(seat, paths, fault)
            assert paths.journal.read_bytes().startswith(before[: before.rfind(b"\n") + 1]), number
            assert seat.deck.view(paths).reason == "done", number
            once(seat, paths, fault)
        assert not seat.runners()
        return len(numbers), total


@pytest.mark.skipif(not STRACE, reason="strace is not installed")
@pytest.mark.pain(5)
def test_a_run_killed_at_some_of_its_writes_comes_to_its_end(tmp_path):
    killed_at_writes(tmp_path, 41)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not STRACE, reason="strace is not installed")
def test_a_run_killed_at_every_write_comes_to_its_end(tmp_path):
    done, total = killed_at_writes(tmp_path, 1)
    say(f"a run killed at each of its {total} writes of journal and trace: {done} went on to their end, 0 effects twice")


def cut_at_bytes(base: Path, every: int) -> int:
    """A run cut at every so many-th byte of its journal and of its trace; how many cuts.

    So that what was shown for each write holds for each byte: the same file after opening, the same run, the same next step.
    """
    with seated(base / "seat", {"README.md": "# A project\n", **short()}) as seat:
        seat.done("short")
        whole, spec = seat.paths("short"), thaw(seat.paths("short").dir).spec
        journal, trace = whole.journal.read_bytes(), whole.trace.read_bytes()
    copy = RunPaths(base / "runs" / "short" / whole.run)
    copy.dir.mkdir(parents=True)
    steps: dict[int, object] = {}
    for size in range(0, len(journal) + 1, every):
        copy.journal.write_bytes(journal[:size])
        boundary = journal.rfind(b"\n", 0, size) + 1
        if boundary not in steps:
            steps[boundary] = decide(load_run(RunPaths(_only(copy, journal[:boundary]))).run, spec)
        JournalWriter.open(copy.journal, 1 << 20, bytes).close()
        assert copy.journal.read_bytes() == journal[:boundary]
        assert decide(load_run(copy).run, spec) == steps[boundary]
    for size in range(0, len(trace) + 1, every):
        copy.trace.write_bytes(trace[:size])
        TraceWriter.open(copy.trace, 1 << 20, bytes).close()
        assert copy.trace.read_bytes() == trace[: trace.rfind(b"\n", 0, size) + 1]
    return (len(journal) + len(trace)) // every + 2


def _only(copy: RunPaths, journal: bytes) -> Path:
    """A folder of a run beside the copy, with that journal."""
    other = RunPaths(copy.dir.with_name("20261121-0715-a3f9"))
    other.dir.mkdir(exist_ok=True)
    other.journal.write_bytes(journal)
    return other.dir


def test_a_run_cut_at_some_bytes_is_the_run_cut_at_the_line_before(tmp_path):
    cut_at_bytes(tmp_path, 61)


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_a_run_cut_at_every_byte_is_the_run_cut_at_the_line_before(tmp_path):
    say(f"a run cut at each of {cut_at_bytes(tmp_path, 1)} bytes of journal and trace: the run cut at the line before, every time")
