from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.ends import NEAR, head, tail

TEXT = st.text(alphabet="ab\n", max_size=200)


@given(TEXT, st.integers(1, 220))
def test_the_ends_are_ends_and_never_too_long(text, size):
    for whole in (text, text.encode()):
        assert whole.startswith(head(whole, size))
        assert whole.endswith(tail(whole, size))
        assert max(len(head(whole, size)), len(tail(whole, size))) <= max(size, 0)
        if len(whole) <= size:
            assert head(whole, size) == tail(whole, size) == whole


def test_a_line_is_not_torn_if_one_ends_nearby():
    text = "one\ntwo\nthree\nfour\n"
    assert head(text, 10) == "one\ntwo\n"
    assert tail(text, 7) == "four\n"
    assert tail(text, 11) == "three\nfour\n"
    assert tail(b"one\ntwo\n", 4) == b"two\n"


def test_a_line_that_is_too_long_is_torn():
    text = "a" * (4 * NEAR)
    assert (len(head(text, 2 * NEAR)), len(tail(text, 2 * NEAR))) == (2 * NEAR, 2 * NEAR)
