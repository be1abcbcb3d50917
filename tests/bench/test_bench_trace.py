"""Goals 10 and 17 to 20: what the reader tells and how soon, and a trace of a million events on a terminal.

lnav and ripgrep are not on every machine: `grep -c` stands in for `rg -c` (it took 1.6 times as long once), and lnav's first paint of
a million lines is the figure of that time.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from loopdeck.core import trace as tr
from loopdeck.store.trace import window_on_trace
from tests.bench.apps import MINIMAL
from tests.bench.report import goal, rounds, say
from tests.bench.test_bench_room import Place, a_place, key_times, p
from tests.deck.following_deck import Following, deck_at
from tests.kit.load import load, name
from tests.kit.terminal import Terminal, on_terminal
from tests.kit.written import WrittenRun, stamp

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
MANY = 1_000_000
LNAV_S = 1.09
"""lnav's first paint of a million lines, in seconds, on the machine that the goals were made on."""
_WATCHING = """
import sys, time
from watchfiles import watch
print("ready", flush=True)
for changes in watch(sys.argv[1], debug=False):
    print(time.monotonic(), flush=True)
"""


def test_goal_10_from_a_write_to_the_fold(tmp_path):
    """A hundred runs are followed; one writes now and then."""
    deck = deck_at(tmp_path)
    with load(deck, tmp_path / "home", {}, loops=100) as writing, Following(deck) as following:
        following.until(lambda snapshot: len(snapshot.rows) == 100)
        time.sleep(2.0)
        times = []
        for number in range(40):
            key, wanted = f"0/{name(number)}", number + 10
            wrote = writing.begin(name(number), wanted)
            while (row := following.last.row(key)) is None or row.iteration != wanted:
                time.sleep(0.0002)
            times.append(time.monotonic() - wrote)
            time.sleep(0.07)
    pipes = [_through_a_pipe() for _ in range(40)]
    watched = _watched(tmp_path)
    say(f"fold {median(times) * 1e3:.2f} ms (p99 {p(times, 99) * 1e3:.1f}), watchfiles {watched * 1e3:.0f} ms")
    say(f"pipe {median(pipes) * 1e3:.3f} ms")
    goal(10, "write to fold against watchfiles", median(times) / watched, 1 / 3, 1 / 100)
    goal(10, "write to fold, p99, milliseconds", p(times, 99) * 1e3, 50, 5)


def _through_a_pipe() -> float:
    """From a write to the moment another thread has it."""
    hear, tell = os.pipe()
    got: list[float] = []

    def listen() -> None:
        os.read(hear, 1)
        got.append(time.monotonic())

    thread = threading.Thread(target=listen)
    thread.start()
    time.sleep(0.005)
    began = time.monotonic()
    os.write(tell, b"!")
    thread.join()
    os.close(hear)
    os.close(tell)
    return got[0] - began


def _watched(base: Path) -> float:
    """The median of what watchfiles takes with its defaults."""
    folder = base / "watched"
    folder.mkdir()
    times = []
    with subprocess.Popen([sys.executable, "-c", _WATCHING, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.5)
        for number in range(10):
            began = time.monotonic()
            (folder / "file").write_text(str(number))
            times.append(float(process.stdout.readline()) - began)
            time.sleep(0.3)
        process.kill()
    return median(times)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory) -> Iterator[tuple[Place, WrittenRun]]:
    """A run whose trace has a million events."""
    place = a_place(tmp_path_factory.mktemp("long"))
    run = WrittenRun(place.deck, "long").begun().go_on(60)
    lines = [
        tr.ToolReturned(1 + number // 100, f"t-{number}", "bash", f"line {number} of the output {'.' * 120}", seconds=0.25)
        for number in range(1000)
    ]
    for _ in range(MANY // len(lines)):
        run.trace.append_many(lines, at=stamp(), clock=1.0)
    run.trace.append(tr.ToolReturned(1, "t-needle", "bash", "the needle in the haystack"), at=stamp(), clock=2.0)
    yield place, run
    run.close()


def in_trace(terminal: Terminal) -> float:
    """Open the trace of the first loop; seconds to its first lines."""
    terminal.until_written(b"long")
    terminal.settle(0.5)
    terminal.raw.clear()
    began = time.monotonic()
    terminal.feed("t")
    return terminal.until_written(b"of the output") - began


def test_goals_17_to_19_a_million_events_on_the_screen(long_run):
    place, _ = long_run
    with on_terminal([sys.executable, "-c", MINIMAL], cwd=place.deck.root, env=place.env, emulate=False) as terminal:
        terminal.until_written(b"minimal 0")
        terminal.settle(0.3)
        bare = terminal.memory_mb()
        keys = key_times(terminal, "j", 30)
    opened: list[float] = []
    pages: list[float] = []
    memory = 0.0
    for _ in range(3):
        with place.room() as terminal:
            opened.append(in_trace(terminal))
            terminal.settle(0.5)
            for number in range(40):
                # Down, to the start, down, to the end: nothing of it is at hand.
                key = ("\x1b[5~", "g", "\x1b[6~", "G")[number % 4]
                pages.append(terminal.key(key, 0.05)[1])
                terminal.settle(0.05)
            memory = terminal.memory_mb()
    say(f"open {median(opened) * 1e3:.0f} ms, page {median(pages) * 1e3:.1f} ms (p99 {p(pages, 99) * 1e3:.0f})")
    say(f"{memory:.0f} MB, minimal app {bare:.0f} MB; its key takes {median(keys) * 1e3:.1f} ms")
    goal(17, "open a trace of a million events, against lnav's 1.09 s", median(opened) / LNAV_S, 1, 0.03)
    goal(18, "memory for it, against a minimal app", memory / bare, 2.5, 1.5)
    goal(19, "page or jump in it, key to final paint, milliseconds", median(pages) * 1e3, 30, 10)


def test_goal_20_search(long_run):
    _, run = long_run

    def grep() -> float:
        began = time.perf_counter()
        subprocess.run(["grep", "-c", "-F", "needle in the", str(run.paths.trace)], capture_output=True, check=True)
        return time.perf_counter() - began

    def ours() -> float:
        window = window_on_trace(run.paths.trace)
        window.grow()
        began = time.perf_counter()
        assert len(list(window.search("needle in the"))) == 1
        took = time.perf_counter() - began
        window.close()
        return took

    theirs, found = rounds(5, grep, ours)
    say(f"grep {theirs * 1e3:.0f} ms, ours {found * 1e3:.0f} ms")
    goal(20, "a search through a million events, against grep -c", found / theirs, 4, 1.6)
