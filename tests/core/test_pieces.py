"""A line cut into what can be seen and what symbols stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.text import clean_line, pieces
from tests.kit.hostile import FAMILIES, harm_in


def test_what_can_be_seen_is_one_piece():
    assert list(pieces("git push origin main")) == [("git push origin main", False)]
    assert list(pieces("größe 漢字")) == [("größe 漢字", False)]


def test_a_piece_that_stands_for_something_is_told():
    assert list(pieces("a\x1bb")) == [("a", False), ("␛", True), ("b", False)]
    assert list(pieces("\u202e\u200b")) == [("<U+202E><U+200B>", True)]


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\u202f", "\u3000", "\u2800"])
def test_blanks_that_are_none_are_told(blank):
    assert list(pieces(f"a{blank}b")) == [("a", False), (f"<U+{ord(blank):04X}>", True), ("b", False)]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_hostile_text_comes_through(family):
    assert harm_in("".join(text for text, _ in pieces(FAMILIES[family]))) == ""


@given(st.text(alphabet=st.characters(max_codepoint=0x3FF)))
def test_it_says_what_the_sanitiser_says(raw):
    plain = raw.replace("\u00a0", "")
    assert "".join(text for text, _ in pieces(plain)) == clean_line(plain, len(plain) * 12 + 100)
