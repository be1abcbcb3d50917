"""`apply(run, event)`: the only writer of a run's state.

One small function per kind of event, found by its type. Folding the same journal gives the same run, whether all at once, step by step
or from a checkpoint; nothing but the event and its envelope (time, active clock, epoch) goes in.
"""

from collections.abc import Callable, Iterable

from loopdeck.core import events as ev
from loopdeck.core import foldagent, foldchild, foldperson, lifecycle
from loopdeck.core.charge import charge, charge_unsettled
from loopdeck.core.happening import Commanded
from loopdeck.core.run import Call, Iteration, Reservation, Run, Wait
from loopdeck.core.stamp import Stamp as Stamp
from loopdeck.core.unknown import Unknown


def apply(run: Run, event: ev.AnyEvent, stamp: Stamp) -> Run:
    """`run` after `event`; changes and returns it.

    Events of an epoch older than the newest seen are ignored, as are unknown kinds. Raises Bug if the lifecycle forbids the event.
    """
    if stamp.epoch < run.epoch or isinstance(event, Unknown):
        return run
    run.status = lifecycle.after(run.status, event)
    run.epoch = stamp.epoch
    run.last_at = stamp.at
    run.clock = stamp.clock
    if isinstance(event, Commanded) and event.command:
        foldperson.touched(run, event.command)
    _RULES[type(event)](run, event, stamp)
    return run


def fold(entries: Iterable[tuple[ev.AnyEvent, Stamp]], run: Run | None = None) -> Run:
    """The run that `entries` tell of, going on from `run` if given."""
    state = Run() if run is None else run
    for event, stamp in entries:
        apply(state, event, stamp)
    return state


# A run's life


def _queued(run: Run, event: ev.RunQueued, stamp: Stamp) -> None:
    run.loop, run.id = event.loop, event.run
    run.settings = event.settings
    run.spec_hash, run.exit_hash, run.harness = event.spec_hash, event.exit_hash, event.harness
    run.by, run.input = event.by, event.input
    run.origin, run.origin_iteration = event.origin, event.origin_iteration
    run.findings = event.findings
    run.queued_at = stamp.at


def _runner(run: Run, event: ev.RunnerStarted, stamp: Stamp) -> None:
    run.pid, run.life = event.pid, event.life
    run.notices.extend(
        f"iteration {run.iteration}: the outcome of the model call {call} is not known; its whole bound is charged"
        for call in run.reserved
    )
    charge_unsettled(run)


def _started(run: Run, event: ev.RunStarted, stamp: Stamp) -> None:
    run.started_at = stamp.at
    run.phase = "setup"


def _prepared(run: Run, event: ev.WorkspacePrepared, stamp: Stamp) -> None:
    run.worktree, run.branch, run.base = event.worktree, event.branch, event.base
    run.commit = event.start or event.base
    run.notices.extend(event.notices)
    run.phase = "deciding"


def _ended(run: Run, event: ev.RunEnded, stamp: Stamp) -> None:
    run.reason, run.why, run.limit, run.detector = event.reason, event.why, event.limit, event.detector
    run.ended_by, run.best = event.by, event.best
    run.commit = event.commit or run.commit
    run.ended_at = stamp.at
    run.phase = None
    run.wait = None
    run.asking = run.asking_for = run.stalled = ""
    charge_unsettled(run)


# An iteration


def _iteration_started(run: Run, event: ev.IterationStarted, stamp: Stamp) -> None:
    run.iteration = event.iteration
    run.final = event.final
    run.iterations.append(Iteration(event.iteration, stamp.at, event.state_hash, final=event.final, clock_start=stamp.clock))
    run.phase = "maker"
    run.verdicts, run.skipped, run.check_tries = [], [], {}
    run.calls, run.signatures, run.answered = [], [], []
    run.turns = run.tool_calls = run.malformed = run.failures = run.patience = 0
    run.replied = run.committed = False
    run.maker_end = None
    run.fatal = run.retry = None
    run.conversation = run.agent_end = ""
    run.plan = None
    run.state_settled = ""
    run.given = {}
    run.told, run.nudges = run.nudges, []


def _reserved(run: Run, event: ev.ModelCallReserved, stamp: Stamp) -> None:
    run.reserved[event.call] = Reservation(event.role, event.model, event.input_bound, event.output_cap, event.cost, run.life)


def _settled(run: Run, event: ev.ModelCallSettled, stamp: Stamp) -> None:
    reservation = run.reserved.get(event.call)
    if reservation is None:
        return
    charge(run, event.call, event.usage, event.cost, event.certainty)
    if reservation.role != "maker":
        return
    if event.failure is not None:
        run.session = event.session or run.session
        foldagent.fail(run, event.failure, event.message, event.retry_after)
        return
    run.failures = run.patience = 0
    run.retry = None
    run.session = event.session
    run.answered.append(event.call)
    run.turns += 1
    run.iterations[-1].turns = run.turns
    if event.problem == "malformed_output":
        run.malformed += 1
    elif not event.asked:
        run.malformed = 0
    # Two calls of one id can't be told apart: the second would be granted and run as the first, again and again.
    calls: dict[str, Call] = {}
    for asked in event.asked:
        calls.setdefault(asked.id, Call(asked.id, asked.tool))
    run.calls = list(calls.values())
    run.replied = event.stop in ("end", "refused") and not event.asked and event.problem is None
    if event.stop == "refused":
        run.maker_end = "refused"


def _limit(run: Run, event: ev.LimitReached, stamp: Stamp) -> None:
    run.no_room = event.limit


def _waiting(run: Run, event: ev.WaitStarted, stamp: Stamp) -> None:
    run.wait = Wait(event.cause, event.seconds, event.until, event.attempt)
    run.retry = None


def _waited(run: Run, event: ev.WaitEnded, stamp: Stamp) -> None:
    run.wait = None


def _granted(run: Run, event: ev.ToolCallGranted, stamp: Stamp) -> None:
    call = run.call(event.call)
    call.status, call.life = "granted", run.life
    for spend in (run.spend, run.iterations[-1].spend):
        spend.tool_calls += 1
    run.tool_calls += 1


def _refused(run: Run, event: ev.ToolCallRefused, stamp: Stamp) -> None:
    call = run.call(event.call)
    call.status, call.why, call.problem = "refused", event.why, event.problem
    run.malformed = run.malformed + 1 if event.problem == "malformed_output" else 0
    run.signatures.append(f"{event.tool} refused: {event.why}")


def _finished(run: Run, event: ev.ToolCallFinished, stamp: Stamp) -> None:
    call = run.call(event.call)
    call.status, call.problem = "finished", event.problem
    run.signatures.append(event.signature)
    run.malformed = run.malformed + 1 if event.problem == "malformed_output" else 0


def _lost(run: Run, event: ev.ToolCallLost, stamp: Stamp) -> None:
    run.call(event.call).status = "lost"
    run.notices.append(f"iteration {run.iteration}: the outcome of {event.tool} ({event.call}) is not known")


def _maker_finished(run: Run, event: ev.MakerFinished, stamp: Stamp) -> None:
    run.maker_end = event.how
    run.iterations[-1].maker = event.how
    run.over_calls = run.over_calls + 1 if event.how == "tool_calls" else 0
    run.phase = "checks"


def _committed(run: Run, event: ev.WorkCommitted, stamp: Stamp) -> None:
    run.committed = True
    run.commit = event.commit
    now = run.iterations[-1]
    now.commit, now.digest, now.empty, now.outside = event.commit, event.digest, event.empty, event.outside
    now.files, now.added, now.removed, now.protected = event.files, event.added, event.removed, event.protected
    now.graders, now.forged = event.graders, event.forged
    run.notices.extend(event.problems)


def _checked(run: Run, event: ev.CheckFinished, stamp: Stamp) -> None:
    said = event.verdict
    others = [one for one in run.verdicts if (one.check, one.of_harness) != (said.check, said.of_harness)]
    run.verdicts = [*others, said]
    if not said.of_harness:
        run.check_tries[said.check] = run.check_tries.get(said.check, 0) + 1
        run.iterations[-1].outcomes[said.check] = said.outcome
    run.iterations[-1].check_seconds += said.seconds


def _skipped(run: Run, event: ev.CheckSkipped, stamp: Stamp) -> None:
    run.skipped.append(event.check)


def _iteration_finished(run: Run, event: ev.IterationFinished, stamp: Stamp) -> None:
    run.phase = "deciding"
    found = tuple(one for verdict in run.verdicts for one in verdict.findings)
    # What a check that was not run this time had found stays open until it says otherwise.
    run.findings = (*found, *(one for one in run.findings if one.check in run.skipped))
    now = run.iterations[-1]
    now.score, now.passed, now.signals = event.score, event.passed, event.signals
    now.floor = event.floor
    now.fingerprints = tuple(sorted(one.fingerprint for one in found))
    now.seconds = stamp.clock - now.clock_start


_RULES: dict[type, Callable[..., None]] = {
    **foldperson.RULES,
    **foldagent.RULES,
    **foldchild.RULES,
    ev.RunQueued: _queued,
    ev.RunnerStarted: _runner,
    ev.RunStarted: _started,
    ev.WorkspacePrepared: _prepared,
    ev.RunEnded: _ended,
    ev.IterationStarted: _iteration_started,
    ev.ModelCallReserved: _reserved,
    ev.ModelCallSettled: _settled,
    ev.LimitReached: _limit,
    ev.WaitStarted: _waiting,
    ev.WaitEnded: _waited,
    ev.ToolCallGranted: _granted,
    ev.ToolCallRefused: _refused,
    ev.ToolCallFinished: _finished,
    ev.ToolCallLost: _lost,
    ev.MakerFinished: _maker_finished,
    ev.WorkCommitted: _committed,
    ev.CheckFinished: _checked,
    ev.CheckSkipped: _skipped,
    ev.IterationFinished: _iteration_finished,
}
