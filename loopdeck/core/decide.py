"""`decide(run, spec)`: the next step of a run, a pure function of what its journal says and what was frozen at its start.

Whatever a crash leaves behind, the same question gives the next step, so resuming is nothing special. In this order: has it been told
to stop or stand still; is somebody or something awaited; what is left of the iteration; what follows the iteration.
"""

from loopdeck.core import harness, progress, steps
from loopdeck.core.budget import spent_out
from loopdeck.core.findings import SEVERITIES, Severity, Verdict, at_least
from loopdeck.core.plural import some
from loopdeck.core.run import Call, Iteration, Run
from loopdeck.core.spec import OUTSIDE, CheckSpec, LoopSpec
from loopdeck.core.steps import Step

MAX_FAILURES = 5
"""Model calls that may fail in a row before the run ends as `error`; a busy provider is waited out and doesn't count."""
MAX_MALFORMED = 3
CHECK_TRIES = 2
LONGEST_WAIT_S = 60.0


def decide(run: Run, spec: LoopSpec) -> Step:
    """What the runner does now."""
    if run.status == "ended":
        return steps.Nothing()
    if run.stop is not None:
        by, why, _ = run.stop
        return _lost(run) or steps.EndRun("human", why=why, by=by, best=best(run))
    if run.status == "queued":
        return steps.TakePlace()
    if run.pause_wanted and run.status in ("running", "waiting"):
        return steps.StandStill("pause", run.pause_wanted)
    if run.status in ("paused", "asking"):
        return steps.AwaitPerson()
    if run.status == "waiting":
        return steps.WaitOut()
    if not run.worktree:
        return steps.PrepareWorkspace()
    match run.phase:
        case "maker":
            return _in_maker(run, spec)
        case "checks":
            return _in_checks(run, spec)
        case _:
            return _between(run)


# The maker's part


def _in_maker(run: Run, spec: LoopSpec) -> Step:
    lost = _lost(run)
    if lost is not None:
        return lost
    limit = spent_out(run)
    if limit == "wall_s":
        return steps.FinishMaker("budget")
    if run.maker_end == "refused":
        return steps.FinishMaker("refused")
    if _wants_triage(run, spec) and not limit:
        return steps.Triage()
    return _in_agent(run, spec) if spec.maker.agent in OUTSIDE else _in_model(run, spec, limit)


def _wants_triage(run: Run, spec: LoopSpec) -> bool:
    return bool(spec.models.triage) and run.plan is None and not (run.turns or run.final or run.calls or run.no_room)


def _in_model(run: Run, spec: LoopSpec, limit: str) -> Step:
    """The maker's part in our own hands: call after call."""
    for call in run.calls:
        step = _for_call(run, call)
        if step is not None:
            return step
    if run.replied:
        return steps.FinishMaker("ended")
    if run.malformed >= MAX_MALFORMED:
        return steps.FinishMaker("malformed")
    if progress.repeats(run.signatures) >= progress.END_AT:
        return steps.FinishMaker("repeating")
    if run.turns >= spec.maker.max_turns:
        return steps.FinishMaker("max_turns")
    if run.no_room or limit:
        return steps.FinishMaker("budget")
    return _next_call(run)


def _in_agent(run: Run, spec: LoopSpec) -> Step:
    """The maker's part in the hands of an agent with a loop of its own: turn after turn, until one is its last."""
    for call in run.calls:
        if call.status == "denied":
            return steps.RefuseCall(call.id, call.why or "the operator denied it", "operator")
    if run.replied:
        return steps.FinishMaker("ended")
    match run.agent_end:
        case "max_turns" | "tool_calls" | "repeating" | "budget" as how:
            return steps.FinishMaker(how)
    if progress.repeats(run.signatures) >= progress.END_AT:
        # What it asks for has been refused so often that nothing else comes of asking again.
        return steps.FinishMaker("repeating")
    if run.turns >= spec.maker.max_turns:
        return steps.FinishMaker("max_turns")
    if run.no_room or spent_out(run):
        return steps.FinishMaker("budget")
    # Its own words say who failed, and at what; our word for the kind of failure would only come before them.
    said = run.failure.partition(": ")[2] or run.failure
    step = _next_call(run, f"the agent failed: {said}", f"{some(run.failures, 'turn')} of the agent failed in a row, the last: {said}")
    return steps.RunAgent() if isinstance(step, steps.CallModel) else step


def _next_call(run: Run, once: str = "", again: str = "") -> Step:
    """The next call, or why there is none: in the words `once` where no retry mends it, `again` where too many came to nothing."""
    if run.fatal == "context" and run.turns:
        return steps.FinishMaker("context")
    if run.fatal is not None:
        return broken_off(run, once or f"the model call failed: {run.failure}")
    if run.failures >= MAX_FAILURES:
        return broken_off(run, again or f"{some(run.failures, 'model call')} failed in a row, the last: {run.failure}")
    if run.retry is not None:
        wait = back_off(run.retry.attempt, run.retry.after)
        if run.settings.max_wall_s is not None:
            wait = min(wait, run.settings.max_wall_s - run.clock)
        return steps.BackOff(run.retry.cause, wait, run.retry.attempt)
    return steps.CallModel()


def back_off(attempt: int, retry_after: float | None) -> float:
    """Seconds to wait before the next try: what the provider said, else doubling from half a second up to a minute."""
    if retry_after is not None:
        return max(0.0, retry_after)
    return min(LONGEST_WAIT_S, 0.25 * 2.0 ** min(attempt, 10))


def broken_off(run: Run, why: str) -> steps.EndRun:
    """The end of a run that can't go on, for `why`; what had passed before a final pass is not undone by it."""
    kept = best(run)
    if run.final and any(stands(run, one) for one in run.iterations):
        return steps.EndRun(
            "done", why=f"every required check passed in iteration {kept}; the final pass was dropped: {why}", best=kept
        )
    return steps.EndRun("error", why=why, best=kept)


def _lost(run: Run) -> steps.ReportLost | None:
    """A call that an earlier life of the runner was granted and did not finish."""
    return next((steps.ReportLost(one.id) for one in run.calls if one.status == "granted" and one.life != run.life), None)


def _for_call(run: Run, call: Call) -> Step | None:
    match call.status:
        case "asked":
            if progress.repeats(run.signatures) >= progress.END_AT:
                return steps.FinishMaker("repeating")
            allowed = run.settings.max_tool_calls
            if allowed is not None and run.tool_calls >= allowed:
                return steps.FinishMaker("tool_calls")
            return steps.WeighCall(call.id)
        case "approved":
            return steps.GrantCall(call.id)
        case "denied":
            return steps.RefuseCall(call.id, call.why or "the operator denied it", "operator")
        case "granted":
            return steps.RunCall(call.id)
        case _:
            return None


# The checks


def _in_checks(run: Run, spec: LoopSpec) -> Step:
    if not run.committed:
        return steps.CommitWork()
    reported = [verdict.check for verdict in run.verdicts if verdict.of_harness]
    for name in harness.reports(run):
        if name not in reported:
            return steps.ReportMaker(name)
    done = _by_check(run)
    for check in in_order(spec.checks):
        verdict = done.get(check.name)
        if verdict is not None and verdict.outcome != "error":
            continue
        if verdict is not None and run.check_tries.get(check.name, 0) >= CHECK_TRIES:
            if not at_least(check.severity, floor(run, spec)):
                continue
            what = verdict.findings[0].message if verdict.findings else verdict.evidence.tail
            return broken_off(run, f"the check '{check.name}' could not be carried out: {what}")
        if check.name in run.skipped:
            continue
        return _for_check(run, spec, check)
    score, passed = grade(run, spec)
    now = run.iterations[-1]
    rounds = [*run.iterations[:-1], graded(now, run.verdicts, score, passed)]
    said = progress.signals(rounds, harness.BASE_DIGEST, run.settings.no_progress)
    return steps.FinishIteration(score, passed, said, progress.flaky(rounds), run.settings.severity_floor)


def _for_check(run: Run, spec: LoopSpec, check: CheckSpec) -> Step:
    if check.when == "others_pass":
        failing = [one.check for one in run.verdicts if one.check != check.name and objects(run, spec, one)]
        waiting = [one.name for one in required(run, spec) if one.name in run.skipped and one.name != check.name]
        if failing or waiting:
            return steps.SkipCheck(check.name, f"waits for {', '.join([*failing, *waiting])}")
    if check.human:
        return steps.RunCheck(check.name) if check.name in run.given else steps.AskVerdict(check.name)
    # What is skipped here was not graded, so the iteration can't pass by it; but it is closed, and the run ends by what it came to.
    if spent_out(run) == "wall_s":
        return steps.SkipCheck(check.name, "the time is up")
    if check.rubric is not None and run.no_room:
        return steps.SkipCheck(check.name, f"nothing is left of {run.no_room}")
    return steps.RunCheck(check.name)


def in_order(checks: tuple[CheckSpec, ...]) -> tuple[CheckSpec, ...]:
    """Checks in the order they run: those that need nothing first, a person last."""
    return tuple(sorted(checks, key=lambda one: (one.when == "others_pass", one.human)))


def floor(run: Run, spec: LoopSpec) -> Severity:
    """The least severity that counts: the operator's floor, or the gravest of the checks where none is as grave as that."""
    gravest = max((check.severity for check in spec.checks), key=SEVERITIES.index)
    return min(run.settings.severity_floor, gravest, key=SEVERITIES.index)


def required(run: Run, spec: LoopSpec) -> list[CheckSpec]:
    """The checks that must pass: those that count."""
    least = floor(run, spec)
    return [check for check in spec.checks if at_least(check.severity, least)]


def objects(run: Run, spec: LoopSpec, verdict: Verdict) -> bool:
    """True if `verdict` stands in the way of `done`: not passed, and something in it is as grave as the severity floor."""
    least = floor(run, spec)
    severity = next(
        (check.severity for check in spec.checks if check.name == verdict.check and not verdict.of_harness), verdict.severity
    )
    if verdict.passed or not at_least(severity, least):
        return False
    graver = any(at_least(one.severity, least) for one in verdict.findings)
    return verdict.outcome != "failed" or not verdict.findings or graver


def grade(run: Run, spec: LoopSpec) -> tuple[float, bool]:
    """Score in 0..1 over the required checks, and whether all of them passed.

    What the harness itself found (a protected path changed, the tool budget spent) may stand in the way but is no part of the score.
    """
    by_name = _by_check(run)
    needed = required(run, spec)
    scores = [by_name[check.name].score if check.name in by_name else 0.0 for check in needed]
    judged = all(check.name in by_name for check in needed)
    return round(sum(scores) / len(scores), 4), judged and not any(objects(run, spec, one) for one in run.verdicts)


def _by_check(run: Run) -> dict[str, Verdict]:
    return {verdict.check: verdict for verdict in run.verdicts if not verdict.of_harness}


def graded(now: Iteration, verdicts: list[Verdict], score: float, passed: bool) -> Iteration:
    """The running iteration as it will be once it is finished, for the detectors."""
    return Iteration(
        now.number, now.started, now.state_hash, digest=now.digest, empty=now.empty, score=score, passed=passed,
        outcomes=now.outcomes,
        fingerprints=tuple(sorted(found.fingerprint for verdict in verdicts for found in verdict.findings)),
    )  # fmt: skip


# Between iterations


def _between(run: Run) -> Step:
    last = run.current
    if last is not None:
        verdict = _after(run, last)
        if verdict is not None:
            return verdict
    if run.hold:
        return steps.StandStill("hold", run.hold)
    final = last is not None and stands(run, last)
    return steps.StartIteration(run.iteration + 1, final)


def _after(run: Run, last: Iteration) -> Step | None:
    """The end of the run after iteration `last`, or None if it goes on."""
    limits = run.settings
    limit = run.no_room or spent_out(run)
    if stands(run, last):
        tidy = limits.final_pass and not last.final and run.iteration < limits.max_iterations and not limit
        return None if tidy else steps.EndRun("done", why="every required check passed", best=last.number)
    if last.final and any(stands(run, one) for one in run.iterations):
        return broken_off(run, "the checks found it wanting")
    if limit:
        why = "the time is up" if limit == "wall_s" else f"the next step does not fit into what is left of {limit}"
        return steps.EndRun("budget", why=why, limit=limit, best=best(run))
    if run.over_calls >= 2:
        why = f"the maker used up its {some(limits.max_tool_calls or 0, 'tool call')} twice in a row"
        return steps.EndRun("budget", why=why, limit="tool_calls_per_iteration", best=best(run))
    if run.iteration >= limits.max_iterations:
        return steps.EndRun("max_iterations", why=f"{some(run.iteration, 'iteration is', 'iterations are')} done", best=best(run))
    signal = progress.stopping(last.signals, limits.no_progress)
    if signal is not None:
        return steps.EndRun("no_progress", why=signal.evidence, detector=signal.detector, best=best(run))
    return None


def best(run: Run) -> int:
    """The iteration whose work is kept: one that passed, else the best score, the latest of equals; 0 if none was graded."""
    graded_ones = [one for one in run.iterations if one.score is not None and one.commit]
    if not graded_ones:
        return 0
    return max(graded_ones, key=lambda one: (stands(run, one), one.score or 0.0, one.number)).number


def stands(run: Run, one: Iteration) -> bool:
    """True if iteration `one` passed, and by a floor that is still as strict as today's."""
    return one.passed and at_least(run.settings.severity_floor, one.floor)
