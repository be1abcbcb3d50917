"""The log: what is written is read again, and a line is whole or absent."""

import json
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.redact import Redactor
from loopdeck.core.unknown import Unknown
from loopdeck.errors import Bug, StoreError
from loopdeck.store.journal import JOURNAL, JournalWriter, read_journal, verify_journal
from loopdeck.store.lines import LogFormat
from loopdeck.store.log import LogWriter
from loopdeck.store.reading import last, read, verify
from loopdeck.store.trace import TRACE, TraceWriter, read_trace, verify_trace
from tests.store.samples import AT, journal_at, journal_events, trace_events, unchanged, written

TEXT = "secret-value-123456"


def note(text: str) -> ev.NoticeRaised:
    return ev.NoticeRaised(text)


def descriptor_of(path: Path) -> int:
    """The one descriptor of this process that is open on `path`."""
    open_on = [int(link.name) for link in Path("/dev/fd/").iterdir() if os.path.realpath(link) == str(path.resolve())]
    assert len(open_on) == 1
    return open_on[0]


@pytest.mark.req("S2-095")
def test_a_run_is_read_as_it_was_written(tmp_path):
    events = journal_at(tmp_path / "journal.jsonl")
    found = read_journal(tmp_path / "journal.jsonl")
    assert [entry.event for entry in found.entries] == events
    assert [entry.seq for entry in found.entries] == list(range(len(events)))
    assert {(entry.at, entry.epoch) for entry in found.entries} == {(AT, 1)}
    assert [entry.clock for entry in found.entries] == [number / 8 for number in range(len(events))]
    assert found.damage is None
    assert found.mark.offset == (tmp_path / "journal.jsonl").stat().st_size
    assert verify_journal(tmp_path / "journal.jsonl").lines == len(events)


def test_each_line_is_json_that_any_tool_reads(tmp_path):
    journal_at(tmp_path / "journal.jsonl")
    previous = None
    for number, line in enumerate((tmp_path / "journal.jsonl").read_text().splitlines()):
        said = json.loads(line)
        assert list(said) == ["seq", "at", "clock", "epoch", "prev", "event", "crc"]
        assert said["seq"] == number
        if previous is not None:
            from hashlib import sha256

            assert said["prev"] == sha256(previous).hexdigest()[:16]
        previous = line.encode() + b"\n"


def test_nothing_in_a_log_makes_a_terminal_do_something(tmp_path):
    nasty = "".join(map(chr, [*range(32), *range(0x7F, 0xA0), 0xAD, 0x200B, 0x202E, 0x2066, 0xFEFF, 0xE0041])) + "äöü 漢字 ✓"
    journal_at(tmp_path / "journal.jsonl", [note(nasty)])
    raw = (tmp_path / "journal.jsonl").read_text()
    assert "äöü 漢字 ✓" in raw
    assert all(char.isprintable() for char in raw.rstrip("\n"))
    assert read_journal(tmp_path / "journal.jsonl").entries[0].event == note(nasty)


def test_half_a_character_does_not_stop_a_run(tmp_path):
    journal_at(tmp_path / "journal.jsonl", [note("before \ud800 after"), note("next")])
    assert [entry.event for entry in read_journal(tmp_path / "journal.jsonl").entries] == [note("before ? after"), note("next")]


def test_an_unknown_kind_survives_byte_for_byte(tmp_path):
    written(JOURNAL, tmp_path / "one", journal_events())
    events = [entry.event for entry in read_journal(tmp_path / "one").entries]
    written(JOURNAL, tmp_path / "two", events)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sum(isinstance(event, Unknown) for event in events) == 1


def test_a_known_kind_of_another_shape_is_named_and_never_cut(tmp_path):
    odd = Unknown("iteration_started", b'{"kind":"iteration_started","iteration":"first"}')
    path = tmp_path / "journal.jsonl"
    journal_at(path, [note("one"), odd])
    found = read_journal(path)
    assert [entry.event for entry in found.entries] == [note("one")]
    assert found.damage is not None
    assert found.damage.line == 2
    assert not found.damage.tail
    before = path.read_bytes()
    with pytest.raises(StoreError, match="can't read it"):
        JournalWriter.open(path, 2, unchanged)
    assert path.read_bytes() == before


def test_secrets_are_taken_out_before_the_write(tmp_path):
    path = tmp_path / "journal.jsonl"
    writer = JournalWriter.open(path, 1, Redactor([TEXT]))
    writer.append(note(f"the key is {TEXT}!"), at=AT, clock=0.0)
    writer.append(note("harmless"), at=AT, clock=0.0)
    writer.append_many([note(TEXT), Unknown("x", b'{"kind":"x","v":"%s"}' % TEXT.encode())], at=AT, clock=0.0)
    writer.close()
    assert TEXT.encode() not in path.read_bytes()
    events = [entry.event for entry in read_journal(path).entries]
    assert events[0] == note("the key is [redacted:secret]!")
    assert events[1] == note("harmless")
    assert len(events) == 4
    assert verify_journal(path).damage is None


def test_credentials_never_seen_before_are_taken_out_too(tmp_path):
    path = tmp_path / "journal.jsonl"
    token = "ghp_" + "a1B2c3D4e5F6" * 3
    writer = JournalWriter.open(path, 1, Redactor())
    for text in (token, f"export GH={token} done", "plain"):
        writer.append(note(text), at=AT, clock=0.0)
    writer.close()
    assert token.encode() not in path.read_bytes()
    events = [entry.event for entry in read_journal(path).entries]
    assert len(events) == 3
    assert events[2] == note("plain")
    assert verify_journal(path).damage is None


def test_a_secret_that_looks_like_an_envelope_leaves_it_alone(tmp_path):
    path = tmp_path / "journal.jsonl"
    writer = JournalWriter.open(path, 1, Redactor(["0000000000000000", AT]))
    writer.append(note("zeros: 0000000000000000"), at=AT, clock=0.0)
    writer.close()
    entry = read_journal(path).entries[0]
    assert (entry.at, entry.event) == (AT, note("zeros: [redacted:secret]"))
    assert verify_journal(path).damage is None


def test_a_redactor_that_breaks_json_is_caught_before_the_write(tmp_path):
    path = tmp_path / "journal.jsonl"
    writer = JournalWriter.open(path, 1, lambda data: data.replace(b'"', b"\n"))
    with pytest.raises(Bug):
        writer.append(note("x"), at=AT, clock=0.0)
    writer.close()
    assert path.read_bytes() == b""


@given(texts=st.lists(st.text(max_size=40), max_size=12), groups=st.lists(st.integers(1, 4), max_size=12))
@settings(max_examples=60)
def test_groups_and_single_events_write_the_same_log(tmp_path, texts, groups):
    events = [note(text) for text in texts]
    forms: tuple[LogFormat[Any], ...] = (JOURNAL, TRACE)
    for form in forms:
        one, many = tmp_path / "one", tmp_path / "many"
        written(form, one, [])
        single = LogWriter.opened(form, one, 1, unchanged)
        grouped = LogWriter.opened(form, many, 1, unchanged)
        for event in events:
            single.append(event, at=AT, clock=1.0)
        rest = list(events)
        for size in groups:
            grouped.append_many(rest[:size], at=AT, clock=1.0)
            del rest[:size]
        for event in rest:
            grouped.append(event, at=AT, clock=1.0)
        assert single.mark == grouped.mark
        single.close()
        grouped.close()
        assert one.read_bytes() == many.read_bytes()
        one.unlink()
        many.unlink()


@given(lives=st.lists(st.lists(st.booleans(), max_size=5), max_size=5))
@settings(max_examples=40)
def test_a_trace_is_linked_where_lives_begin_and_at_seals(tmp_path, lives):
    path = tmp_path / "trace.jsonl"
    expected = []
    for epoch, life in enumerate(lives, 1):
        writer = TraceWriter.open(path, epoch, unchanged)
        for number, sealed in enumerate(life):
            if sealed:
                writer.seal()
            writer.append(tr.Noted(1, "x"), at=AT, clock=0.0)
            expected.append(sealed or number == 0)
        writer.close()
    lines = path.read_text().splitlines() if path.exists() else []
    assert ["prev" in json.loads(line) for line in lines] == expected
    found = verify_trace(path)
    assert (found.lines, found.damage, found.torn) == (len(expected), None, 0)
    path.unlink(missing_ok=True)


def test_forgery_shows(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal_at(path)
    sound = path.read_bytes()
    lines = sound.splitlines(keepends=True)
    # A forger who knows the checksum but changes one fact in the middle and mends every checksum after it.
    forged = tmp_path / "forged"
    from binascii import crc32

    state = 0
    out = b""
    for number, line in enumerate(lines):
        head = line[:-19].replace(b'"cost":4800000000', b'"cost":1800000000') if number == 6 else line[:-19]
        state = crc32(head, state)
        tail = b',"crc":"%08x"}\n' % state
        state = crc32(tail, state)
        out += head + tail
    forged.write_bytes(out)
    assert out != sound
    assert read_journal(forged).damage is None
    found = verify_journal(forged)
    assert found.damage is not None
    assert found.damage.line == 8
    assert verify_journal(path).damage is None


def test_dropped_repeated_and_swapped_lines_show(tmp_path):
    path = tmp_path / "journal.jsonl"
    events = journal_at(path)
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (lines[:3] + lines[4:], [*lines[:4], lines[3], *lines[4:]], [*lines[:3], lines[4], lines[3], *lines[5:]]):
        path.write_bytes(b"".join(changed))
        found = read_journal(path)
        assert found.damage is not None
        assert not found.damage.tail
        kept = [entry.event for entry in found.entries]
        assert kept == events[: len(kept)]
        assert len(kept) in (3, 4)


def test_damage_in_the_middle_stops_the_writer_and_changes_nothing(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal_at(path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5] = lines[5].replace(b"call-1", b"call-7")
    path.write_bytes(b"".join(lines) + b"torn")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="damaged") as raised:
        JournalWriter.open(path, 2, unchanged)
    assert raised.value.where == f"{path}:6"
    assert path.read_bytes() == before


def test_an_edited_last_line_is_not_taken_for_a_torn_one(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal_at(path)
    path.write_bytes(path.read_bytes().replace(b'"best":2', b'"best":1'))
    with pytest.raises(StoreError, match="damaged"):
        JournalWriter.open(path, 2, unchanged)


@pytest.mark.parametrize("left", [b"", b"{", b'{"seq":', b"\0" * 5000, b"\0" * 300 + b"\n", b"\n", b'{"seq":99}\n', b"x\n\0\ny"])
def test_what_a_crash_left_is_cut_and_writing_goes_on(tmp_path, left):
    path = tmp_path / "journal.jsonl"
    events = journal_at(path)
    with path.open("ab") as file:
        file.write(left)
    seen = read_journal(path)
    assert [entry.event for entry in seen.entries] == events
    writer = JournalWriter.open(path, 2, unchanged)
    assert writer.cut == len(left)
    writer.append(note("on"), at=AT, clock=9.0)
    writer.close()
    after = read_journal(path)
    assert [entry.event for entry in after.entries] == [*events, note("on")]
    assert verify_journal(path).damage is None


def test_lines_of_a_life_that_had_ended_do_not_count(tmp_path):
    path = tmp_path / "journal.jsonl"
    old = JournalWriter.open(path, 1, unchanged)
    old.append(note("first"), at=AT, clock=0.0)
    new = JournalWriter.open(path, 2, unchanged)
    new.append(note("second"), at=AT, clock=0.0)
    old.append(note("from beyond"), at=AT, clock=0.0)
    new.append(note("third"), at=AT, clock=0.0)
    old.append(note("again"), at=AT, clock=0.0)
    new.close()
    old.close()
    expected = [note("first"), note("second"), note("third")]
    assert [entry.event for entry in read_journal(path).entries] == expected
    assert verify_journal(path).damage is None
    third = JournalWriter.open(path, 3, unchanged)
    assert third.seq == 3
    third.append(note("fourth"), at=AT, clock=0.0)
    third.close()
    assert [entry.event for entry in read_journal(path).entries] == [*expected, note("fourth")]
    assert verify_journal(path).damage is None


def test_an_earlier_life_may_not_open_the_log_again(tmp_path):
    journal_at(tmp_path / "journal.jsonl", epoch=4)
    with pytest.raises(StoreError, match="later life"):
        JournalWriter.open(tmp_path / "journal.jsonl", 3, unchanged)


def test_the_end_is_read_without_the_beginning(tmp_path):
    path = tmp_path / "trace.jsonl"
    events = trace_events(300)
    written(TRACE, path, events)
    with path.open("ab") as file:
        file.write(b'{"seq":')
    for count in (1, 2, 50, 1000, 5000):
        assert [entry.event for entry in last(TRACE, path, count)] == events[-count:]
    assert last(TRACE, tmp_path / "none", 5) == []
    assert list(read_trace(path)) == events


def test_lines_longer_than_any_buffer(tmp_path):
    path = tmp_path / "journal.jsonl"
    events = [note("x" * size) for size in (10, 200_000, 65_536, 1_000_000, 3)]
    journal_at(path, events)
    assert [entry.event for entry in read_journal(path).entries] == events
    writer = JournalWriter.open(path, 2, unchanged)
    writer.append(note("y"), at=AT, clock=0.0)
    writer.close()
    assert verify_journal(path).lines == 6


def test_a_log_is_private_and_never_reached_through_a_link(tmp_path):
    path = tmp_path / "journal.jsonl"
    before = os.umask(0)
    try:
        journal_at(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(StoreError):
        JournalWriter.open(tmp_path / "link", 2, unchanged)
    with pytest.raises(StoreError):
        read_journal(tmp_path / "link")


def test_a_missing_log_is_an_empty_one(tmp_path):
    found = read(JOURNAL, tmp_path / "none")
    assert (found.entries, found.mark.seq, found.damage) == ([], 0, None)
    assert verify(JOURNAL, tmp_path / "none").lines == 0


def test_after_a_failed_sync_nothing_more_is_written(tmp_path):
    path = tmp_path / "journal.jsonl"
    writer = JournalWriter.open(path, 1, unchanged)
    writer.append(note("one"), at=AT, clock=0.0)
    # A pipe takes bytes but can't be synced: the system itself refuses.
    reading, writing = os.pipe()
    os.dup2(writing, descriptor_of(path))
    with pytest.raises(StoreError, match="disk"):
        writer.append(note("two"), at=AT, clock=0.0, durable=True)
    for attempt in (lambda: writer.append(note("three"), at=AT, clock=0.0), writer.sync):
        with pytest.raises(StoreError, match="earlier attempt"):
            attempt()
    writer.close()
    os.close(reading)
    os.close(writing)
    assert [entry.event for entry in read_journal(path).entries] == [note("one")]


_FULL = """
import resource, sys
from pathlib import Path
from typing import Any
from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.errors import StoreError
from loopdeck.store.journal import JournalWriter
path, limit, grouped = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "grouped"
writer = JournalWriter.open(path, 1, lambda data: data)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
done = 0
try:
    while True:
        events = [ev.NoticeRaised("x" * 50 + str(done + at)) for at in range(7 if grouped else 1)]
        writer.append_many(events, at="t", clock=0.0) if grouped else writer.append(events[0], at="t", clock=0.0)
        done += len(events)
except StoreError as error:
    assert str(path) in str(error)
size = path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.append(ev.NoticeRaised("room again"), at="t", clock=0.0, durable=True)
print(done, size)
"""


@pytest.mark.parametrize("grouped", ["single", "grouped"])
@pytest.mark.parametrize("limit", [100, 1000, 1024, 4096])
def test_a_short_write_is_taken_back(tmp_path, limit, grouped):
    if resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY:
        pytest.skip("the size of files is limited here")
    path = tmp_path / "journal.jsonl"
    done = subprocess.run([sys.executable, "-c", _FULL, str(path), str(limit), grouped], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, size = map(int, done.stdout.split())
    assert size <= limit
    found = read_journal(path)
    assert found.damage is None
    texts = [entry.event.text for entry in found.entries if isinstance(entry.event, ev.NoticeRaised)]
    assert texts == ["x" * 50 + str(number) for number in range(count)] + ["room again"]
    assert verify_journal(path).damage is None


def test_the_format_is_the_one_on_record(tmp_path):
    """A journal of today, byte for byte: every later version has to read it."""
    journal_at(tmp_path / "journal.jsonl", [ev.RunStarted(), note("ä")])
    assert (tmp_path / "journal.jsonl").read_bytes() == (
        b'{"seq":0,"at":"2026-11-21T07:15:00.123Z","clock":0.0,"epoch":1,"prev":"0000000000000000",'
        b'"event":{"kind":"run_started"},"crc":"083aa21e"}\n'
        b'{"seq":1,"at":"2026-11-21T07:15:00.123Z","clock":0.125,"epoch":1,"prev":"a00fbcd5d2c026e0",'
        b'"event":{"kind":"notice_raised","text":"\xc3\xa4"},"crc":"dfbc2802"}\n'
    )
    assert msgspec.json.decode((tmp_path / "journal.jsonl").read_bytes().splitlines()[0])["seq"] == 0
