"""Following a log, looking at any part of it, and resuming a fold from a checkpoint."""

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import events as ev
from loopdeck.core import fold
from loopdeck.core.run import Run
from loopdeck.store import checkpoint
from loopdeck.store.folded import load_run, save_checkpoint
from loopdeck.store.journal import JOURNAL, JournalWriter, read_journal, tail_journal
from loopdeck.store.layout import RunPaths
from loopdeck.store.lines import START
from loopdeck.store.trace import TRACE, TraceWriter, last_of_trace, tail_trace, window_on_trace
from loopdeck.store.window import BLOCK
from tests.store.samples import AT, add, journal_at, journal_events, trace_events, unchanged, written


def note(text):
    return ev.NoticeRaised(text)


def events_of(entries):
    return [entry.event for entry in entries]


# The tail


def test_a_tail_sees_each_event_once_as_it_comes(tmp_path):
    path = tmp_path / "journal.jsonl"
    tail = tail_journal(path)
    assert tail.poll() == []
    writer = JournalWriter.open(path, 1, unchanged)
    for number in range(20):
        writer.append(note(str(number)), at=AT, clock=0.0)
        assert events_of(tail.poll()) == [note(str(number))]
        assert tail.poll() == []
    writer.append_many([note("a"), note("b")], at=AT, clock=0.0)
    assert events_of(tail.poll()) == [note("a"), note("b")]
    assert tail.mark == writer.mark
    assert (tail.generation, tail.damage) == (0, None)
    writer.close()


@given(cuts=st.lists(st.integers(0, 10**6), max_size=12))
@settings(max_examples=50)
def test_a_tail_waits_for_the_rest_of_a_line(tmp_path, cuts):
    whole = tmp_path / "whole"
    events = journal_at(whole)
    data = whole.read_bytes()
    whole.unlink()
    path = tmp_path / "growing"
    tail = tail_journal(path)
    seen = []
    done = 0
    for cut in [*sorted({cut % len(data) for cut in cuts}), len(data)]:
        with path.open("ab") as file:
            file.write(data[done:cut])
        done = cut
        seen += events_of(tail.poll())
        assert len(seen) == data[:cut].count(b"\n")
    assert seen == events
    path.unlink()


def test_a_tail_goes_on_after_the_writer_cut_what_a_crash_left(tmp_path):
    path = tmp_path / "journal.jsonl"
    tail = tail_journal(path)
    events = journal_at(path)
    with path.open("ab") as file:
        file.write(b"\0" * 700 + b"\n" + b"\0" * 9)
    assert events_of(tail.poll()) == events
    assert tail.damage is not None
    assert tail.damage.tail
    assert tail.poll() == []
    journal_at(path, [note("on")], epoch=2)
    assert events_of(tail.poll()) == [note("on")]
    assert tail.generation == 0
    assert tail.mark.seq == len(events) + 1


def test_a_tail_notices_another_file_and_a_cut_one(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal_at(path, [note("one"), note("two"), note("three")])
    tail = tail_journal(path)
    assert len(tail.poll()) == 3
    journal_at(tmp_path / "other", [note("other"), note("two"), note("three"), note("four")])
    (tmp_path / "other").replace(path)
    assert events_of(tail.poll()) == [note("other"), note("two"), note("three"), note("four")]
    assert tail.generation == 1
    os.truncate(path, path.read_bytes().index(b"\n") + 1)
    assert events_of(tail.poll()) == [note("other")]
    assert tail.generation == 2
    # Cut and grown again between two looks, longer than it was.
    os.truncate(path, 0)
    journal_at(path, [note(f"again {number}") for number in range(5)])
    assert len(tail.poll()) == 5
    assert tail.generation == 3


def test_a_tail_takes_a_long_log_in_pieces(tmp_path):
    path = tmp_path / "trace.jsonl"
    events = trace_events(400)
    written(TRACE, path, events)
    tail = tail_trace(path)
    seen = []
    polls = 0
    while batch := tail.poll(limit=BLOCK):
        seen += events_of(batch)
        polls += 1
    assert seen == events
    assert polls > 3


def test_a_tail_of_a_damaged_log_stops_there(tmp_path):
    path = tmp_path / "journal.jsonl"
    events = journal_at(path)
    path.write_bytes(path.read_bytes().replace(b"flat_score", b"flat-score", 1))
    tail = tail_journal(path)
    seen = events_of(tail.poll())
    assert seen == events[: len(seen)]
    assert tail.damage is not None
    assert not tail.damage.tail
    assert tail.poll() == []


# The window


def test_any_lines_by_number(tmp_path):
    path = tmp_path / "trace.jsonl"
    events = trace_events(600)
    written(TRACE, path, events)
    assert path.stat().st_size > 4 * BLOCK
    window = window_on_trace(path)
    assert window.count() == 0
    assert window.grow()
    assert window.count() == len(events)
    rng = random.Random(5)
    for first in [0, 1, len(events) - 1, *(rng.randrange(len(events)) for _ in range(100))]:
        rows = window.rows(first, 9)
        assert [row.number for row in rows] == list(range(first, min(first + 9, len(events))))
        assert [row.entry.event for row in rows if row.entry] == events[first : first + 9]
    assert [row.entry.event for row in window.rows(0, 10**6) if row.entry] == events
    assert window.rows(-1, 5) == window.rows(len(events), 5) == window.rows(3, 0) == []
    window.close()


PIECES = st.tuples(st.integers(0, 40), st.sampled_from([0, 10, 5_000, BLOCK - 80, BLOCK, 3 * BLOCK]), st.booleans())


@given(pieces=st.lists(PIECES, max_size=8))
@settings(max_examples=40)
def test_the_index_of_a_growing_log_is_that_of_the_whole(tmp_path, pieces):
    path = tmp_path / "log"
    window = window_on_trace(path)
    number = 0
    for count, size, torn in pieces:
        with path.open("ab") as file:
            for _ in range(count if size < BLOCK else count % 3):
                file.write(b"%d %s\n" % (number, b"x" * size))
                number += 1
            length = file.tell()
            if torn:
                file.write(b"t" * size)
        while not window.grow(limit=3 * BLOCK):
            pass
        assert window.count() == number
        for first in {0, number // 2, max(0, number - 2)}:
            assert [int(row.raw.split()[0]) for row in window.rows(first, 3)] == list(range(first, min(first + 3, number)))
        os.truncate(path, length)
    window.close()
    path.unlink(missing_ok=True)


def test_a_window_on_another_file_starts_afresh(tmp_path):
    path = tmp_path / "trace.jsonl"
    written(TRACE, path, trace_events(300))
    window = window_on_trace(path)
    window.grow()
    written(TRACE, tmp_path / "other", trace_events(2))
    (tmp_path / "other").replace(path)
    window.grow()
    assert window.count() == len(trace_events(2))
    path.unlink()
    assert window.grow()
    assert window.count() == 0
    window.close()


def test_damaged_lines_are_shown_as_they_are(tmp_path):
    path = tmp_path / "trace.jsonl"
    written(TRACE, path, trace_events(1))
    with path.open("ab") as file:
        file.write(b"\0\0\0\n")
    window = window_on_trace(path)
    window.grow()
    row = window.rows(window.count() - 1, 1)[0]
    assert (row.entry, row.raw) == (None, b"\0\0\0\n")
    window.close()


@pytest.mark.parametrize("text", ["number 7", "Über", "\x1b[31m", '"command": "pytest -q"', "\n", "kind", "nowhere", "e", ""])
def test_the_search_finds_what_a_look_at_every_line_finds(tmp_path, text):
    path = tmp_path / "trace.jsonl"
    events = trace_events(500)
    written(TRACE, path, events)
    window = window_on_trace(path)
    window.grow()
    import json

    lines = path.read_text().splitlines()
    wanted = json.dumps(text, ensure_ascii=False)[1:-1]
    expected = [number for number, line in enumerate(lines) if text and wanted in line]
    assert list(window.search(text)) == expected
    for first in (1, 700, len(lines) - 1, len(lines) + 5):
        assert list(window.search(text, first)) == [number for number in expected if number >= first]
    window.close()


# Checkpoints


def paths_at(folder):
    folder.mkdir(parents=True)
    return RunPaths(folder)


def test_a_fold_goes_on_from_its_checkpoint(tmp_path):
    paths = paths_at(tmp_path / "loop" / "20261121-0715-a3f9")
    events = journal_events()
    writer = JournalWriter.open(paths.journal, 1, unchanged)
    run = Run()
    for number, event in enumerate(events):
        add(writer, event, number / 8)
        fold.apply(run, event, fold.Stamp(AT, number / 8, 1))
        expected = load_run(paths)
        assert expected.run == run
        save_checkpoint(paths, run, writer)
        found = checkpoint.load(paths)
        assert found is not None
        assert found.mark == writer.mark == expected.mark
        assert load_run(paths).run == run
        assert read_journal(paths.journal, found.mark).entries == []
        if number % 3:
            paths.checkpoint.unlink()
    writer.close()


def test_what_the_checkpoint_says_is_not_read_again(tmp_path):
    paths = paths_at(tmp_path / "loop" / "20261121-0715-a3f9")
    events = journal_at(paths.journal, journal_events()[:-1])
    run = load_run(paths).run
    run.nudges.append("only in the checkpoint")
    writer = JournalWriter.open(paths.journal, 2, unchanged)
    save_checkpoint(paths, run, writer)
    writer.append(note("after"), at=AT, clock=99.0)
    writer.close()
    folded = load_run(paths)
    assert "only in the checkpoint" in folded.run.nudges
    assert folded.run.clock == 99.0
    assert folded.mark.seq == len(events) + 1


def test_a_checkpoint_that_does_not_fit_counts_as_none(tmp_path):
    paths = paths_at(tmp_path / "loop" / "20261121-0715-a3f9")
    journal_at(paths.journal)
    mark = read_journal(paths.journal).mark
    checkpoint.save(paths, mark, b"payload\nin two lines")
    found = checkpoint.load(paths)
    assert found is not None
    assert (found.mark, found.payload) == (mark, b"payload\nin two lines")
    sound = paths.checkpoint.read_bytes()
    for at in range(0, len(sound), 3):
        paths.checkpoint.write_bytes(sound[:at])
        assert checkpoint.load(paths) is None
        paths.checkpoint.write_bytes(sound[:at] + bytes([sound[at] ^ 4]) + sound[at + 1 :])
        again = checkpoint.load(paths)
        assert again is None or again == found
    paths.checkpoint.write_bytes(sound)
    paths.journal.unlink()
    assert checkpoint.load(paths) is None
    journal_at(paths.journal, [*journal_events()[:-1], note("another end, of another length")])
    assert checkpoint.load(paths) is None
    checkpoint.save(paths, START, b"")
    assert checkpoint.load(paths) is not None


def test_a_checkpoint_of_another_version_is_not_trusted(tmp_path):
    paths = paths_at(tmp_path / "loop" / "20261121-0715-a3f9")
    journal_at(paths.journal)
    right = load_run(paths).run
    writer = JournalWriter.open(paths.journal, 1, unchanged)
    save_checkpoint(paths, Run(loop="wrong"), writer)
    assert load_run(paths).run.loop == "wrong"
    found = checkpoint.load(paths)
    assert found is not None
    for payload in (found.payload.replace(b'"version":"', b'"version":"9'), b"{}", b""):
        checkpoint.save(paths, found.mark, payload)
        assert load_run(paths).run == right
    writer.close()


def test_a_journal_against_the_rules_is_read_up_to_there(tmp_path):
    paths = paths_at(tmp_path / "loop" / "20261121-0715-a3f9")
    events = journal_events()
    journal_at(paths.journal, [*events[:5], events[0], *events[5:]])
    folded = load_run(paths)
    assert folded.damage.startswith("journal.jsonl, event 5: ")
    assert folded.run.iteration == 1
    paths.journal.write_bytes(paths.journal.read_bytes().replace(b"no sandbox", b"no-sandbox"))
    folded = load_run(paths)
    assert folded.damage == "journal.jsonl:4: its checksum doesn't fit"
    assert folded.run.started_at == AT


def test_the_last_entries_of_a_trace(tmp_path):
    written(TRACE, tmp_path / "trace.jsonl", trace_events(50))
    assert events_of(last_of_trace(tmp_path / "trace.jsonl", 3)) == trace_events(50)[-3:]


def test_a_writer_can_be_opened_where_a_tail_stands(tmp_path):
    path = tmp_path / "trace.jsonl"
    written(TRACE, path, trace_events(3))
    tail = tail_trace(path)
    tail.poll()
    writer = TraceWriter.open(path, 1, unchanged)
    assert writer.mark == tail.mark
    writer.close()
    assert JOURNAL.linked != TRACE.linked
