"""Findings: an identity that survives moved lines and other places, and is no other's; and how often each was seen."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopdeck.core.findings import SEVERITIES, Finding, at_least, counted, finding, fingerprint


def same(one: str, other: str, path: str = "calc.py") -> bool:
    return fingerprint("tests", "tests", path, one) == fingerprint("tests", "tests", path, other)


@pytest.mark.req("S2-094")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("calc.py:12: unused name", "calc.py:907: unused name"),
        ("expected 5, got 4", "expected 5, got 8"),
        ("took 0.03s", "took 12.70s"),
        ("<Parser at 0x7fe0aa12>", "<Parser at 0x55D1ffce>"),
        ("commit 4f1c2aab9 is bad", "commit 00ffee1 is bad"),
        ("digest " + "ab" * 32, "digest " + "0c" * 32),
        ("job 550e8400-e29b-41d4-a716-446655440000 failed", "job 00112233-abcd-4eef-8123-aabbccddeeff failed"),
        ("/tmp/checkout-a1/src/calc.py: no", "/home/anna/deck/worktrees/fix-2/src/calc.py: no"),
        ("in /tmp/pytest-of-anna/pytest-12/x.txt", "in /var/tmp/pytest-of-ben/pytest-9/x.txt"),
        ("No such name", "no such NAME  "),
        ("at 2026-11-21T07:15:00Z", "at 2027-01-02T23:59:59Z"),
    ],
)
def test_moved_lines_other_numbers_and_other_places_are_the_same_finding(one, other):
    assert same(one, other)


@pytest.mark.req("S2-094")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("unused name x", "unused name y"),
        ("tests/unit/test_a.py::test_span failed", "tests/integration/test_a.py::test_span failed"),
        ("src/a/x.py is missing", "src/b/x.py is missing"),
        ("https://a.example/one/x is gone", "https://b.example/two/x is gone"),
        ("http://a.example/one/x is gone", "http://a.example/two/x is gone"),
        ("./docs/a/b.md is gone", "./docs/c/b.md is gone"),
        ("../x/b.md is gone", "../y/b.md is gone"),
        ("deadline missed", "headline missed"),
    ],
)
def test_what_differs_in_words_or_in_relative_places_is_another_finding(one, other):
    assert not same(one, other)


def test_check_criterion_path_and_message_each_make_a_difference():
    prints = {
        fingerprint(*four)
        for four in (
            ("a", "c", "p", "m"), ("b", "c", "p", "m"), ("a", "d", "p", "m"), ("a", "c", "q", "m"), ("a", "c", "p", "n"),
            ("ac", "", "p", "m"), ("a", "cp", "", "m"),
        )
    }  # fmt: skip
    assert len(prints) == 7


def test_severity_and_line_make_no_difference():
    one = finding("tests", "tests", "wrong", severity="minor", path="a.py", line=3)
    other = finding("tests", "tests", "wrong", severity="blocker", path="a.py", line=90)
    assert one.fingerprint == other.fingerprint
    assert (one.location, other.location) == ("a.py:3", "a.py:90")
    assert [finding("t", "t", "m", path=path, line=line).location for path, line in (("", 0), ("a.py", 0), ("", 7))] == ["", "a.py", ""]


@given(st.text(), st.text(), st.text(), st.text())
def test_a_fingerprint_is_twelve_hex_digits_whatever_the_text(check, criterion, path, message):
    print_ = fingerprint(check, criterion, path, message)
    assert len(print_) == 12
    assert set(print_) <= set(string.hexdigits.lower())
    assert print_ == fingerprint(check, criterion, path, message)


def test_lone_surrogates_of_a_broken_encoding_do_no_harm():
    assert len(fingerprint("tests", "", "a\udce4.py", "\udcff")) == 12


words = st.text("ghijklmnopqrstuvwxyz ", min_size=1, max_size=20)


@given(st.lists(words, min_size=1, max_size=4), st.data())
def test_whatever_numbers_stand_between_the_words(each, data):
    numbers = st.integers(0, 10**9)
    one, other = (" ".join(f"{word} {data.draw(numbers)}" for word in each) for _ in range(2))
    assert same(one, other)


def test_a_long_message_takes_no_long_time():
    assert len(fingerprint("t", "t", "", "/a" * 50_000 + "f" * 50_000)) == 12


# Counting


@pytest.mark.req("S2-094")
def test_a_finding_is_new_then_repeated():
    one, other = finding("tests", "tests", "a"), finding("tests", "tests", "b")
    first = counted((one,), (), regressed=False)
    assert [found.status for found in first] == ["new"]
    second = counted((one, other), first, regressed=False)
    assert [found.status for found in second] == ["repeated x2", "new"]
    third = counted((one, other), second, regressed=False)
    assert [found.status for found in third] == ["repeated x3", "repeated x2"]
    assert [found.status for found in counted((one,), (), regressed=False)] == ["new"], "gone for an iteration is gone"


@pytest.mark.req("S2-093")
def test_a_regression_is_new_and_of_a_check_that_had_passed():
    one, other = finding("tests", "tests", "a"), finding("tests", "tests", "b")
    before = counted((one,), (), regressed=False)
    assert [found.regression for found in before] == [False]
    assert [found.regression for found in counted((one, other), before, regressed=True)] == [False, True]
    assert [found.regression for found in counted((other,), (), regressed=True)] == [True]


def test_counting_keeps_everything_else():
    one = Finding("f" * 12, "tests", "c", "m", "minor", "a.py", 3, "code", "proof")
    (again,) = counted((one,), (one,), regressed=False)
    assert (again.snippet, again.evidence, again.severity, again.location, again.seen) == ("code", "proof", "minor", "a.py:3", 2)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_severities_are_in_order(severity):
    assert at_least(severity, severity)
    assert at_least("blocker", severity)
    assert at_least(severity, "minor")
    assert not at_least("minor", "major")
    assert not at_least("major", "blocker")
