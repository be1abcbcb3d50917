"""Why: the evidence for any status, stop or figure of spend, as lines for a screen or a terminal. Pure.

First the answer; then how near each limit is, whether it gets better, what the checks said, who did what, what it cost and how its
runner is. Every line is a fact of the journal or of the lease; where something is not known it says so.
"""

from typing import Literal

from msgspec import Struct

from loopdeck.core.barriers import held
from loopdeck.core.budget import taken_cost, taken_tokens
from loopdeck.core.findings import Verdict
from loopdeck.core.plural import some
from loopdeck.core.run import Iteration, Run
from loopdeck.core.shares import checker_share, hit_share, last_progress, since_progress
from loopdeck.deck.answer import Fact, Lines, Tone, ago, answer, signal_line
from loopdeck.deck.board import age, count, money
from loopdeck.deck.passes import History, Pass, Wait
from loopdeck.deck.view import RunView

NEAR = 0.8
"""From this share of a limit on it is said in a warning tone."""
_MOST_DEEDS = 30


class Section(Struct, frozen=True):
    """Facts that belong together, under a title; `tone` is the title's."""

    title: str
    lines: tuple[Fact, ...]
    tone: Literal["head", "good", "warn", "bad", "ask"] = "head"


class Limit(Struct, frozen=True):
    """One limit: what is taken of it, what of that is only set aside, and the most; None where there is no such limit.

    `more` says how many iterations like those so far fit in, None if that can't be told.
    """

    name: str
    taken: float
    reserved: float
    most: float | None
    shown: str
    more: float | None = None

    @property
    def share(self) -> float | None:
        """Taken and set aside, in 0..; None without a limit."""
        return self.taken / self.most if self.most else None


def why(one: RunView, history: History | None, now: str) -> tuple[Section, ...]:
    """All there is to say of `one`; without its history, all that the fold knows. `now` is UTC, RFC 3339."""
    run = one.run
    sections = [
        Section("Why", (*answer(one, now), *_no_room(run, history))),
        Section("Limits", (*(_limit_line(limit, run) for limit in limits(run)), *_next_call(run, history))),
        Section("Progress", tuple(_progress(run))),
        Section("Verdicts", tuple(_verdicts(run, history))),
        Section("People", tuple(_people(run, history, now))),
        Section("Money", tuple(_money(run))),
        Section("Runner", tuple(_runner(one, history, now))),
    ]
    return tuple(section for section in sections if section.lines)


# How near each limit is


def limits(run: Run) -> tuple[Limit, ...]:
    """All limits of the run, with what is taken of each now; model calls under way count with the most they may take."""
    settings, rounds = run.settings, run.iterations
    cost, tokens = taken_cost(run), taken_tokens(run)
    most_cost, most_tokens = settings.max_cost, settings.max_tokens
    costs = [one.spend.cost for one in rounds]
    each = [one.spend.usage.tokens for one in rounds]
    aside, kept = cost - run.spend.cost, tokens - run.spend.usage.tokens
    most_calls = settings.max_tool_calls
    calls = f"{run.tool_calls} of {most_calls} in this iteration" if most_calls else f"{run.tool_calls} in this iteration, no limit"
    return (
        Limit("iterations", run.iteration, 0, settings.max_iterations, f"{run.iteration} of {settings.max_iterations}"),
        Limit("cost", cost, aside, most_cost, _dear(run, aside), _more(run, cost, most_cost, costs)),
        Limit("tokens", tokens, kept, most_tokens, _counted(tokens, kept, most_tokens), _more(run, tokens, most_tokens, each)),
        Limit("wall time", run.clock, 0, settings.max_wall_s, _timed(run.clock, settings.max_wall_s)),
        Limit("tool calls", run.tool_calls, 0, most_calls, calls),
        Limit("no progress", _streak(run), 0, settings.no_progress or None, _streaked(run)),
    )


def _more(run: Run, taken: float, most: float | None, each: list[int]) -> float | None:
    over = [amount for one, amount in zip(run.iterations, each, strict=True) if one.score is not None and amount]
    if most is None or not over or run.status == "ended":
        return None
    return max(0.0, most - taken) / (sum(over) / len(over))


def _dear(run: Run, aside: int) -> str:
    spent = f"{money(run.spend.cost, places=4)}" + (" and what has no price" if run.spend.unpriced else "")
    under_way = f" + {money(aside, places=4)} set aside" if aside else ""
    most = run.settings.max_cost
    cap = f" of {money(most)} ({run.spend.certainty})" if most is not None else f", no limit ({run.spend.certainty})"
    return f"{spent}{under_way}{cap}" + ("" if most is None else f", {money(max(0, most - taken_cost(run)), places=4)} left")


def _counted(tokens: int, kept: int, most: int | None) -> str:
    aside = f" + {count(kept)} set aside" if kept else ""
    return f"{count(tokens - kept)}{aside}" + (f" of {count(most)}, {count(max(0, most - tokens))} left" if most else ", no limit")


def _timed(clock: float, most: float | None) -> str:
    return f"{clock:.1f} s active" + (f" of {most:g} s, {max(0.0, most - clock):.1f} s left" if most else ", no limit")


def _streak(run: Run) -> int:
    return max((said.streak for one in run.iterations[-1:] for said in one.signals), default=0)


def _streaked(run: Run) -> str:
    most = run.settings.no_progress
    return f"{_streak(run)} of {some(most, 'iteration')} in a row" if most else "the detectors are off"


def _no_room(run: Run, history: History | None) -> Lines:
    """Of a run that its budget ended: what the call that did not fit would have taken, and what was left."""
    last = next((one for one in reversed(history.troubles) if one.label == "no_room"), None) if history else None
    return [Fact("did not fit", last.text, "warn")] if last is not None and run.reason == "budget" else []


def _next_call(run: Run, history: History | None) -> Lines:
    """What the next model call may take at most, judged by the newest one."""
    bound = history.bound if history else None
    if bound is None or run.status == "ended":
        return []
    dear = f"{money(bound.cost, places=4)}, " if bound.cost is not None else ""
    size = f"{count(bound.input_bound)} tokens in, {count(bound.output_cap)} out"
    left = [f"{money(max(0, run.settings.max_cost - taken_cost(run)), places=4)}"] if run.settings.max_cost is not None else []
    left += [f"{count(max(0, run.settings.max_tokens - taken_tokens(run)))} tokens"] if run.settings.max_tokens is not None else []
    room = f"; {' and '.join(left)} left to set aside" if left else ""
    return [Fact("next call", f"one like the last, of the {bound.role}, sets aside {dear}{size}{room}")]


def _limit_line(limit: Limit, run: Run) -> Fact:
    share = limit.share
    near = "" if share is None else f"  {100 * share:.0f} %"
    more = "" if limit.more is None else f", room for about {limit.more:.1f} more iterations like those so far"
    tone: Tone = "plain" if share is None or share < NEAR else "warn" if share < 1 else "bad"
    if limit.name == "iterations" and run.reason == "done":
        tone = "plain"
    return Fact(limit.name, f"{limit.shown}{near}{more}", tone)


# Is it getting better?


def _progress(run: Run) -> Lines:
    rounds = run.iterations
    if not rounds:
        return []
    scores = " ".join("?" if one.score is None else f"{one.score:.2f}" for one in rounds[-20:])
    lines = [Fact("scores", scores)]
    at = last_progress(rounds)
    spent, passes = since_progress(rounds)
    when = f"iteration {rounds[at].number}" if at >= 0 else "never yet"
    known = " and what has no price" if any(one.spend.unpriced for one in rounds[at + 1 :]) else ""
    if passes or at < 0:
        lines.append(
            Fact("last progress", f"{when}; since then {money(spent, places=4)}{known} in {some(passes, 'iteration')}", "warn")
        )
    else:
        lines.append(Fact("last progress", f"{when}, the newest", "good"))
    repeated = max((one.seen for one in run.findings), default=0)
    if run.findings:
        new = sum(one.seen <= 1 for one in run.findings)
        oldest = f", the oldest x{repeated}" if repeated > 1 else ""
        lines.append(Fact("open findings", f"{len(run.findings)}: {new} new{oldest}"))
    return lines + [signal_line(said, run) for said in rounds[-1].signals]


def _verdicts(run: Run, history: History | None) -> Lines:
    passes = history.passes if history else ()
    if not passes:
        return [_iteration_line(run.iterations[-1], tuple(run.verdicts), ())] if run.verdicts else []
    return [_iteration_line(one.iteration, one.verdicts, one.skipped) for one in passes[-20:] if one.verdicts or one.skipped]


def _iteration_line(one: Iteration, verdicts: tuple[Verdict, ...], skipped: tuple[tuple[str, str], ...]) -> Fact:
    said = [f"{'✓' if each.passed else '✗'} {each.check} {each.outcome}{_findings(each)}" for each in verdicts]
    said += [f"– {name} not run ({why})" for name, why in skipped]
    failing = any(not each.passed for each in verdicts)
    return Fact(f"iteration {one.number}", ", ".join(said), "warn" if failing else "good")


def _findings(said: Verdict) -> str:
    return f" ({some(len(said.findings), 'finding')})" if said.findings else ""


# Who did what


def _people(run: Run, history: History | None, now: str) -> Lines:
    if history is None:
        return []
    deeds = [(one.at, _wait_line(one, now)) for one in history.waits if one.of_person]
    for touch in history.touches:
        said = f"{touch.by or 'somebody'}: {touch.deed}" + (f", {touch.text}" if touch.text else "")
        tone: Tone = "warn" if touch.deed == "refused" else "plain"
        deeds.append((touch.at, Fact(_clock(touch.at), said + _in(touch.iteration), tone)))
    deeds.sort(key=lambda deed: deed[0])
    lines = [line for _, line in deeds[-_MOST_DEEDS:]]
    return [
        Fact("touches", f"{run.touches} by people; longest without one {age(max(run.alone, run.clock - run.touched))} of work"),
        *([Fact(_clock(run.started_at), f"{run.by}: start")] if run.by and run.started_at else []),
        *lines,
        *([Fact(_clock(run.ended_at), _end(run))] if run.ended_at else []),
    ]


def _end(run: Run) -> str:
    """Who or what ended it."""
    if run.reason == "human":
        return f"{run.ended_by or 'somebody'}: the end" + (f", {run.why}" if run.why else "")
    return f"loopdeck: the end, {run.reason}" + (f": {run.limit or run.detector}" if run.limit or run.detector else "")


def _wait_line(one: Wait, now: str) -> Fact:
    if one.seconds is None:
        return Fact(_clock(one.at), f"{one.awaited} {one.subject}: open, asked {ago(one.at, now)}{_in(one.iteration)}", "ask")
    who = f"{one.answer} by {one.by}" if one.by else one.answer
    why_ = f" ({one.why})" if one.why else ""
    return Fact(_clock(one.at), f"{one.awaited} {one.subject}: {who}{why_} after {age(one.seconds)}{_in(one.iteration)}")


def _clock(at: str) -> str:
    return at[11:19] or at


def _in(iteration: int) -> str:
    return f", iteration {iteration}" if iteration else ", before the first iteration"


# What it cost, and how its runner is


def _money(run: Run) -> Lines:
    spend = run.spend
    calls = f"{count(spend.usage.tokens)} tokens in {some(spend.model_calls, 'call')}"
    lines = [Fact("spent", f"{money(run.cost, places=4)} ({spend.certainty}), {calls}")]
    share = hit_share(spend.usage)
    if share is not None:
        lines.append(Fact("from cache", f"{100 * share:.0f} % of the input"))
    checks = sum(one.check_spend.cost for one in run.iterations)
    if checks and spend.cost:
        lines.append(Fact("the checks'", f"{money(checks, places=4)}, {100 * checks / spend.cost:.0f} %"))
    dearest = max(run.iterations, key=lambda one: one.spend.cost, default=None)
    if dearest is not None and len(run.iterations) > 1:
        part = checker_share(dearest)
        checkers = f", the checks' share {100 * part:.0f} %" if part else ""
        lines.append(Fact("dearest", f"iteration {dearest.number}: {money(dearest.spend.cost, places=4)}{checkers}"))
    return lines


def _runner(one: RunView, history: History | None, now: str) -> Lines:
    run = one.run
    if not run.last_at and not one.seen.begun:
        return [Fact("runner", "none yet")]
    kind = history.last.replace("_", " ") if history else ""
    lines = [Fact("last event", f"{run.last_at}, {ago(run.last_at, now)}" + (f": {kind}" if kind else ""))]
    if one.live:
        lines.append(Fact("heartbeat", f"{one.seen.beat_age_s:.0f} s ago", "bad" if one.status == "hung" else "plain"))
    lives = f"process {run.pid}, life {run.life}, epoch {run.epoch}" if run.pid else "none yet"
    lines.append(Fact("runner", lives + (", alive" if one.live else ", gone")))
    lines += [Fact("sandbox", text, tone) for text, tone in held(run.door, run.walls, run.hosts, run.lacks)]
    if one.damage:
        lines.append(Fact("damage", f"{one.damage}; what stands here is as far as the journal can be read", "bad"))
    dead = [trouble for trouble in history.troubles if trouble.label == "runner_died"] if history else []
    return lines + [Fact("died before", f"{_clock(each.at)}: {each.text}", "warn") for each in dead[-5:]]


def of_pass(one: Pass, history: History) -> tuple[Fact, ...]:
    """What went wrong in an iteration, label by label, with its newest words."""
    newest: dict[str, str] = {trouble.label: trouble.text for trouble in history.troubles if trouble.iteration == one.number}
    counted = history.labels(one.number).items()
    return tuple(Fact(label.replace("_", " "), f"x{times}  {newest.get(label, '')}".rstrip(), "warn") for label, times in counted)
