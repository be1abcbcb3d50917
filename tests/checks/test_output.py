import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.checks.output import head, plain, plain_line, tail
from loopdeck.core.text import strip_ansi


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("10%\r20%\r\nend", "10%\n20%\nend"),
        ("a\tb\nc", "a\tb\nc"),
    ],
)
def test_plain_keeps_the_words(raw: str, shown: str) -> None:
    assert plain(raw) == shown


def test_a_title_without_an_end_swallows_no_other_line() -> None:
    assert "the failing line" in plain("\x1b]0;quiet\nthe failing line\nend\x07")


@given(st.text() | st.text("\x1b[]m0;\x07\x9b\x9d\n\r a"))
def test_plain_leaves_nothing_that_a_terminal_acts_upon(text: str) -> None:
    shown = plain(text)
    assert not any(ord(character) < 32 and character not in "\n\t" for character in shown)
    assert not any(0x7F <= ord(character) < 0xA0 for character in shown)
    assert plain(shown) == shown
    assert "\n" not in plain_line(text)
    shown.encode()


def test_plain_is_quick_on_any_megabyte() -> None:
    for piece in ("\x9d", "\x1b]", "\x1b[", "\x9b1;", "a\r", "\x1b]0;\n", "\u0300"):
        began = time.perf_counter()
        plain(piece * (1_000_000 // len(piece)))
        strip_ansi(piece * (1_000_000 // len(piece)))
        assert time.perf_counter() - began < 3, repr(piece)


@given(st.text(), st.integers(10, 100))
def test_tail_and_head_hold_their_size(text: str, size: int) -> None:
    assert len(tail(text, size)) <= size + 2
    assert len(head(text, size)) <= size


def test_tail_begins_with_a_whole_line() -> None:
    assert tail("\n".join(f"line {number}" for number in range(100)), 40).split("\n")[1].startswith("line ")
