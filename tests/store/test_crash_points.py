"""A crash at every byte of a run, and damage of every sort: what is read is a true prefix, and writing goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from loopdeck.core import events as ev
from loopdeck.errors import StoreError
from loopdeck.store.journal import JOURNAL
from loopdeck.store.lines import LogFormat
from loopdeck.store.log import LogWriter
from loopdeck.store.reading import read, verify
from loopdeck.store.trace import TRACE
from tests.store.samples import AT, journal_events, trace_events, unchanged, written

ON = ev.NoticeRaised("on")
FORMS: dict[str, tuple[LogFormat[Any], list[Any]]] = {
    "journal": (JOURNAL, journal_events()),
    "trace": (TRACE, trace_events()),
}


@pytest.fixture
def fast(tmp_path):
    """A folder in memory where there is one: these tests write thousands of files, and what a disk does is not their point."""
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path
        return
    folder = memory / f"loopdeck-test-{os.getpid()}-{random.randbytes(4).hex()}"
    folder.mkdir(0o700)
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.mark.req("S2-095")
@pytest.mark.parametrize("kind", FORMS)
def test_a_crash_at_every_byte(fast, kind):
    form, events = FORMS[kind]
    whole = fast / "whole"
    written(form, whole, events)
    data = whole.read_bytes()
    ends = [at + 1 for at, byte in enumerate(data) if byte == 10]
    # Together with the other log of the run these are far more than 3,000 points.
    assert len(data) > 3000
    count = 0
    path = fast / "log"
    for cut in range(len(data) + 1):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(descriptor, data[:cut])
        os.close(descriptor)
        while count < len(ends) and ends[count] <= cut:
            count += 1
        writer = LogWriter.opened(form, path, 2, unchanged)
        assert writer.seq == count
        assert writer.cut == cut - (ends[count - 1] if count else 0)
        writer.append(ON, at=AT, clock=1.0)
        writer.close()
        after = path.read_bytes()
        assert after.startswith(data[: ends[count - 1] if count else 0])
        if cut % 7 == 0 or cut in ends:
            found = verify(form, path)
            assert (found.lines, found.damage, found.torn) == (count + 1, None, 0)
            # The event that was added is the journal's; to the trace it is a kind of a later version.
            assert [entry.event for entry in read(form, path).entries][:-1] == events[:count]


def _mangled(data: bytes, rng: random.Random) -> bytes:
    """`data` with something done to it that a disk, an editor or a fool may do."""
    at, to = sorted((rng.randrange(len(data)), rng.randrange(len(data) + 1)))
    match rng.randrange(8):
        case 0:
            return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        case 1:
            return data[:at] + rng.randbytes(to - at) + data[to:]
        case 2:
            return data[:at] + bytes(to - at) + data[to:]
        case 3:
            return data[:at] + data[to:]
        case 4:
            return data[:to] + data[at:]
        case 5:
            return data[:at] + bytes(rng.randrange(5000))
        case 6:
            lines = data.splitlines(keepends=True)
            rng.shuffle(lines)
            return b"".join(lines)
        case _:
            return data.replace(
                rng.choice([b"1", b'"', b"\n", b"call", b"}"]), rng.choice([b"2", b"", b"\\", b"\n\n"]), rng.randrange(1, 9)
            )


def _survives(form: LogFormat[Any], events: list[Any], path: Path, mangled: bytes) -> None:
    path.write_bytes(mangled)
    found = read(form, path)
    kept = [entry.event for entry in found.entries]
    assert kept == events[: len(kept)]
    verify(form, path)
    try:
        writer = LogWriter.opened(form, path, 2, unchanged)
    except StoreError:
        assert found.damage is not None
        assert path.read_bytes() == mangled
        return
    writer.append(ON, at=AT, clock=1.0)
    writer.close()
    assert len(read(form, path).entries) == len(kept) + 1
    assert verify(form, path).damage is None


def _damage(folder: Path, times: int, seed: int) -> None:
    rng = random.Random(seed)
    for form, events in FORMS.values():
        whole = folder / "whole"
        written(form, whole, events)
        data = whole.read_bytes()
        whole.unlink()
        for _ in range(times):
            mangled = data
            for _ in range(rng.choice((1, 1, 1, 2, 5))):
                mangled = _mangled(mangled, rng) if mangled else mangled
            _survives(form, events, folder / "log", mangled)


def test_damage_never_makes_the_reader_fail_or_lie(fast):
    _damage(fast, 700, seed=20261121)


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_damage_never_makes_the_reader_fail_or_lie_at_length(fast):
    _damage(fast, 10_000, seed=int(time.time()))


def _kills(folder: Path, times: int, sizes: tuple[int, ...], seed: int) -> int:
    """Kill a writer `times` times in the middle of its work; gives how many torn tails that left."""
    rng = random.Random(seed)
    torn = 0
    command = [sys.executable, "-m", "tests.store.appender", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as nest:
        assert nest.stdin is not None
        assert nest.stdout is not None
        for turn in range(times):
            path = folder / f"log{turn % 20}"
            epoch = turn // 20 + 1
            nest.stdin.write(f"{path} {epoch} {sizes[turn % len(sizes)]}\n".encode())
            nest.stdin.flush()
            victim = int(nest.stdout.readline())
            before = int(nest.stdout.readline())
            time.sleep(rng.uniform(0, 0.004))
            os.kill(victim, signal.SIGKILL)
            acked = [int(line) for line in iter(nest.stdout.readline, b"gone\n")]
            found = read(JOURNAL, path)
            assert found.damage is None
            assert len(found.entries) >= (acked[-1] + 1 if acked else before)
            texts = [entry.event.text for entry in found.entries if isinstance(entry.event, ev.NoticeRaised)]
            assert [int(text.split()[0]) for text in texts] == list(range(len(texts)))
            torn += path.stat().st_size > found.mark.offset
        nest.stdin.close()
    for path in folder.glob("log*"):
        LogWriter.opened(JOURNAL, path, 1 << 20, unchanged).close()
        assert verify(JOURNAL, path).damage is None
    return torn


def test_a_writer_killed_in_the_middle_of_its_work(tmp_path):
    _kills(tmp_path, 25, (300, 64_000), seed=1)


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_a_writer_killed_a_thousand_times(tmp_path):
    torn = _kills(tmp_path, 1000, (300, 8_000, 64_000), seed=int(time.time()))
    # Otherwise nothing was shown.
    assert torn > 0


@pytest.mark.chaos
@pytest.mark.skipif(os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="mounts a tiny file system")
def test_a_full_disk(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=True)
    try:
        path = tmp_path / "log"
        writer = LogWriter.opened(JOURNAL, path, 1, unchanged)
        events = [ev.NoticeRaised(f"{number} " + "x" * 200) for number in range(1000)]
        done = 0
        refusal = ""
        while not refusal:
            try:
                writer.append(events[done], at=AT, clock=0.0, durable=done % 10 == 0)
                done += 1
            except StoreError as error:
                refusal = str(error)
        assert "part of a line" in refusal or "No space" in refusal
        assert done > 50
        assert [entry.event for entry in read(JOURNAL, path).entries] == events[:done]
        assert path.stat().st_size == read(JOURNAL, path).mark.offset
        writer.close()
        LogWriter.opened(JOURNAL, path, 2, unchanged).close()
        assert verify(JOURNAL, path).damage is None
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
