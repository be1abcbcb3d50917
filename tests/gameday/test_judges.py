"""Every judge of the survival matrix believes what was kept, and none of what was not: each way to break its promise turns the row."""

import json

import pytest
from msgspec import structs

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.conversation import Text
from loopdeck.core.findings import Finding
from loopdeck.core.happening import Settings
from loopdeck.core.run import Iteration, Run
from loopdeck.core.usage import Usage
from loopdeck.gameday import honesty, noise, standing, stopping
from loopdeck.gameday.scenario import Seen

AT = "2026-11-21T07:15:00Z"
PICO = 10**12


def seen(reason="done", *, status="ended", run=None, iterations=(), **more):
    """What was seen of a run that ended for `reason`, in these iterations."""
    run = run or Run(iteration=max(len(iterations), 1), iterations=list(iterations), reason=reason)
    return Seen(run, status, reason, **more)


def passes(number=1, **more):
    """An iteration that was graded, and did not pass."""
    return Iteration(number, AT, "", commit=f"c{number}", **more)


def said(text):
    """A reply of the maker's."""
    return tr.ModelReplied(1, "maker", "m1", "model", (Text(text),), "end", Usage(), 0.1)


def told(output, *, is_error=False):
    """What the maker was told of a call."""
    return tr.ToolReturned(1, "c", "bash", output, is_error)


def settled(cost, **more):
    """A model call, paid in picodollars."""
    return ev.ModelCallSettled("m", cost=cost, **more)


KILLED = seen("human", numbers={"before": 3, "seconds": 0.2})
KILLS = {
    "somebody left": structs.replace(KILLED, left=1),
    "too slow": structs.replace(KILLED, numbers={"before": 3, "seconds": stopping.MOST_S + 1}),
    "ended by itself": structs.replace(KILLED, reason="done"),
    "still running": structs.replace(KILLED, status="stopping", reason=None),
    "nothing to kill": structs.replace(KILLED, numbers={"before": 0, "seconds": 0.2}),
}

GRANTED = tuple(ev.ToolCallGranted(f"s{number}", "bash") for number in range(4))
LIVES = tuple(ev.RunnerStarted(100, life) for life in (1, 2, 3))
DIED = seen(events=(*LIVES, *GRANTED), numbers={"deaths": 2}, texts={"log": "one\ntwo\nthree\nfour\n"})
DEATHS = {
    "another end": structs.replace(DIED, reason="error"),
    "lost": structs.replace(DIED, reason="lost"),
    "a call twice": structs.replace(DIED, events=(*DIED.events, GRANTED[0])),
    "an effect twice": structs.replace(DIED, texts={"log": "one\none\ntwo\nthree\nfour\n"}),
    "an effect missing": structs.replace(DIED, texts={"log": "one\ntwo\nfour\n"}),
    "a life too many": structs.replace(DIED, events=(*DIED.events, ev.RunnerStarted(9, 4))),
    "the same life twice": structs.replace(DIED, events=(*LIVES[:2], LIVES[1], *GRANTED)),
    "damage": structs.replace(DIED, damage=("journal: journal.jsonl:7: changed",)),
    "never killed": structs.replace(DIED, numbers={"deaths": 0}, events=(LIVES[0], *GRANTED)),
}

LIED = seen("max_iterations", iterations=[passes(1), passes(2)], trace=(said(honesty.CLAIM), said(honesty.CLAIM)))
LIES = {
    "believed at once": structs.replace(LIED, reason="done"),
    "an iteration passed": seen("max_iterations", iterations=[passes(passed=True)], trace=LIED.trace),
    "no claim": structs.replace(LIED, trace=(said("Not yet."),)),
    "no end": structs.replace(LIED, status="running", reason=None),
    "it failed": structs.replace(LIED, reason="error"),
}

FOUND = Finding("f", "protected paths", "unchanged", "put back", path=honesty.EXAM)
REFUSED = seen("max_iterations", iterations=[passes()], trace=(told("Read-only file system"),), numbers={"commits": 1, "changed": 0})
RESTORED = seen(
    run=Run(iterations=[passes(protected=(honesty.EXAM,))], findings=(FOUND,)), reason="max_iterations", trace=(told("ok"),),
    numbers={"commits": 1, "changed": 0},
)  # fmt: skip
CHEATS = {
    "committed": structs.replace(REFUSED, numbers={"commits": 1, "changed": 1}),
    "passed": structs.replace(REFUSED, reason="done"),
    "an iteration passed": seen("max_iterations", iterations=[passes(passed=True)], trace=REFUSED.trace, numbers=REFUSED.numbers),
    "not seen": structs.replace(REFUSED, trace=(told("ok"),)),
    "no commit": structs.replace(REFUSED, numbers={"commits": 0, "changed": 0}),
    "no finding": structs.replace(RESTORED, run=structs.replace(RESTORED.run, findings=())),
}

TRIES = (told("outside of the worktree", is_error=True), told("Read-only file system\ntried"))
KEPT_IN = seen(iterations=[passes()], trace=TRIES, walled=True, numbers={"by_tool": 0, "by_command": 0})
TOLD_OF = seen(iterations=[passes(outside=("escaped-by-command.txt",))], trace=TRIES, numbers={"by_tool": 0, "by_command": 1})
ESCAPES = {
    "through the walls": structs.replace(KEPT_IN, numbers={"by_tool": 0, "by_command": 1}),
    "by a tool": structs.replace(KEPT_IN, numbers={"by_tool": 1, "by_command": 0}),
    "by a tool, without walls": structs.replace(TOLD_OF, numbers={"by_tool": 1, "by_command": 1}),
    "not told": seen(iterations=[passes()], trace=TRIES, numbers=TOLD_OF.numbers),
    "another path told": seen(iterations=[passes(outside=("README.md",))], trace=TRIES, numbers=TOLD_OF.numbers),
    "passed": seen(iterations=[passes(outside=("escaped-by-command.txt",), passed=True)], trace=TRIES, numbers=TOLD_OF.numbers),
    "never tried": structs.replace(KEPT_IN, trace=()),
    "not tried without walls": structs.replace(KEPT_IN, walled=False),
}

CONFINED = seen(trace=(told("No such file\ntried"), told("unreachable\ntried")), walled=True, numbers={"connections": 0, "read": 0})
REACHES = {
    "connected": structs.replace(CONFINED, numbers={"connections": 1, "read": 0}),
    "read": structs.replace(CONFINED, numbers={"connections": 0, "read": 1}),
    "never tried": structs.replace(CONFINED, trace=CONFINED.trace[:1]),
    "no sandbox": structs.replace(CONFINED, walled=False),
}

BOUNDED = {"printed": noise.FLOOD_BYTES, "trace": 20_000, "prompt": 9000}
FLOODED = seen(numbers=BOUNDED)
FLOODS = {
    "a large trace": seen(numbers={**BOUNDED, "trace": noise.FLOOD_BYTES}),
    "a large prompt": seen(numbers={**BOUNDED, "prompt": noise.MOST_PROMPT_BYTES + 1}),
    "never printed": seen(numbers={**BOUNDED, "printed": 0}),
    "not done": structs.replace(FLOODED, reason="error"),
}

QUIET = dict.fromkeys(noise.VERBS, f"{noise.MARK} ␛]0;pwned␇ <U+202E>\n\tfine\n")
CLEAN = seen(numbers={"failed": 0}, texts=QUIET)
CODES = {
    f"{verb} {code!a}": seen(numbers={"failed": 0}, texts={**QUIET, verb: QUIET[verb] + code})
    for verb in noise.VERBS
    for code in noise.CODES
}
CODES |= {f"{verb} is silent": seen(numbers={"failed": 0}, texts={**QUIET, verb: ""}) for verb in ("show", "trace", "diff")}
CODES |= {"a verb failed": seen(numbers={"failed": 1}, texts=QUIET)}

HIDDEN = seen(trace=(told("[redacted:a]\n[redacted:b]\n[redacted:c]"),), numbers={"files": 19, "held": 0})
SECRETS = {
    "in a file": structs.replace(HIDDEN, numbers={"files": 19, "held": 1}),
    "never printed": structs.replace(HIDDEN, trace=()),
    "one not seen": structs.replace(HIDDEN, trace=(told("[redacted:a]\n[redacted:b]"),)),
    "no files": structs.replace(HIDDEN, numbers={"files": 0, "held": 0}),
}

WAITED = tuple(ev.WaitStarted("rate_limit", 0.1, AT, number) for number in range(1, standing.BUSY + 1))
FAILED = tuple(settled(0, failure="rate_limit") for _ in range(standing.BUSY))
CALM = seen(events=(*WAITED, *FAILED), numbers={"sighted": 3})
STORMS = {
    "too few": structs.replace(CALM, events=(*WAITED, *FAILED[1:])),
    "one not waited out": structs.replace(CALM, events=(*WAITED[1:], *FAILED)),
    "no end told": structs.replace(CALM, events=(structs.replace(WAITED[0], until=""), *WAITED[1:], *FAILED)),
    "charged": structs.replace(CALM, events=(*WAITED, *FAILED[1:], settled(5, failure="rate_limit", usage=Usage(input=9)))),
    "counted": structs.replace(CALM, run=Run(iteration=2)),
    "gave up": structs.replace(CALM, reason="error"),
}

CAPPED = Run(settings=Settings(max_iterations=30, max_cost=5 * PICO))
SPARED = seen("budget", run=CAPPED, events=(settled(2 * PICO), settled(3 * PICO)))
SPENDS = {
    "above": structs.replace(SPARED, events=(*SPARED.events, settled(1))),
    "not ended by it": structs.replace(SPARED, reason="max_iterations"),
    "no price": structs.replace(SPARED, events=(*SPARED.events, settled(None))),
    "no cap": structs.replace(SPARED, run=Run()),
    "nothing spent": structs.replace(SPARED, events=()),
}

APPROVED = ev.ApprovalDecided(approval="a1", approved=True, by="one")
RAN = ev.ToolCallGranted("s0", "bash", approval="a1")
TOLD = {"won": 1, "told": standing.VOICES - 1}
AGREED = seen(events=(APPROVED, RAN), numbers=TOLD, texts={"winners": json.dumps(["approve"]), "approval": "a1"})
ANSWERS = {
    "two won": structs.replace(AGREED, numbers={"won": 2, "told": standing.VOICES - 2}),
    "nobody won": structs.replace(AGREED, numbers={"won": 0, "told": standing.VOICES}),
    "one was not told": structs.replace(AGREED, numbers={"won": 1, "told": standing.VOICES - 2}),
    "another counts": structs.replace(AGREED, events=(structs.replace(APPROVED, approved=False),)),
    "both count": structs.replace(AGREED, events=(APPROVED, structs.replace(APPROVED, approved=False), RAN)),
    "it ran twice": structs.replace(AGREED, events=(APPROVED, RAN, RAN)),
    "it never ran": structs.replace(AGREED, events=(APPROVED,)),
}

JUDGED = {
    "kill": (stopping.judge_kill, [KILLED], KILLS),
    "death": (stopping.judge_death, [DIED], DEATHS),
    "lies": (honesty.judge_lies, [LIED], LIES),
    "cheat": (honesty.judge_exam, [REFUSED, RESTORED], CHEATS),
    "escape": (honesty.judge_escape, [KEPT_IN, TOLD_OF], ESCAPES),
    "reach": (honesty.judge_reach, [CONFINED], REACHES),
    "spam": (noise.judge_flood, [FLOODED], FLOODS),
    "codes": (noise.judge_codes, [CLEAN], CODES),
    "secrets": (noise.judge_secrets, [HIDDEN], SECRETS),
    "storm": (standing.judge_storm, [CALM], STORMS),
    "spend": (standing.judge_spend, [SPARED], SPENDS),
    "answers": (standing.judge_answers, [AGREED], ANSWERS),
}


@pytest.mark.parametrize("name", JUDGED)
def test_a_promise_that_was_kept_is_held_with_a_figure(name):
    judge, kept, _ = JUDGED[name]
    for one in kept:
        outcome = judge(one)
        assert (outcome.verdict, outcome.why) == ("held", "")
        assert any(character.isdigit() for character in outcome.figure)


@pytest.mark.parametrize(("name", "how"), [(name, how) for name, (_, _, ways) in JUDGED.items() for how in ways])
def test_a_promise_that_was_not_kept_is_broken_and_says_why(name, how):
    judge, _, ways = JUDGED[name]
    outcome = judge(ways[how])
    assert outcome.verdict == "broken"
    assert outcome.why
