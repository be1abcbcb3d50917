"""The three-way merge: whatever two sides do to a text, no edit is lost."""

import time
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loopdeck.core.merge3 import Clash, Conflict, merge3

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "- [ ] do", "## Done", "x" * 30]), max_size=14)
BASE = "# State\n\n## Open\n- one\n- two\n- three\n\n## Done\n- zero\n"


def text(lines: list[str], ending: bool = True) -> str:
    joined = "\n".join(lines)
    return joined + "\n" if ending and lines else joined


def added(base: str, changed: str) -> Counter[str]:
    return Counter(changed.split("\n")) - Counter(base.split("\n"))


@pytest.mark.parametrize(
    ("mine", "theirs", "merged"),
    [
        (BASE, BASE, BASE),
        (BASE.replace("one", "ONE"), BASE, BASE.replace("one", "ONE")),
        (BASE, BASE.replace("one", "ONE"), BASE.replace("one", "ONE")),
        (BASE.replace("one", "ONE"), BASE.replace("one", "ONE"), BASE.replace("one", "ONE")),
        (BASE.replace("- one\n", ""), BASE + "- more\n", BASE.replace("- one\n", "") + "- more\n"),
        (
            BASE.replace("- one", "- one!"),
            BASE.replace("- three", "- three!"),
            BASE.replace("- one", "- one!").replace("three", "three!"),
        ),
        ("top\n" + BASE, BASE + "end\n", "top\n" + BASE + "end\n"),
        (BASE.rstrip("\n"), "top\n" + BASE, "top\n" + BASE.rstrip("\n")),
    ],
)
def test_edits_in_different_places_are_all_kept(mine, theirs, merged):
    assert merge3(BASE, mine, theirs) == merged
    assert merge3(BASE, theirs, mine) == merged


def test_different_edits_of_one_place_are_a_conflict_that_names_it():
    found = merge3(BASE, BASE.replace("two", "zwei"), BASE.replace("two", "deux"))
    assert found == Conflict((Clash(5, "- two\n", "- zwei\n", "- deux\n"),))
    assert isinstance(merge3(BASE, BASE.replace("- two\n", ""), BASE.replace("two", "deux")), Conflict)
    assert isinstance(merge3(BASE, BASE + "- mine\n", BASE + "- theirs\n"), Conflict)
    assert isinstance(merge3("", "mine\n", "theirs\n"), Conflict)


def test_every_place_in_dispute_is_named():
    mine = BASE.replace("one", "eins").replace("zero", "null")
    theirs = BASE.replace("one", "un").replace("zero", "nul")
    found = merge3(BASE, mine, theirs)
    assert isinstance(found, Conflict)
    assert [clash.line for clash in found.clashes] == [4, 8]


@given(base=LINES, mine=LINES, theirs=LINES, endings=st.tuples(st.booleans(), st.booleans(), st.booleans()))
@example(base=["a"], mine=["a", "b"], theirs=["a"], endings=(False, True, False))
@example(base=["a", "a"], mine=["a"], theirs=["a", "a", "a"], endings=(True, True, True))
def test_no_edit_is_lost(base, mine, theirs, endings):
    old, ours, new = (text(lines, ending) for lines, ending in zip((base, mine, theirs), endings, strict=True))
    found = merge3(old, ours, new)
    if isinstance(found, Conflict):
        assert found.clashes
        for clash in found.clashes:
            assert clash.mine != clash.theirs
            assert clash.mine in ours
            assert clash.theirs in new
            assert clash.base in old
        return
    have = Counter(found.split("\n"))
    for side in (ours, new):
        for line, count in added(old, side).items():
            # As often as it was, and once more for each time that a side put it in.
            assert have[line] >= count
    # And nothing that neither side had.
    assert not set(have) - set(ours.split("\n")) - set(new.split("\n")) - {""}


@given(base=LINES, mine=LINES)
def test_one_side_alone_has_its_way(base, mine):
    assert merge3(text(base), text(mine), text(base)) == text(mine)
    assert merge3(text(base), text(base), text(mine)) == text(mine)
    assert merge3(text(base), text(mine), text(mine)) == text(mine)


@given(base=LINES, at=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_edits_of_unique_lines_apart_from_each_other_merge(base, at):
    numbered = [f"{number} {line}" for number, line in enumerate(["first", *base, "last", "very last"])]
    one, two = sorted(place % len(numbered) for place in at)
    if two - one < 2:
        return
    ours, new = list(numbered), list(numbered)
    ours[one] = "mine"
    new.insert(two, "theirs")
    both = list(new)
    both[one] = "mine"
    assert merge3(text(numbered), text(ours), text(new)) == text(both)


@given(base=LINES, mine=LINES, theirs=LINES)
def test_what_is_removed_stays_removed(base, mine, theirs):
    found = merge3(text(base), text(mine), text(theirs))
    if isinstance(found, str):
        gone = set(base) - set(mine) - set(theirs)
        assert not gone & set(found.split("\n")) - {""}


@pytest.mark.parametrize("size", [16_000])
def test_the_worst_text_of_the_largest_size_takes_no_time(size):
    blank = "\n" * size
    began = time.process_time()
    merge3(blank, "mine\n" + blank[1:], blank + "theirs\n")
    merge3("a\nb\n" * (size // 4), "b\na\n" * (size // 4), "a\n" * (size // 2))
    assert time.process_time() - began < 5
