"""The short answer to "why?": what a run is doing, waits for or came to, in sentences, each with its evidence. Pure.

One function per status, and one per reason of an end. All of it was said by the journal, or seen of the runner; nothing is guessed.
"""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from loopdeck.core.budget import taken_cost, taken_tokens
from loopdeck.core.happening import Signal
from loopdeck.core.plural import some
from loopdeck.core.run import Run
from loopdeck.deck.board import age, count, money
from loopdeck.deck.passes import between
from loopdeck.deck.view import HUNG_AFTER_S, RunView

Tone = Literal["plain", "dim", "good", "warn", "bad", "ask", "strong"]


class Fact(Struct, frozen=True):
    """One fact: what it is about, what it says, and how it is meant. Texts are raw.

    `path` and `line` say where in the worktree it can be seen; empty and 0 if nowhere.
    """

    label: str
    text: str
    tone: Tone = "plain"
    path: str = ""
    line: int = 0


Lines = list[Fact]


def answer(one: RunView, now: str) -> Lines:
    """Why the run is as it is; `now` is UTC, RFC 3339. The first line is the sentence, the rest what it rests on."""
    if one.status == "ended":
        return _REASONS[one.reason or "lost"](one, now)
    lines = _STATUSES[one.status](one, now)
    run = one.run
    if run.pause_wanted and one.status not in ("paused", "stopping"):
        lines.append(Fact("pausing", f"{run.pause_wanted} wants it to stand still: it will, at the next step", "warn"))
    if run.hold and one.status != "paused":
        lines.append(Fact("held", f"{run.hold} wants it to stand still before the next iteration", "warn"))
    return lines


def ago(since: str, now: str) -> str:
    """How long ago that was, in words; nothing if it never was."""
    seconds = between(since, now)
    return "" if seconds is None else f"{age(seconds)} ago"


# Alive


def _idle(one: RunView, now: str) -> Lines:
    return [Fact("idle", "it has no run")]


def _queued(one: RunView, now: str) -> Lines:
    since = ago(one.run.queued_at, now)
    if one.live:
        return [Fact("queued", f"waits for a place among the deck's runs (max_runs){', queued ' + since if since else ''}")]
    return [Fact("queued", f"its runner is being started, {one.seen.age_s:.0f} s ago")]


def _running(one: RunView, now: str) -> Lines:
    run = one.run
    match run.phase:
        case "maker":
            return [Fact("running", f"the maker is at work: iteration {run.iteration}, turn {run.turns + 1}"), *_under_way(run)]
        case "checks":
            done = len([1 for said in run.verdicts if not said.of_harness])
            what = f"the checks judge iteration {run.iteration}" + (
                f": {done} done" if run.committed else ", its work is being committed"
            )
            return [Fact("running", what), *_under_way(run)]
        case "setup":
            return [Fact("running", "its worktree is being made")]
        case _:
            return [Fact("running", f"iteration {run.iteration} is over; the next step is being decided")]


def _under_way(run: Run) -> Lines:
    lines = []
    for one in run.reserved.values():
        most = f"at most {money(one.cost, places=4)} and {count(one.output_cap)} tokens out"
        lines.append(Fact("model call", f"of the {one.role}, to {one.model}; {most}"))
    return lines + [Fact("tool call", f"{one.tool} ({one.id}) runs") for one in run.calls if one.status == "granted"]


def _asking(one: RunView, now: str) -> Lines:
    run = one.run
    if run.asking == "approval":
        asked = run.approvals[run.asking_for]
        lines = [
            Fact("asking", f"waits for you to approve {asked.tool}: {asked.summary}", "ask"),
            Fact("since", f"{asked.since}, {ago(asked.since, now)}"),
            Fact("rule", asked.rule or "no rule names it, and what no rule names asks"),
            Fact("tier", asked.tier, "bad" if asked.tier == "dangerous" else "plain"),
        ]
        lines += [Fact("because", asked.reason)] if asked.reason else []
        return [*lines, Fact("expires", asked.expires or "never")]
    if run.asking == "verdict":
        return [Fact("asking", f"waits for your verdict on '{run.asking_for}'", "ask"), _since(run, now)]
    said = "the maker and a person changed the state in the same place; both versions are kept, and you say which holds"
    return [Fact("asking", said, "ask"), Fact("the maker's", run.asking_for), _since(run, now)]


def _since(run: Run, now: str) -> Fact:
    return Fact("since", f"{run.last_at}, {ago(run.last_at, now)}")


def _waiting(one: RunView, now: str) -> Lines:
    run, wait = one.run, one.run.wait
    if not one.seen.held:
        gone = f"process {run.pid}, life {run.life}, silent for {age(one.seen.beat_age_s)}"
        return [Fact("waiting", "its runner is gone; the supervisor starts another at its last step", "warn"), Fact("runner", gone)]
    if wait is None:
        return [Fact("waiting", "a back-off is just over")]
    left = between(now, wait.until) or 0.0
    lines = [
        Fact("waiting", f"backs off for {wait.seconds:.1f} s after a failed model call: {wait.cause}", "warn"),
        Fact("until", f"{wait.until}, {left:.0f} s from now"),
        Fact("attempt", f"failure {wait.attempt} in a row"),
    ]
    return lines + ([Fact("it said", run.failure)] if run.failure else [])


def _paused(one: RunView, now: str) -> Lines:
    run = one.run
    if run.stalled:
        return [Fact("stalled", run.stalled, "bad"), Fact("mended?", "`r` lets it go on where it stood", "warn"), _since(run, now)]
    who = run.pause_wanted or run.hold
    how = "paused" if run.pause_wanted else "held before its next iteration"
    return [Fact("paused", f"{how} by {who}; `r` lets it go on", "warn"), _since(run, now)]


def _hung(one: RunView, now: str) -> Lines:
    silent = f"its runner (process {one.run.pid}) holds the run, but has not said for {age(one.seen.beat_age_s)} that it lives"
    lines = [
        Fact("hung", silent, "bad"),
        Fact("rule", f"a runner says so every 2 s; after {HUNG_AFTER_S:.0f} s of silence it is called hung"),
    ]
    return lines + _under_way(one.run)


def _stopping(one: RunView, now: str) -> Lines:
    by, why, at_once = one.run.stop or ("somebody", "", False)
    said = f"{by} ended it" + (f": {why}" if why else "") + (", at once" if at_once else "")
    return [Fact("stopping", said, "warn"), _since(one.run, now), *_under_way(one.run)]


_STATUSES: dict[str, Callable[[RunView, str], Lines]] = {
    "idle": _idle, "queued": _queued, "running": _running, "asking": _asking, "waiting": _waiting, "paused": _paused, "hung": _hung,
    "stopping": _stopping,
}  # fmt: skip


# Over


def _done(one: RunView, now: str) -> Lines:
    run = one.run
    lines = [Fact("done", f"{run.why or 'every required check passed'}, in iteration {run.best}", "good")]
    for said in run.verdicts:
        proof = said.evidence
        ran = f"`{proof.command}` gave {proof.exit_code}" if proof.command and proof.exit_code is not None else ""
        tone: Tone = "good" if said.passed else "warn"
        lines.append(Fact(said.check, f"{said.outcome}: {ran or proof.model or said.kind}, {proof.at}", tone))
    return [*lines, *_kept(run)]


def _max_iterations(one: RunView, now: str) -> Lines:
    run = one.run
    return [Fact("max_iterations", f"all {run.settings.max_iterations} iterations are done: {run.iteration}", "warn"), *_kept(run)]


def _budget(one: RunView, now: str) -> Lines:
    run = one.run
    taken, most = _of_limit(run)
    lines = [Fact("budget", f"{run.limit}: {taken} of {most}", "warn")]
    return [*lines, *([Fact("because", run.why)] if run.why else []), *_kept(run)]


def _of_limit(run: Run) -> tuple[str, str]:
    limits = run.settings
    match run.limit:
        case "cost_usd":
            return money(taken_cost(run), places=4), money(limits.max_cost, places=4)
        case "tokens":
            return f"{taken_tokens(run):,}", f"{limits.max_tokens or 0:,} tokens"
        case "wall_s":
            return f"{run.clock:.1f}", f"{limits.max_wall_s or 0:g} s"
        case _:
            return f"{run.tool_calls}", f"{some(limits.max_tool_calls or 0, 'tool call')} of an iteration, twice in a row"


def _no_progress(one: RunView, now: str) -> Lines:
    run = one.run
    signals = run.current.signals if run.current else ()
    fired = next((said for said in signals if said.detector == run.detector), None)
    times = f": {some(fired.streak, 'iteration')} in a row, {run.settings.no_progress} end a run" if fired else ""
    lines = [Fact("no_progress", f"{run.detector}{times}", "warn"), Fact("evidence", fired.evidence if fired else run.why)]
    return [*lines, *(signal_line(said, run) for said in signals if said is not fired), *_kept(run)]


def signal_line(said: Signal, run: Run) -> Fact:
    """A detector's word, with how far it is from ending the run."""
    tone: Tone = {"stop": "bad", "nudge": "warn"}.get(said.rung, "plain")  # type: ignore[assignment]  # each is a tone
    return Fact(said.detector, f"{said.streak} of {run.settings.no_progress} ({said.rung}): {said.evidence}", tone)


def _human(one: RunView, now: str) -> Lines:
    run = one.run
    said = f"stopped by {run.ended_by or 'somebody'}" + (f": {run.why}" if run.why else ", who gave no reason")
    return [Fact("human", said, "warn"), *_kept(run)]


def _error(one: RunView, now: str) -> Lines:
    run = one.run
    lines = [Fact("error", run.why or "it could not go on", "bad")]
    if run.failure and run.failure not in run.why:
        lines.append(Fact("last failure", run.failure))
    broken = [said for said in run.verdicts if said.outcome == "error"]
    lines += [Fact(said.check, f"could not be carried out: {said.evidence.tail.strip()[-300:]}", "bad") for said in broken]
    return [*lines, *_kept(run)]


def _lost(one: RunView, now: str) -> Lines:
    run = one.run
    lines = [Fact("lost", "its runner is gone and it has not ended; `r` goes on at its last step", "bad")]
    if one.said:
        lines.append(Fact("last words", one.said, "bad"))
    was = f"life {run.life}, process {run.pid}, silent for {age(one.seen.beat_age_s)}" if one.seen.begun else "no runner ever had it"
    lines.append(Fact("runner", was))
    if run.reserved:
        lines.append(Fact("charged", "the model call under way is charged in full when it goes on"))
    unknown = [call.tool for call in run.calls if call.status == "granted"]
    return lines + [Fact("outcome unknown", f"{tool}: it may have run; it is not run again unasked", "warn") for tool in unknown]


def _kept(run: Run) -> Lines:
    if not run.best:
        return [Fact("kept", "nothing: no iteration was graded", "dim")]
    commit = next((one.commit for one in run.iterations if one.number == run.best), "")
    return [Fact("kept", f"iteration {run.best}, commit {commit[:12]}, on {run.branch}")]


_REASONS: dict[str, Callable[[RunView, str], Lines]] = {
    "done": _done, "max_iterations": _max_iterations, "budget": _budget, "no_progress": _no_progress, "human": _human, "error": _error,
    "lost": _lost,
}  # fmt: skip
