"""The no-progress detectors: each a pure function over the finished iterations, with its evidence.

A detector counts how many iterations in a row, up to the last, show its pattern. The ladder is the same for all, with k =
`exit.no_progress`: below k it notes, from the second on it nudges the maker in its next prompt, at k the run ends. Anything that
looks like progress (a better score, a finding never seen before, one resolved for good) resets them: a loop that fails for ever-new
reasons is working. Repeated tool calls are a matter within one iteration: they nudge, then end the iteration, never the run.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from loopdeck.core.happening import Signal
from loopdeck.core.plural import some
from loopdeck.core.run import Iteration

NUDGE_AT = 3
END_AT = 5
_LONGEST_CYCLE = 3

Rounds = Sequence[Iteration]


def signals(rounds: Rounds, base_digest: str, k: int) -> tuple[Signal, ...]:
    """What the detectors say after the last of `rounds`; `base_digest` is that of the work before the first. Empty if k is 0."""
    if k <= 0 or not rounds or rounds[-1].passed:
        return ()
    said = []
    for name, detector in DETECTORS.items():
        streak, evidence = detector(rounds, base_digest)
        if streak:
            rung = "stop" if streak >= k else "nudge" if streak > 1 else "note"
            said.append(Signal(name, streak, rung, evidence))  # type: ignore[arg-type]  # the rung is one of the three
    return tuple(said)


def stopping(said: Sequence[Signal], k: int) -> Signal | None:
    """The signal that ends the run, the gravest first. `k` is today's: it may have been changed since the signals were given."""
    return max((one for one in said if 0 < k <= one.streak), key=lambda one: one.streak, default=None)


def same_findings(rounds: Rounds, base_digest: str) -> tuple[int, str]:
    """The same findings and the same score, round after round."""
    last = rounds[-1]
    if not last.fingerprints:
        return 0, ""
    streak = _streak(rounds, lambda one: one.fingerprints == last.fingerprints and one.score == last.score)
    if streak <= 1:
        return 0, ""
    return streak, f"the same {some(len(last.fingerprints), 'finding')} and score {_number(last.score)} x{streak}"


def plateau(rounds: Rounds, base_digest: str) -> tuple[int, str]:
    """No better score than before, nothing failing that had not failed before, and no more mended than before."""
    first: dict[str, int] = {}
    found = 0
    best, most_mended = -1.0, 0
    streak = 0
    for one in rounds:
        open_now = Counter(one.fingerprints)
        fresh = [name for name in open_now if name not in first]
        first.update({name: open_now[name] for name in fresh})
        found += sum(open_now[name] for name in fresh)
        # Of all that was ever found, what is open no more: looked at from the open ones, since those are few.
        mended = found - sum(min(first[name], times) for name, times in open_now.items())
        better = (one.score or 0.0) > best or mended > most_mended
        streak = 0 if fresh or better else streak + 1
        best, most_mended = max(best, one.score or 0.0), max(mended, most_mended)
    evidence = f"best score {_number(best)} not beaten, nothing new found and nothing more mended for {some(streak, 'iteration')}"
    return (streak, evidence) if streak else (0, "")


def same_work(rounds: Rounds, base_digest: str) -> tuple[int, str]:
    """Work that had been seen before and was left again: A-B-A."""
    seen = {base_digest}
    previous = base_digest
    streak = 0
    for one in rounds:
        streak = streak + 1 if one.digest in seen and one.digest != previous else 0
        seen.add(one.digest)
        previous = one.digest
    return (streak, f"work {rounds[-1].digest[:12]} has been here before, x{streak}") if streak else (0, "")


def no_change(rounds: Rounds, base_digest: str) -> tuple[int, str]:
    """An iteration that changed nothing."""
    streak = 0
    previous = base_digest
    for one in rounds:
        streak = streak + 1 if one.digest == previous else 0
        previous = one.digest
    return (streak, f"nothing changed in {some(streak, 'iteration')} in a row") if streak else (0, "")


def flaky(rounds: Rounds) -> str:
    """Checks whose verdict differs on unchanged work: the check is at fault, not the maker. Their names, or nothing."""
    if len(rounds) < 2 or rounds[-1].digest != rounds[-2].digest:
        return ""
    now, before = rounds[-1].outcomes, rounds[-2].outcomes
    return ", ".join(sorted(name for name, outcome in now.items() if name in before and before[name] != outcome))


def repeats(signatures: Sequence[str]) -> int:
    """How often the last tool call, or the last few as a cycle, has been made in a row with the same result."""
    most = 0
    for length in range(1, _LONGEST_CYCLE + 1):
        cycle = list(signatures[-length:])
        times = 0
        end = len(signatures)
        while end >= length and list(signatures[end - length : end]) == cycle:
            times += 1
            end -= length
        most = max(most, times)
    return most


def _streak(rounds: Rounds, holds: Callable[[Iteration], bool]) -> int:
    count = 0
    for one in reversed(rounds):
        if not holds(one):
            break
        count += 1
    return count


def _number(score: float | None) -> str:
    return "?" if score is None else f"{score:.2f}"


Detector = Callable[[Rounds, str], tuple[int, str]]
DETECTORS: dict[str, Detector] = {
    "same_findings": same_findings,
    "plateau": plateau,
    "same_work": same_work,
    "no_change": no_change,
}
