"""A count with its word, and that nothing else in the package writes one by hand."""

import re
from pathlib import Path

import pytest

import loopdeck
from loopdeck.core.plural import some

_BY_HAND = re.compile(r"""['"]s['"] \*|''  if|['"]{2} if \w+ == 1 else ['"]s""")


@pytest.mark.parametrize(
    ("number", "word"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1234, "1,234 files")]
)  # fmt: skip
def test_one_is_one_and_all_else_is_many(number: int, word: str) -> None:
    assert some(number, "file") == word


def test_a_word_may_have_a_plural_of_its_own() -> None:
    assert (some(1, "match", "matches"), some(3, "match", "matches")) == ("1 match", "3 matches")


def test_no_screen_and_no_verb_makes_a_plural_by_hand() -> None:
    root = Path(loopdeck.__file__).parent
    files = [file for place in ("tui", "deck", "cli", "checks") for file in (root / place).rglob("*.py")]
    by_hand = [f"{file.name}: {line}" for file in files for line in file.read_text().splitlines() if _BY_HAND.search(line)]
    assert not by_hand
