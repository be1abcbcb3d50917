"""Two iterations beside each other."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from loopdeck.core.findings import finding
from loopdeck.deck.compare import compare, lines_between, ordered, split
from tests.core.make import Story, check, loop, verdict
from tests.deck.test_passes import told


def story() -> Story:
    return Story(loop(check("tests"), check("lint"), max_iterations=9)).begun()


def test_findings_are_fixed_new_or_still_there():
    one = story().round(verdict("tests", "failed", "a", "b"), verdict("lint"))
    one.round(verdict("tests", "failed", "b"), verdict("lint", "failed", "c"))
    first, second = told(one).passes
    seen = compare(first, second)
    assert [one.message for one in seen.fixed] == ["a"]
    assert [one.message for one in seen.still] == ["b"]
    assert [one.message for one in seen.new] == ["c"]
    assert (seen.before, seen.after) == (1, 2)


def test_verdicts_beside_each_other():
    one = story().round(verdict("tests", "failed", "a"), verdict("lint"))
    one.round(verdict("tests"), verdict("lint"))
    first, second = told(one).passes
    tests, lint = compare(first, second).checks
    assert (tests.check, tests.before, tests.after, tests.score_before, tests.score_after) == ("tests", "failed", "passed", 0.0, 1.0)
    assert (tests.changed, lint.changed) == (True, False)


def test_against_the_beginning():
    (first,) = told(story().round(verdict("tests", "failed", "a"), verdict("lint"))).passes
    seen = compare(None, first)
    assert (seen.before, [one.message for one in seen.new], seen.fixed) == (0, ["a"], ())
    assert all(one.before is None for one in seen.checks)
    assert all(one.before is None and one.change is None for one in seen.figures)


def test_figures():
    one = story().round(verdict("tests", "failed", "a"), structs.replace(verdict("lint"), seconds=2.0))
    one.iteration().reply("bash").ran("m2-1").reply().made(files=2, added=10, removed=3)
    one.judged(verdict("tests"), verdict("lint")).finished()
    seen = {figure.name: figure for figure in compare(*told(one).passes).figures}
    assert (seen["score"].before, seen["score"].after, seen["score"].better) == (0.5, 1.0, "more")
    assert (seen["turns"].change, seen["tool calls"].change, seen["lines added"].after) == (1.0, 1.0, 10)
    assert seen["cost"].change == pytest.approx(150e-12)
    assert seen["checker's time"].after == 0.0


def test_an_unfinished_one_has_no_duration_yet():
    one = story().round(verdict("tests", "failed", "a"), verdict("lint")).iteration()
    seen = {figure.name: figure for figure in compare(*told(one).passes).figures}
    assert (seen["duration"].after, seen["score"].after, seen["duration"].change) == (None, None, None)


def test_the_older_one_comes_first():
    assert ordered(3, 1) == ordered(1, 3) == (1, 3)


def test_texts():
    assert lines_between("a\nb\n", "a\nc\n") == ("@@ -1,2 +1,2 @@", " a", "-b", "+c")
    assert lines_between("a\n", "a\n") == ()


FOUND = st.lists(st.sampled_from([finding("tests", "tests", word) for word in ("one", "two", "three")]), max_size=8)


@given(FOUND, FOUND)
def test_every_finding_is_in_exactly_one_place(before, after):
    fixed, new, still = split(before, after)
    assert Counter(one.fingerprint for one in (*new, *still)) == Counter(one.fingerprint for one in after)
    assert Counter(one.fingerprint for one in (*fixed, *still)) == Counter(one.fingerprint for one in before)
    assert not {one.fingerprint for one in fixed} & {one.fingerprint for one in new}


@given(FOUND, FOUND)
def test_there_and_back_is_the_other_way_round(before, after):
    fixed, new, _ = split(before, after)
    gone, came, _ = split(after, before)
    assert Counter(one.fingerprint for one in fixed) == Counter(one.fingerprint for one in came)
    assert Counter(one.fingerprint for one in new) == Counter(one.fingerprint for one in gone)
