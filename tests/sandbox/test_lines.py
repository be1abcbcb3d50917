"""Lines out of a pipe, however they come in: against what splitting the whole would give."""

import asyncio
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.sandbox import talk
from loopdeck.sandbox.capture import Capture
from loopdeck.sandbox.talk import Lines, Words

PIECES = st.lists(st.binary(max_size=40).map(lambda piece: piece.replace(b"a", b"\n")), max_size=30)


async def poured(pieces: list[bytes], end: int) -> None:
    for piece in pieces:
        os.write(end, piece)
        await asyncio.sleep(0)
    os.close(end)


async def heard(pieces: list[bytes]) -> list[bytes]:
    source, end = os.pipe()
    lines = Lines(source)
    found = []
    try:
        pouring = asyncio.ensure_future(poured(pieces, end))
        while (line := await lines.next()) is not None:
            found.append(line)
        await pouring
    finally:
        os.close(source)
    return found


@given(pieces=PIECES)
@settings(max_examples=200)
def test_lines_are_what_splitting_would_give(pieces):
    whole = b"".join(pieces)
    expected = whole.split(b"\n")
    assert asyncio.run(heard(pieces)) == (expected[:-1] if expected[-1] == b"" else expected)


@given(pieces=PIECES, most=st.integers(1, 20))
@settings(max_examples=200)
def test_a_line_is_cut_where_it_is_too_long_and_no_other_is(pieces, most):
    whole = b"".join(pieces)
    expected = whole.split(b"\n")
    expected = expected[:-1] if expected[-1] == b"" else expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(talk, "LONGEST_LINE", most)
        patch.setattr(talk, "_PIECE", 3)
        found = asyncio.run(heard(pieces))
    assert len(found) == len(expected)
    for line, whole_line in zip(found, expected, strict=True):
        assert whole_line.startswith(line)
        # What came in one piece with its end was never held too long.
        assert line == whole_line or len(line) == most


def test_what_is_held_goes_where_it_is_poured_and_nobody_waits_for_lines_any_more():
    async def whole() -> tuple[bytes | None, bytes]:
        source, end = os.pipe()
        lines, into = Lines(source), Capture(1000)
        os.write(end, b"one\ntwo\nthr")
        assert await lines.next() == b"one"
        waiting = asyncio.ensure_future(lines.next())
        assert await waiting == b"two"
        waiting = asyncio.ensure_future(lines.next())
        await asyncio.sleep(0.01)
        lines.pour(into)
        os.write(end, b"ee\n")
        os.close(end)
        line = await waiting
        await asyncio.sleep(0.01)
        lines.last()
        os.close(source)
        return line, into.output

    assert asyncio.run(whole()) == (None, b"three\n")


def test_the_last_is_what_is_there_though_somebody_still_writes():
    async def whole() -> list[bytes | None]:
        source, end = os.pipe()
        lines = Lines(source)
        os.write(end, b"one\ntwo")
        lines.last()
        os.write(end, b" and more\n")
        found = [await lines.next() for _ in range(3)]
        os.close(source)
        os.close(end)
        lines.last()
        return found

    assert asyncio.run(whole()) == [b"one", b"two", None]


def test_words_closed_while_they_wait_for_room_are_a_broken_pipe():
    async def whole() -> None:
        source, end = os.pipe()
        words = Words(end)
        sending = asyncio.ensure_future(words.send(b"x" * 1_000_000))
        await asyncio.sleep(0.01)
        words.close()
        words.close()
        with pytest.raises(BrokenPipeError):
            await sending
        os.close(source)

    asyncio.run(whole())
