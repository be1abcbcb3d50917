"""The no-progress detectors: what each sees, on what evidence, and what it must not take for standing still."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopdeck.core import progress
from loopdeck.core.harness import BASE_DIGEST
from loopdeck.core.run import Iteration
from tests.core.make import rounds

Round = tuple[str, float, tuple[str, ...]]


def seen(each: list[Iteration], k: int = 9) -> dict[str, tuple[int, str]]:
    return {one.detector: (one.streak, one.rung) for one in progress.signals(each, BASE_DIGEST, k)}


def streaks(detector: str, *each: Round) -> list[int]:
    """What the detector counts after each of the rounds."""
    told = rounds(*each)
    return [progress.DETECTORS[detector](told[: number + 1], BASE_DIGEST)[0] for number in range(len(told))]


# Series of rounds in which one detector speaks, and what it has counted after each of them.
SERIES: dict[str, tuple[list[Round], list[int]]] = {
    "same_findings": ([(f"w{n}", 0.5, ("a", "b")) for n in range(7)], [0, 2, 3, 4, 5, 6, 7]),
    "plateau": ([(f"w{n}", 0.5, ("a",) if n % 2 else ("b",)) for n in range(7)], [0, 0, 1, 2, 3, 4, 5]),
    "same_work": ([("A" if n % 2 else "B", 0.5, (f"new {n}",)) for n in range(7)], [0, 0, 1, 2, 3, 4, 5]),
    "no_change": ([(BASE_DIGEST, 0.5, (f"new {n}",)) for n in range(7)], [1, 2, 3, 4, 5, 6, 7]),
}


def test_there_is_a_series_for_every_detector():
    assert set(SERIES) == set(progress.DETECTORS)


@pytest.mark.parametrize("detector", SERIES)
def test_each_detector_counts_its_pattern(detector):
    each, counted = SERIES[detector]
    assert streaks(detector, *each) == counted


@pytest.mark.req("S2-090")
@pytest.mark.parametrize("k", range(1, 6))
@pytest.mark.parametrize("detector", SERIES)
def test_the_ladder_notes_then_nudges_then_stops_at_k(detector, k):
    each, counted = SERIES[detector]
    told = rounds(*each)
    for number, streak in enumerate(counted):
        rung = seen(told[: number + 1], k).get(detector, (0, ""))
        assert rung == ((streak, "stop" if streak >= k else "nudge" if streak > 1 else "note") if streak else (0, ""))
    first = next(number for number, streak in enumerate(counted) if streak >= k)
    ends = [progress.stopping(progress.signals(told[: number + 1], BASE_DIGEST, k), k) for number in range(len(told))]
    assert ends[first] is not None
    if detector in ("same_work", "no_change"):  # of which no other detector speaks
        assert [one is not None for one in ends] == [number >= first for number in range(len(told))]
        assert all(one.detector == detector for one in ends if one is not None)


@pytest.mark.parametrize("detector", SERIES)
def test_switched_off_they_say_nothing_and_stop_nothing(detector):
    each, _ = SERIES[detector]
    assert progress.signals(rounds(*each), BASE_DIGEST, 0) == ()
    assert progress.stopping(progress.signals(rounds(*each), BASE_DIGEST, 1), 0) is None


def test_evidence_says_what_was_seen():
    said = {
        name: next(one.evidence for one in progress.signals(rounds(*each), BASE_DIGEST, 9) if one.detector == name)
        for name, (each, _) in SERIES.items()
    }
    assert said == {
        "same_findings": "the same 2 findings and score 0.50 x7",
        "plateau": "best score 0.50 not beaten, nothing new found and nothing more mended for 5 iterations",
        "same_work": "work B has been here before, x5",
        "no_change": "nothing changed in 7 iterations in a row",
    }


def test_the_gravest_word_ends_the_run():
    told = rounds(*[("w", 0.5, ("a",))] * 4)
    assert seen(told, 3) == {"same_findings": (4, "stop"), "plateau": (3, "stop"), "no_change": (3, "stop")}
    said = progress.stopping(progress.signals(told, BASE_DIGEST, 3), 3)
    assert said is not None
    assert said.detector == "same_findings"


def test_after_a_pass_and_before_the_first_round_nothing_is_said():
    assert progress.signals([], BASE_DIGEST, 1) == ()
    assert progress.signals(rounds(*[(BASE_DIGEST, 1.0, ())] * 5, passed=True), BASE_DIGEST, 1) == ()


def test_failing_without_a_finding_is_a_plateau_and_no_repeated_finding():
    told = rounds(*[(f"w{n}", 0.5, ()) for n in range(4)])
    assert seen(told) == {"plateau": (3, "nudge")}


# What is progress


@pytest.mark.req("S2-092")
def test_one_check_that_fails_for_ever_new_reasons_is_progress():
    assert seen(rounds(*[(f"w{n}", 0.0, (f"reason {n}",)) for n in range(12)]), 1) == {}


def test_findings_that_are_mended_one_after_the_other_are_progress():
    names = "abcdefgh"
    told = rounds(*[(f"w{n}", 0.0, tuple(names[n:])) for n in range(len(names))])
    assert seen(told, 1) == {}


def test_fewer_findings_of_one_kind_are_progress():
    told = rounds(*[(f"w{n}", 0.0, ("too long",) * (9 - n)) for n in range(8)])
    assert seen(told, 1) == {}


def test_a_better_score_with_the_same_findings_is_progress():
    assert seen(rounds(*[(f"w{n}", n / 10, ("a",)) for n in range(8)]), 1) == {}


@pytest.mark.parametrize("better", [("w9", 0.6, ("a",)), ("w9", 0.5, ("new",)), ("w9", 0.5, ())])
def test_progress_starts_the_count_anew(better):
    stale: list[Round] = [("w1", 0.5, ("a",)), ("w2", 0.5, ("a",)), ("w3", 0.5, ("a",))]
    assert seen(rounds(*stale), 9) != {}
    assert seen(rounds(*stale, better), 9) == {}


@pytest.mark.req("S2-092")
def test_a_busy_run_of_flat_quality_is_seen_whatever_it_changes():
    told = rounds(*[(f"w{n}", (0.5, 0.4, 0.5, 0.3)[n % 4], (("a", "b"), ("a", "b", "c"))[n % 2]) for n in range(8)])
    assert seen(told, 3)["plateau"][1] == "stop"


def test_mending_and_breaking_the_same_things_in_turn_is_no_progress():
    sets = [("a", "b"), ("b", "c"), ("c", "a")]
    told = streaks("plateau", *[(f"w{n}", 0.0, sets[n % 3]) for n in range(9)])
    assert told[-1] >= 5


def test_making_it_worse_and_mending_that_is_no_lasting_progress():
    told = streaks("plateau", *[(f"w{n}", 0.0, ("a",) * (3 if n % 2 else 1)) for n in range(9)])
    assert told == list(range(9))


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.3, 0.7]), st.lists(st.sampled_from("abcd"), max_size=4)), min_size=60, max_size=60))
@settings(max_examples=60)
def test_no_run_of_a_few_findings_goes_on_for_ever(each):
    told = rounds(*[(f"w{n}", score, found) for n, (score, found) in enumerate(each)])
    most = 0
    for number in range(1, len(told) + 1):
        most = max(most, progress.plateau(told[:number], BASE_DIGEST)[0])
    # Of four findings, at most four of each, and three scores, only so many steps can be progress.
    assert most >= 2


# Work that goes round in circles


@pytest.mark.parametrize(
    ("digests", "counted"),
    [
        ("ABAB", [0, 0, 1, 2]),
        ("ABCA", [0, 0, 0, 1]),
        ("ABCABC", [0, 0, 0, 1, 2, 3]),
        ("AABB", [0, 0, 0, 0]),
        ("ABAC", [0, 0, 1, 0]),
        ("ABBA", [0, 0, 0, 1]),
    ],
)
def test_cycles_of_work_are_seen(digests, counted):
    assert streaks("same_work", *[(digest, 0.0, (str(n),)) for n, digest in enumerate(digests)]) == counted


def test_going_back_to_the_base_is_a_cycle_and_staying_there_is_none():
    assert streaks("same_work", ("A", 0.0, ()), (BASE_DIGEST, 0.0, ())) == [0, 1]
    assert streaks("same_work", (BASE_DIGEST, 0.0, ()), (BASE_DIGEST, 0.0, ())) == [0, 0]


def test_only_iterations_in_a_row_that_change_nothing_count():
    assert streaks("no_change", *[(digest, 0.0, ()) for digest in ("A", "A", "B", "B", "B", "C")]) == [0, 1, 0, 1, 2, 0]


# Flaky checks


def outcomes(*each: tuple[str, dict[str, str]]) -> list[Iteration]:
    return [Iteration(n, "", "", digest=digest, outcomes=dict(said)) for n, (digest, said) in enumerate(each, 1)]  # type: ignore[arg-type]  # of several types


def test_a_check_that_contradicts_itself_on_unchanged_work_is_flaky():
    told = outcomes(("w", {"a": "passed", "b": "failed", "c": "passed"}), ("w", {"a": "failed", "b": "passed", "c": "passed"}))
    assert progress.flaky(told) == "a, b"


@pytest.mark.parametrize(
    "told",
    [
        outcomes(("w", {"a": "passed"})),
        outcomes(("w", {"a": "passed"}), ("v", {"a": "failed"})),
        outcomes(("w", {"a": "passed"}), ("w", {"b": "failed"})),
        outcomes(("w", {"a": "failed"}), ("w", {"a": "failed"})),
        [],
    ],
)
def test_a_check_is_not_flaky_where_the_work_or_nothing_changed(told):
    assert progress.flaky(told) == ""


# Tool calls that repeat


@pytest.mark.parametrize(
    ("signatures", "times"),
    [
        ("", 0), ("a", 1), ("ab", 1), ("aa", 2), ("aaaa", 4), ("baaa", 3), ("aaab", 1),
        ("abab", 2), ("ababab", 3), ("xababab", 3), ("ababa", 2), ("abcabc", 2), ("abcabcabc", 3), ("abcdabcd", 1), ("aabaab", 2),
    ],
)  # fmt: skip
def test_repeats_sees_one_call_or_a_short_cycle(signatures, times):
    assert progress.repeats(list(signatures)) == times


def slow_repeats(signatures: str) -> int:
    best = 0
    for length in (1, 2, 3):
        for times in range(1, len(signatures) + 1):
            cycle = signatures[len(signatures) - length :]
            if len(cycle) == length and (length == 1 or len(set(cycle)) > 1) and signatures.endswith(cycle * times):
                best = max(best, times)
    return best


@given(st.text("ab", max_size=14) | st.text("abc", max_size=14))
@settings(max_examples=500)
def test_repeats_is_the_longest_run_of_a_cycle_at_the_end(signatures):
    assert progress.repeats(list(signatures)) == slow_repeats(signatures)


@given(st.text("abc", max_size=12), st.integers(1, 8))
def test_doing_the_same_again_counts_one_more(before, times):
    counts = [progress.repeats([*before, *["z"] * number]) for number in range(1, times + 1)]
    assert counts == list(range(1, times + 1))
    assert all(later > earlier for earlier, later in pairwise(counts))


def test_polling_with_changing_results_is_no_repetition():
    assert progress.repeats([f"status {n}" for n in range(50)]) == 1
