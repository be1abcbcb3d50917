"""What a run has to stand: a provider that is busy, a maker that spends all it may, eight people who answer at once."""

import json
from itertools import accumulate

from loopdeck.core import events as ev
from loopdeck.core.usage import dollars
from loopdeck.deck.view import RunView
from loopdeck.gameday.scenario import Outcome, Scenario, Seen, ruling
from loopdeck.gameday.script import bash, loop, turn, write
from loopdeck.gameday.stage import Stage

BUSY = 5
"""Rate limits in a row."""
CAP_USD = 0.05
VOICES = 8
_FULL = {"input": 1500, "output": 9_000_000}
_NOTHING = {"input": 0, "output": 0}
_TOLD = ("answered first", "answered it already")


def storm(stage: Stage, name: str) -> Seen:
    """Let it run, and count how often a look at it said that it waits, and until when."""
    paths = stage.start(name)
    waits: set[str] = set()

    def over(one: RunView) -> bool:
        if one.status == "waiting" and one.run.wait is not None:
            waits.add(one.run.wait.until)
        return one.status == "ended" and not one.live

    stage.wait(paths, over)
    return stage.seen(paths, {"sighted": len(waits)})


def judge_storm(seen: Seen) -> Outcome:
    """Each failure was waited out, told with its end, cost nothing and no iteration; and the run came to its end."""
    waits = [one for one in seen.events if isinstance(one, ev.WaitStarted) and one.cause == "rate_limit"]
    failed = [one for one in seen.events if isinstance(one, ev.ModelCallSettled) and one.failure]
    charged = sum(one.usage.tokens for one in failed)
    waited = sum(one.seconds for one in waits)
    return ruling(
        f"{len(failed)} failures, {len(waits)} waits of {waited:.1f} s in all, {int(seen.numbers['sighted'])} seen in passing",
        (len(failed) < BUSY, f"there were {len(failed)} rate limits, not {BUSY}"),
        (len(waits) < len(failed), "some were not waited out"),
        (not all(one.until for one in waits), "a wait does not say until when"),
        (charged > 0, f"failures were charged {charged} tokens"),
        (seen.run.iteration != 1, "failures were counted as iterations"),
        (seen.reason != "done", f"the run is {seen.status}, {seen.reason}: {seen.run.why}"),
    )


def spend(stage: Stage, name: str) -> Seen:
    """Let it spend."""
    paths = stage.start(name)
    stage.ended(paths)
    return stage.seen(paths)


def judge_spend(seen: Seen) -> Outcome:
    """It never stood above its cap, at no settled call, and that ended it."""
    settled = [one.cost for one in seen.events if isinstance(one, ev.ModelCallSettled)]
    unpriced = sum(cost is None for cost in settled)
    cap = seen.run.settings.max_cost
    most = max(accumulate(cost or 0 for cost in settled), default=0)
    figure = f"{len(settled)} calls, ${dollars(most):.4f} of ${dollars(cap or 0):.4f}"
    return ruling(
        figure,
        (cap is None, "the run has no cap"),
        (most == 0, "nothing was spent"),
        (unpriced > 0, f"{unpriced} calls have no price"),
        (most > (cap or 0), "it stood above its cap"),
        (seen.reason != "budget", f"the run is {seen.status}, {seen.reason}: {seen.run.why}"),
    )


def answers(stage: Stage, name: str) -> Seen:
    """Wait for the question, and answer it from as many processes as there are voices, each with its own reason."""
    paths = stage.start(name)
    stage.must(paths, lambda: bool(stage.deck.view(paths).run.pending_approvals), "it never asked")
    [asked] = stage.deck.view(paths).run.pending_approvals
    words = [["approve", asked.id] if voice % 2 else ["deny", asked.id, "--why", f"voice {voice}"] for voice in range(VOICES)]
    voices = [stage.open(*word) for word in words]
    said = [stage.hear(process) for process in voices]
    stage.ended(paths)
    told = sum(one.code != 0 and any(word in one.text for word in _TOLD) for one in said)
    winners = [word[0] for word, one in zip(words, said, strict=True) if one.code == 0]
    return stage.seen(paths, {"won": len(winners), "told": told}, {"winners": json.dumps(winners), "approval": asked.id})


def judge_answers(seen: Seen) -> Outcome:
    """One of them counts, it is the one that was told so, and every other was told that it came second."""
    decided = [one for one in seen.events if isinstance(one, ev.ApprovalDecided) and one.approval == seen.texts["approval"]]
    ran = sum(isinstance(one, ev.ToolCallGranted) and bool(one.approval) for one in seen.events)
    won, told = int(seen.numbers["won"]), int(seen.numbers["told"])
    winners = json.loads(seen.texts["winners"])
    counted = ["approve" if one.approved else "deny" for one in decided]
    return ruling(
        f"{VOICES} answers, {won} won, {told} told they came second",
        (won != 1, f"{won} were told that their answer counts"),
        (told != VOICES - 1, f"only {told} were told that they came second"),
        (counted != winners, f"the run took {counted}, and {winners} were told so"),
        (ran != counted.count("approve"), f"the call ran {ran} times"),
    )


SCENARIOS = (
    Scenario(
        "storm",
        "A busy provider is waited out in plain sight, and counts as no failure",
        f"{BUSY} rate limits in a row",
        loop("storm", [*[turn("", error="rate_limit", usage=_NOTHING)] * BUSY, turn("At last.", write("a.txt", "a")), turn("Done.")]),
        storm, judge_storm,
    ),
    Scenario(
        "spend",
        "A run never spends more than its cap",
        "a maker that takes all the output it may have, every time",
        loop("spend", [turn("More.", iteration=number, usage=_FULL) for number in range(1, 31)],
             checks=[{"name": "never", "run": "false"}], end={"max_iterations": 30, "max_cost_usd": CAP_USD},
             maker={"max_output_tokens": 400}),
        spend, judge_spend,
    ),
    Scenario(
        "answers",
        "Of several answers to one question exactly one counts, and the others are told",
        f"{VOICES} processes that approve and deny one call at once",
        loop("answers", [turn("May I?", bash("echo ran >> ran.txt")), turn("Done.")], gates={"ask": ["bash"]}),
        answers, judge_answers,
    ),
)  # fmt: skip
