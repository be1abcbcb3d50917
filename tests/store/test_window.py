"""The window on a log beyond what `test_tail` has: its end before it is indexed, searches in steps, and lines larger than a step."""

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import trace as tr
from loopdeck.store.trace import TRACE, window_on_trace
from loopdeck.store.window import BLOCK
from tests.kit.traces import iteration, write_trace
from tests.store.samples import trace_events, written


def many(tmp_path, count):
    path = tmp_path / "trace.jsonl"
    write_trace(path, [tr.Noted(1, f"{number} {'x' * 300}") for number in range(count)])
    return path


def test_the_last_lines_are_there_before_the_log_is_indexed(tmp_path):
    path = many(tmp_path, 3000)
    window = window_on_trace(path)
    assert window.foresee() == 3000
    assert window.count() == 0
    rows = window.rows(2950, 50)
    assert [row.number for row in rows] == list(range(2950, 3000))
    assert [row.entry.seq for row in rows if row.entry] == list(range(2950, 3000))
    assert [row.entry.seq for row in window.rows(2000, 9) if row.entry] == list(range(2000, 2009))
    assert window.rows(3000, 5) == []
    while not window.grow(BLOCK):
        pass
    assert window.count() == 3000
    window.close()


def test_lines_far_from_the_end_are_not_known_until_they_are_indexed(tmp_path):
    path = many(tmp_path, 20_000)
    window = window_on_trace(path)
    window.foresee()
    assert window.rows(10, 5) == []
    window.grow(BLOCK)
    assert [row.entry.seq for row in window.rows(10, 5) if row.entry] == [10, 11, 12, 13, 14]
    window.close()


def test_nothing_is_foreseen_of_what_can_not_be_read(tmp_path):
    path = tmp_path / "trace.jsonl"
    window = window_on_trace(path)
    assert window.foresee() == 0
    path.write_bytes(b"")
    assert window.foresee() == 0
    path.write_bytes(b"no line at all")
    assert window.foresee() == 0
    path.write_bytes(b"damage\n")
    assert window.foresee() == 0
    path.write_bytes(b'{"seq":99999999999,"at":"","clock":0.0,"epoch":1,"event":{}}\n')
    assert window.foresee() == 0
    window.close()


def test_a_last_line_larger_than_a_block_is_foreseen(tmp_path):
    path = tmp_path / "trace.jsonl"
    write_trace(path, [tr.Noted(1, "small"), tr.Noted(1, "y" * 5 * BLOCK)])
    window = window_on_trace(path)
    assert window.foresee() == 2
    rows = window.rows(0, 2)
    assert [row.entry.seq for row in rows if row.entry] == [0, 1]
    window.close()


def test_a_line_larger_than_a_step_does_not_stop_the_index(tmp_path):
    path = tmp_path / "trace.jsonl"
    write_trace(path, [tr.Noted(1, "z" * 40 * BLOCK), tr.Noted(1, "after"), tr.Noted(1, "z" * 40 * BLOCK)])
    window = window_on_trace(path)
    steps = 0
    while not window.grow(BLOCK):
        steps += 1
        assert steps < 100
    assert window.count() == 3
    assert [len(row.entry.event.text) for row in window.rows(0, 3) if row.entry and isinstance(row.entry.event, tr.Noted)] == [
        40 * BLOCK, 5, 40 * BLOCK,
    ]  # fmt: skip
    window.close()


@pytest.mark.parametrize("limit", [1, 1000, BLOCK - 1, BLOCK + 1, 100_000])
def test_steps_of_any_size_give_the_same_index(tmp_path, limit):
    path = many(tmp_path, 1500)
    window = window_on_trace(path)
    while not window.grow(limit):
        pass
    assert window.count() == 1500
    assert [row.entry.seq for first in (0, 700, 1490) for row in window.rows(first, 3) if row.entry] == [
        first + more for first in (0, 700, 1490) for more in range(3)
    ]
    window.close()


def test_a_log_cut_under_a_window_is_another(tmp_path):
    path = many(tmp_path, 2000)
    window = window_on_trace(path)
    window.grow()
    os.truncate(path, 100)
    # Between the cut and the next look nothing raises; what is gone is not handed out.
    assert window.rows(1990, 5) == []
    assert list(window.search("xxx", 1000)) == []
    window.grow()
    assert (window.generation, window.count()) == (1, 0)
    window.close()


@pytest.mark.parametrize("text", ["NUMBER 7", "number 7", "Über", "nowhere", '"kind"', "e"])
def test_a_search_in_steps_finds_what_a_look_at_every_line_finds(tmp_path, text):
    path = tmp_path / "trace.jsonl"
    written(TRACE, path, trace_events(500))
    import json

    lines = path.read_text().splitlines()
    wanted = json.dumps(text, ensure_ascii=False)[1:-1]
    window = window_on_trace(path)
    window.grow()
    rng = random.Random(3)
    for _ in range(6):
        first, end = sorted((rng.randrange(len(lines) + 3), rng.randrange(len(lines) + 3)))
        exact = [number for number in range(first, min(end, len(lines))) if wanted in lines[number]]
        loose = [number for number in range(first, min(end, len(lines))) if wanted.lower() in lines[number].lower()]
        assert [hit for found in window.seek(text, first, end=end) for hit in found.numbers] == exact
        assert [hit for found in window.seek(text, first, end=end, any_case=True) for hit in found.numbers] == loose
    window.close()


@given(sizes=st.lists(st.sampled_from([0, 5, 300, BLOCK - 90, BLOCK, 2 * BLOCK]), max_size=12), steps=st.integers(1, 4))
@settings(max_examples=40)
def test_pieces_are_all_lines_in_order(tmp_path, sizes, steps):
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"x" * size + b"\n" for size in sizes) + b"torn")
    window = window_on_trace(path)
    while not window.grow(steps * BLOCK):
        pass
    for first in range(len(sizes) + 1):
        data = b"".join(window.pieces(first))
        assert [len(line) for line in data.splitlines()] == sizes[first:]
    window.close()
    path.unlink()


def test_the_first_lines_are_right_while_the_rest_is_foreseen(tmp_path):
    path = tmp_path / "trace.jsonl"
    write_trace(path, [event for number in range(1, 400) for event in iteration(number)])
    window = window_on_trace(path)
    total = window.foresee()
    window.grow(BLOCK)
    assert 0 < window.count() < total
    for first in (0, window.count() - 20, total - 30):
        assert [row.entry.seq for row in window.rows(first, 20) if row.entry] == list(range(first, first + 20))
    window.close()
