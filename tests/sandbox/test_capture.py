import hashlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.sandbox.capture import Capture


@given(st.lists(st.binary(max_size=300)), st.integers(0, 400))
def test_head_and_tail_are_kept_and_the_whole_is_hashed(chunks, limit):
    capture = Capture(limit)
    for chunk in chunks:
        capture.add(chunk)
    whole = b"".join(chunks)
    assert capture.size == len(whole)
    assert capture.hash == hashlib.sha256(whole).hexdigest()
    assert len(capture.output) <= limit
    if len(whole) <= limit:
        assert capture.output == whole
    elif limit >= 2:
        assert whole.startswith(capture.output[: limit // 2])
        assert whole.endswith(capture.output[-10:] if limit >= 20 else b"")


def test_what_is_missing_is_said():
    capture = Capture(1000)
    capture.add(b"a" * 5000 + b"end")
    assert b"4003 bytes and more left out" in capture.output
    assert capture.output.endswith(b"end")
    assert len(capture.output) == 1000


@pytest.mark.pain(12)
def test_memory_stays_bounded():
    capture = Capture(10_000)
    chunk = b"x" * 65_536
    tracemalloc.start()
    for _ in range(500):
        capture.add(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert capture.size == 500 * 65_536
    assert peak < 1_000_000
