"""Goals 17 to 20: a trace of a million events on a real terminal: opened, walked, jumped in, searched, filtered; and its memory."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import pytest

from loopdeck.store.glances import Glances
from loopdeck.store.trace import window_on_trace
from tests.bench.report import goal, rounds, say
from tests.kit.room import a_deck
from tests.kit.terminal import Terminal, on_terminal
from tests.kit.traces import long_trace

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
LINES = 1_000_000
RUN = "20261121-0715-a3f9"
PAGE = 36
"""Lines that a page moves at 40 rows: all but title, state, keys and one line that stays."""
KEYS = {"pagedown": b"\x1b[6~", "pageup": b"\x1b[5~", "home": b"g", "end": b"G", "down": b"\x1b[B", "up": b"\x1b[A"}


@pytest.fixture(scope="module")
def big(tmp_path_factory) -> tuple[Path, Path]:
    """The repository and the trace of a million lines."""
    folder = tmp_path_factory.mktemp("trace")
    deck = a_deck(folder)
    paths = deck.home.run_dir("fix-tests", RUN)
    paths.dir.mkdir(parents=True)
    long_trace(paths.trace, LINES)
    return folder, paths.trace


@contextmanager
def room(folder: Path) -> Iterator[Terminal]:
    command = [sys.executable, "-m", "tests.bench.trace_room", str(folder / "repo"), str(folder / "home"), "fix-tests", RUN]
    with on_terminal(command, cwd=ROOT, env=_env(), emulate=False) as terminal:
        terminal.until_written(b"fix-tests")
        terminal.settle(0.3)
        yield terminal


@contextmanager
def bare() -> Iterator[Terminal]:
    with on_terminal([sys.executable, "-m", "tests.bench.trace_room"], cwd=ROOT, env=_env(), emulate=False) as terminal:
        terminal.until_written(b"of bare")
        terminal.settle(0.3)
        yield terminal


def _env() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}


def timed(terminal: Terminal, keys: bytes, shows: str) -> float:
    """Seconds from pressing keys to the state line that says so, which is painted last."""
    terminal.raw.clear()
    began = time.monotonic()
    terminal.feed(keys)
    return terminal.until_written(shows.encode()) - began


def at(line: int) -> str:
    return f"line {line:,} of "


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began


def test_goal_17_opening_a_million_events(big):
    folder, trace = big
    opened, counted = [], []
    for _ in range(3):
        with room(folder) as terminal:
            terminal.raw.clear()
            began = time.monotonic()
            terminal.feed("t")
            opened.append(terminal.until_written(at(LINES).encode()) - began)
            terminal.until_written(b"\x1b")
            while b"counting lines" in terminal.raw[terminal.raw.rfind(b"line 1,000,000") :]:
                terminal.read(0.05)
            counted.append(time.monotonic() - began)
    window = window_on_trace(trace)
    began = time.perf_counter()
    total = window.foresee()
    assert len(window.rows(total - 40, 40)) == 40
    tail = time.perf_counter() - began
    lines, index = rounds(5, lambda: seconds(["wc", "-l", str(trace)]), lambda: _index(trace))
    size = trace.stat().st_size / 1e6
    say(f"{size:.0f} MB: key to its tail {median(opened) * 1e3:.0f} ms, to all counted {median(counted):.2f} s")
    say(f"the read for it {tail * 1e3:.2f} ms; index {index:.3f} s, wc -l {lines:.3f} s")
    goal(17, "the last lines of a million read, ms", tail * 1e3, 30, 1)
    goal(17, "key to the tail of a million events on the screen, ms", median(opened) * 1e3, 500, 30)
    goal(17, "key to all of them counted, seconds", median(counted), 1.09, 0.5)
    goal(17, "index against wc -l", index / lines, 24, 6)
    window.close()


def _index(trace: Path) -> float:
    began = time.perf_counter()
    window = window_on_trace(trace)
    while not window.grow(1 << 20):
        pass
    window.close()
    return time.perf_counter() - began


def test_goals_18_and_19_walking_jumping_and_memory(big):
    folder, _ = big
    with bare() as least, room(folder) as terminal:
        before = terminal.memory_mb()
        timed(terminal, b"t", at(LINES))
        terminal.settle(0.5)
        pages, jumps, line = [], [], LINES
        keys = [timed(least, b"x", f"line {number} of") for number in range(1, 51)]
        cpu = terminal.cpu_s()
        for _ in range(100):
            line -= PAGE
            pages.append(timed(terminal, KEYS["pageup"], at(line)))
        cpu = (terminal.cpu_s() - cpu) / len(pages)
        for number in range(40):
            jumps.append(timed(terminal, KEYS["end" if number % 2 else "home"], at(LINES if number % 2 else 1)))
        for number in range(1, 20):
            timed(terminal, b":", "a line's number")
            jumps.append(timed(terminal, f"{number * 47_629}\r".encode(), at(number * 47_629)))
        search(terminal, "nowhere to be found", "0 hits")
        # An escape and a letter right behind it would be one key.
        terminal.raw.clear()
        terminal.feed(b"\x1b")
        while "hits" in stated(terminal) or " of 1,000,000" not in stated(terminal):
            terminal.read(0.2)
        terminal.settle(0.5)
        walked = terminal.memory_mb()
        picked(terminal, "result")
        filtered, bare_mb = terminal.memory_mb(), least.memory_mb()
    say(f"RSS: bare app {bare_mb:.1f} MB, the deck {before:.1f}, walked and searched {walked:.1f}, filtered {filtered:.1f}")
    goal(18, "memory for a million events against a minimal app", walked / bare_mb, 2.5, 1.5)
    goal(18, "memory after a filter through all of it, likewise", filtered / bare_mb, 2.5, 1.6)
    say(f"key of the bare app {median(keys) * 1e3:.1f} ms, p99 {p99(keys):.1f}; page {median(pages) * 1e3:.1f}, p99 {p99(pages):.1f}")
    goal(19, "processor time of a page, ms", cpu * 1e3, 30, 10)
    goal(19, "page to final paint, median ms", median(pages) * 1e3, 30, 10)
    goal(19, "jump to final paint, median ms", median(jumps) * 1e3, 30, 10)


def p99(times: list[float]) -> float:
    return quantiles(times, n=100)[98] * 1e3


def write(terminal: Terminal, words: str) -> None:
    """Put words into the line for words, in place of what stands there."""
    for keys in ("\x15", words):
        terminal.feed(keys)
        terminal.settle(0.15)


def search(terminal: Terminal, text: str, said: str) -> float:
    """Seconds from enter to the state line that has all hits and searches no more."""
    timed(terminal, b"/", "esc")
    write(terminal, text)
    terminal.raw.clear()
    began = time.monotonic()
    terminal.feed("\r")
    while not re.search(rf'" {said}(?! · searching)', stated(terminal)):
        assert time.monotonic() < began + 20, stated(terminal)
        terminal.read(0.2)
    took = time.monotonic() - began
    terminal.settle(0.1)
    return took


def stated(terminal: Terminal) -> str:
    """The state line as it was painted last, without its colours."""
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", terminal.raw.decode("utf-8", "replace"))
    return plain[max(0, plain.rfind(" of 1,000,000")) :][:120]


def picked(terminal: Terminal, kind: str) -> float:
    """Seconds from enter to a list of that kind alone, looked through to its end."""
    timed(terminal, b"k", "esc")
    write(terminal, kind)
    terminal.raw.clear()
    began = time.monotonic()
    terminal.feed("\r")
    while not re.search(rf"only {kind}(?!.*looking)", stated(terminal)):
        assert time.monotonic() < began + 20, stated(terminal)
        terminal.read(0.2)
    took = time.monotonic() - began
    terminal.settle(0.3)
    return took


def test_goal_20_search(big):
    folder, trace = big
    text = "nowhere to be found"
    with room(folder) as terminal:
        timed(terminal, b"t", at(LINES))
        terminal.settle(0.5)
        timed(terminal, KEYS["home"], at(1))
        took = median(search(terminal, text, "0 hits") for _ in range(3))
        timed(terminal, KEYS["home"], at(1))
        first = median(first_hit(terminal) for _ in range(3))
        keys = [one for _ in range(3) for one in keys_meanwhile(terminal)]
        filtering = picked(terminal, "result")
    ours, grep, loose = rounds(
        5,
        lambda: _seek(trace, text, any_case=False),
        lambda: seconds(["grep", "-c", text, str(trace)]),
        lambda: _seek(trace, text, any_case=True),
    )
    say(f"grep -c {grep:.3f} s; ours without a screen {ours:.3f} s, without regard to capitals {loose:.3f} s")
    say(f"a filter by kind, every line glanced at: {filtering:.2f} s on the screen, {_glances(trace):.2f} s without")
    say(
        f"enter to the first hit {first * 1e3:.0f} ms; a key while it searches: median {median(keys) * 1e3:.0f} ms, p99 {p99(keys):.0f}"
    )
    goal(20, "search of a million events on the screen against grep -c", took / grep, 6, 2.5)
    goal(20, "search of a million events, read alone, against grep -c", ours / grep, 6, 2.5)
    goal(20, "enter to the first hit, ms", first * 1e3, 50, 20)
    goal(20, "p99 of a key while it searches, ms", p99(keys), 50, 20)


def first_hit(terminal: Terminal) -> float:
    timed(terminal, KEYS["home"], at(1))
    timed(terminal, b"/", "esc")
    write(terminal, "20000 passed")
    return timed(terminal, b"\r", at(20_004))


def keys_meanwhile(terminal: Terminal) -> list[float]:
    """Seconds from a key to its paint, for keys pressed while a search runs."""
    timed(terminal, KEYS["home"], at(1))
    timed(terminal, b"/", "esc")
    write(terminal, "nowhere to be found at all")
    terminal.raw.clear()
    terminal.feed("\r")
    while "hits" not in stated(terminal):
        terminal.read(0.05)
    times = []
    for line in range(2, 40):
        times.append(timed(terminal, KEYS["down"], at(line)))
        if "searching" not in stated(terminal):
            break
    terminal.settle(0.3)
    return times


def _seek(trace: Path, text: str, *, any_case: bool) -> float:
    window = window_on_trace(trace)
    window.grow()
    began = time.perf_counter()
    assert not any(found.numbers for found in window.seek(text, any_case=any_case))
    took = time.perf_counter() - began
    window.close()
    return took


def _glances(trace: Path) -> float:
    window = window_on_trace(trace)
    window.grow()
    began = time.perf_counter()
    assert Glances(window).grow()
    took = time.perf_counter() - began
    window.close()
    return took
