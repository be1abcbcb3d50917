"""Goals 12 to 16: what the logs cost, as ratios of what the machine itself takes in the same run."""

import gc
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median, quantiles

import pytest

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.happening import CallAsked
from loopdeck.core.redact import Redactor
from loopdeck.core.usage import Usage
from loopdeck.store.folded import load_run, save_checkpoint
from loopdeck.store.journal import JOURNAL, JournalWriter
from loopdeck.store.layout import RunPaths
from loopdeck.store.reading import batches
from loopdeck.store.trace import TraceWriter
from loopdeck.store.window import Window
from tests.bench.report import goal, rounds, say
from tests.store.samples import AT, journal_events, unchanged

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

MANY = 10_000


def seconds(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def busy_events(count: int) -> list[ev.AnyEvent]:
    """What a journal is made of while a run works."""
    asked = (CallAsked("toolu_01A", "bash"),)
    kinds: list[ev.AnyEvent] = [
        ev.ModelCallReserved("call-17", "maker", "claude-sonnet-4-5", 12_000, 8192, 158_880_000_000),
        ev.ModelCallSettled("call-17", Usage(1200, 300, 5, 6), 8_100_000_000, asked=asked, session="s-1"),
        ev.ToolCallGranted("toolu_01A", "bash", "allow:bash"),
        ev.ToolCallFinished("toolu_01A", "bash", 1.25, None, "0123456789abcdef"),
    ]
    return [kinds[number % len(kinds)] for number in range(count)]


def test_goal_12_append(tmp_path):
    path = tmp_path / "trace.jsonl"
    event = tr.ToolReturned(3, "toolu_01HXYZ", "bash", "x" * 90, seconds=0.25)
    writer = TraceWriter.open(path, 1, unchanged)
    guarded = TraceWriter.open(tmp_path / "guarded.jsonl", 1, Redactor(["a-secret-value-of-the-operator", "sk-ant-api03-aaaaaaaaaaaa"]))
    for number in range(MANY):
        writer.append(event, at=AT, clock=number / 1000)
    lines = path.read_bytes().splitlines(keepends=True)
    raw = os.open(tmp_path / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    plain = (tmp_path / "plain.jsonl").open("a")

    def write_raw() -> None:
        os.ftruncate(raw, 0)
        for line in lines:
            os.write(raw, line)

    def append(to: TraceWriter, log: Path) -> Callable[[], None]:
        def work() -> None:
            os.truncate(log, 0)
            for number in range(MANY):
                to.append(event, at=AT, clock=number / 1000)

        return work

    def dump() -> None:
        plain.truncate(0)
        for number in range(MANY):
            plain.write(
                json.dumps({"seq": number, "at": AT, "event": {"kind": "tool_returned", "iteration": 3, "output": "x" * 90}}) + "\n"
            )
            plain.flush()

    ways = (write_raw, append(writer, path), append(guarded, tmp_path / "guarded.jsonl"), dump)
    by_hand, ours, redacted, naive = rounds(15, *(partial(seconds, way) for way in ways))
    each = []
    for number in range(20_000):
        began = time.perf_counter_ns()
        writer.append(event, at=AT, clock=number / 1000)
        each.append(time.perf_counter_ns() - began)
    p99 = quantiles(each, n=100)[98] / 1000
    size = len(lines[0])
    say(f"{size} bytes a line: raw write {by_hand / MANY * 1e6:.2f} us, append {ours / MANY * 1e6:.2f} us")
    say(f"with the redactor {redacted / MANY * 1e6:.2f} us, json.dumps and flush of less {naive / MANY * 1e6:.2f} us")
    goal(12, "append against a raw write of the same bytes", by_hand / ours, 0.4, 0.6, "higher")
    goal(12, "p99 of an append, microseconds", p99, 50, 15)
    for open_one in (writer, guarded):
        open_one.close()
    plain.close()
    os.close(raw)


def test_goal_13_durable_events(tmp_path):
    event = ev.ToolCallGranted("toolu_01A", "bash", "allow:bash")
    writer = JournalWriter.open(tmp_path / "journal.jsonl", 1, unchanged)
    count, group = 256, 32

    def each() -> None:
        for _ in range(count):
            writer.append(event, at=AT, clock=0.0, durable=True)

    def grouped() -> None:
        for _ in range(count // group):
            writer.append_many([event] * group, at=AT, clock=0.0, durable=True)

    one, many = rounds(9, lambda: seconds(each), lambda: seconds(grouped))
    say(f"synced one by one {count / one:,.0f} events/s, in groups of {group} {count / many:,.0f} events/s")
    goal(13, "durable events in groups against one by one", one / many, 4, 10, "higher")
    writer.close()


def test_goal_14_crash_safety(tmp_path):
    """A thousand kills are in `pytest -m chaos tests/store/test_crash_points.py`; here a hundred, for the torn tails they leave."""
    from tests.store.test_crash_points import _kills

    torn = _kills(tmp_path, 100, (8_000, 64_000), seed=14)
    goal(14, "torn tails of 100 kills at 8 and 64 kB (0 events lost, 0 half lines read, else it had failed)", torn, 1, 30, "higher")


_COLD = """
import json, resource, sys, time
from collections import Counter
way, path = sys.argv[1:]
kinds = Counter()
if way == "json":
    def work():
        with open(path, "rb") as file:
            for line in file:
                kinds[json.loads(line)["event"]["kind"]] += 1
else:
    from pathlib import Path
    from loopdeck.store.journal import JOURNAL
    from loopdeck.store.reading import batches
    def work():
        for batch in batches(JOURNAL, Path(path)):
            for entry in batch.entries:
                kinds[type(entry.event)] += 1
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
work()
print(time.perf_counter() - began, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, sum(kinds.values()))
"""


def test_goal_15_fold_a_million_events(tmp_path):
    path = tmp_path / "journal.jsonl"
    writer = JournalWriter.open(path, 1, unchanged)
    events = busy_events(10_000)
    for _ in range(100):
        writer.append_many(events, at=AT, clock=1234.567)
    writer.close()
    grown: list[float] = []

    def cold(way: str) -> float:
        said = subprocess.run([sys.executable, "-c", _COLD, way, str(path)], capture_output=True, text=True, check=True).stdout
        took, memory, count = map(float, said.split())
        assert count == 1_000_000
        if way == "ours":
            grown.append(memory)
        return took

    naive, ours = rounds(5, lambda: cold("json"), lambda: cold("ours"))
    say(f"json.loads {naive:.2f} s, ours {ours:.2f} s, every checksum verified: {1 / ours:,.2f} M events/s")
    goal(15, "a million events, cold, against json.loads", naive / ours, 5, 8, "higher")
    goal(15, "memory for it, MB", median(grown), 30, 10)
    window = Window(JOURNAL, path)
    index = seconds(window.grow)
    counted, read = rounds(
        5, lambda: seconds(lambda: subprocess.run(["wc", "-l", str(path)], capture_output=True, check=True)), lambda: _index(path)
    )
    window.rows(500_000, 50)
    at_random = median(seconds(partial(window.rows, number, 50)) for number in range(0, 999_000, 37_000))
    found = seconds(lambda: sum(1 for _ in window.search("nowhere to be found")))
    say(f"index of it {index:.3f} s ({read / counted:.1f}x wc -l), 50 rows anywhere {at_random * 1e3:.2f} ms, a search {found:.3f} s")
    goal(17, "index of a million lines, seconds", read, 0.5, 0.3)
    window.close()


def _index(path: Path) -> float:
    window = Window(JOURNAL, path)
    took = seconds(window.grow)
    window.close()
    return took


def test_goal_16_status_of_a_hundred_loops(tmp_path):
    count = 100
    start = journal_events()[:5]
    work = busy_events(10_000)
    template = tmp_path / "template"
    template.mkdir()
    writer = JournalWriter.open(template / "journal.jsonl", 1, unchanged)
    writer.append_many([*start, *work[: 10_000 - len(start) - 20]], at=AT, clock=1.0)
    save_checkpoint(RunPaths(template), load_run(RunPaths(template)).run, writer)
    writer.append_many(work[:20], at=AT, clock=2.0)
    writer.close()
    runs = []
    for number in range(count):
        folder = tmp_path / f"loop{number}" / "20261121-0715-a3f9"
        folder.mkdir(parents=True)
        for name in ("journal.jsonl", "checkpoint.json"):
            (folder / name).write_bytes((template / name).read_bytes())
        runs.append(RunPaths(folder))
    reference = load_run(runs[0]).run

    def status() -> None:
        for paths in runs:
            folded = load_run(paths)
            assert not folded.damage
            assert folded.mark.seq == 10_000

    warm = rounds(7, lambda: seconds(status))[0]
    for paths in runs:
        paths.checkpoint.unlink()
    assert load_run(runs[0]).run == reference
    cold = rounds(3, lambda: seconds(status))[0]
    say(f"{count} loops of 10,000 events: {warm * 1e3:.0f} ms from checkpoints, {cold:.2f} s without")
    goal(16, "status from checkpoints against a cold fold", warm / cold, 0.15, 0.05)
    goal(16, "status of 100 loops, ms", warm * 1e3, 240, 80)


def test_the_kinds_counted_are_those_written(tmp_path):
    """The fold that is measured sees every event."""
    writer = JournalWriter.open(tmp_path / "j", 1, unchanged)
    writer.append_many(busy_events(4000), at=AT, clock=0.0)
    writer.close()
    kinds = Counter(type(entry.event) for batch in batches(JOURNAL, tmp_path / "j") for entry in batch.entries)
    assert set(kinds.values()) == {1000}
