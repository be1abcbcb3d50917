"""A row of the deck made out of a run and what is known beside it. Pure: the time is an argument.

Invariant: a row is a function of its run, of what was seen of its runner, and of a few cheap facts. What is summed over all
iterations is summed once for each that is over, so that a row of the thousandth costs what one of the first does.
"""

from copy import copy
from typing import NamedTuple

from msgspec import structs

from loopdeck.core.entry import BEREFT
from loopdeck.core.run import Approval, Iteration, Run
from loopdeck.deck.attention import attention, moment
from loopdeck.deck.facts import UNKNOWN, Facts
from loopdeck.deck.snapshot import Fate, LoopRow
from loopdeck.deck.view import RunView, waiting_for
from loopdeck.store.layout import RunPaths

SILENT_S = 6.0
"""A heartbeat (every 2 seconds) younger than this is no news: the row says 0."""
REFUSED = 3
"""Newest refused commands that a row tells of."""


class Sums(NamedTuple):
    """What the first `done` iterations come to. Money in picodollars, durations in seconds.

    `since` is the money spent since `best`, the best score so far; `today` what was spent in iterations that began at `day` (UTC,
    RFC 3339) or later.
    """

    day: str = ""
    done: int = 0
    scores: tuple[float | None, ...] = ()
    best: float = 0.0
    since: int = 0
    check_cost: int = 0
    check_s: float = 0.0
    today: int = 0


class Shipped(NamedTuple):
    """How many lines of what a run made are `unread`, and what became of it."""

    unread: int = 0
    fate: Fate = ""


class Known(NamedTuple):
    """What a row shows that is not in the journal. `rate` is picodollars an hour."""

    key: str
    deck: int
    facts: Facts = UNKNOWN
    shipped: Shipped = Shipped()
    edited: bool = False
    rate: int = 0


def finished(run: Run, before: Sums, day: str) -> Sums:
    """The sums over all iterations but the newest, which may still go on; `before` is what was known of this run earlier."""
    over = max(0, len(run.iterations) - 1)
    sums = before if before.done <= over and before.day == day else Sums(day)
    for one in run.iterations[sums.done : over]:
        sums = added(sums, one)
    return sums


def added(sums: Sums, one: Iteration) -> Sums:
    """`sums` with one more iteration. A score above the best so far is progress: what it took is not counted any more."""
    cost = one.spend.cost
    rose = one.score is not None and one.score > sums.best
    return Sums(
        day=sums.day,
        done=sums.done + 1,
        scores=(*sums.scores, one.score),
        best=one.score if rose and one.score is not None else sums.best,
        since=0 if rose else sums.since + cost,
        check_cost=sums.check_cost + one.check_spend.cost,
        check_s=sums.check_s + one.check_seconds,
        today=sums.today + (cost if one.started >= sums.day else 0),
    )


def whole(run: Run, sums: Sums) -> Sums:
    """`sums` (see `finished`) with the newest iteration."""
    return added(sums, run.iterations[-1]) if run.iterations else sums


def run_row(view: RunView, known: Known, sums: Sums) -> LoopRow:
    """The row of a run; `sums` are those of `whole`."""
    run, facts = view.run, known.facts
    pending = _pending(run)
    return LoopRow(
        key=known.key,
        deck=known.deck,
        loop=run.loop,
        run=run.id,
        status=view.status,
        reason=view.reason,
        phase=view.phase,
        attention=attention(view.status, view.reason, unread=known.shipped.unread, damaged=bool(view.damage or run.stalled)),
        iteration=run.iteration,
        settings=run.settings,
        scores=sums.scores,
        usage=run.spend.usage,
        cost=run.cost,
        certainty=run.spend.certainty,
        reserved=sum(one.cost or 0 for one in run.reserved.values()),
        rate=known.rate,
        since_progress=sums.since,
        checker_cost=sums.check_cost,
        checker_s=sums.check_s,
        clock_s=run.clock,
        tool_calls=run.spend.tool_calls,
        last_at=moment(run.last_at),
        started_at=moment(run.started_at),
        ended_at=moment(run.ended_at or (run.last_at if view.status == "ended" else "")),
        beat_age_s=_silence(view),
        live=view.live,
        why=waiting_for(view) or "",
        asking=run.asking if view.status == "asking" else "",
        asking_for=run.asking_for if view.status == "asking" else "",
        approvals=pending,
        pausing=bool(run.pause_wanted) and view.status not in ("paused", "ended"),
        held=bool(run.hold) and view.status != "ended",
        open_findings=len(run.findings),
        unread=known.shipped.unread,
        fate=known.shipped.fate,
        agent=facts.agent,
        model=run.settings.model or facts.model,
        by=run.by,
        trigger=facts.trigger,
        level=facts.level,
        walls=run.walls,
        layers=facts.layers,
        touches=run.touches,
        alone_s=max(run.alone, run.clock - run.touched),
        branch=run.branch,
        worktree=run.worktree,
        dir=view.dir,
        damage=view.damage,
        edited=known.edited,
        refused=tuple(list(run.refused.items())[-REFUSED:]),
    )


def idle_row(known: Known, loop: str) -> LoopRow:
    """The row of a loop that has no run."""
    facts = known.facts
    return LoopRow(
        key=known.key, deck=known.deck, loop=loop, agent=facts.agent, model=facts.model, level=facts.level, trigger=facts.trigger,
        layers=facts.layers,
    )  # fmt: skip


def bereft_row(known: Known, paths: RunPaths, worktree: str) -> LoopRow:
    """The row of a run whose folder somebody has deleted."""
    return LoopRow(
        key=known.key, deck=known.deck, loop=paths.loop, run=paths.run, status="ended", reason="lost", attention="broken", why=BEREFT,
        damage=BEREFT, branch=f"loop/{paths.loop}/{paths.run}", worktree=worktree,
    )  # fmt: skip


def same(one: LoopRow, other: LoopRow) -> bool:
    """True if both show the same."""
    return structs.astuple(one) == structs.astuple(other)


def _pending(run: Run) -> tuple[Approval, ...]:
    """Copies, since the run's own are changed when they are answered."""
    if run.asking != "approval":
        return ()
    return tuple(copy(one) for one in run.pending_approvals)


def _silence(view: RunView) -> float:
    """Whole seconds of silence: a row must not be another one each time somebody looks at it."""
    age = view.seen.beat_age_s
    return float(int(age)) if view.live and age >= SILENT_S else 0.0
