"""The fold's rules for what people say: their answers to what is asked, and the operator's hand."""

from collections.abc import Callable

from loopdeck.core import events as ev
from loopdeck.core.run import Approval, Given, Run
from loopdeck.core.stamp import Stamp
from loopdeck.errors import Bug


def touched(run: Run, command: str) -> None:
    """A command had an effect, which may show in several events."""
    if command not in run.commands and command not in run.refused:
        run.touches += 1
        run.alone, run.touched = max(run.alone, run.clock - run.touched), run.clock
    run.commands.add(command)


# What is asked


def _approval(run: Run, event: ev.ApprovalRequested, stamp: Stamp) -> None:
    call = run.call(event.call)
    if call.status == "granted":
        # Something changed before it could start: it has not run, and counts once it does.
        run.tool_calls -= 1
        for spend in (run.spend, run.iterations[-1].spend):
            spend.tool_calls -= 1
    call.status, call.approval, call.arguments = "waiting", event.approval, ""
    run.approvals[event.approval] = Approval(
        event.approval, event.call, event.tool, event.summary, event.arguments, event.cwd, event.rule, event.tier,
        event.digest, stamp.at, event.reason, event.expires, walls=event.walls, bound=event.bound, epoch=stamp.epoch,
    )  # fmt: skip
    run.asking, run.asking_for = "approval", event.approval


def _decided(run: Run, event: ev.ApprovalDecided, stamp: Stamp) -> None:
    _answers(run, "approval", event.approval)
    approval = run.approvals[event.approval]
    approval.decided, approval.approved = True, event.approved
    approval.by, approval.why = event.by, event.why
    approval.at, approval.where, approval.edited = event.at or stamp.at, event.where, event.bound
    call = run.call(approval.call)
    call.status = "approved" if event.approved else "denied"
    call.why, call.arguments = event.why, event.arguments
    if event.always and event.approved:
        run.rules = (*run.rules, Given(event.always, event.by, approval.at, event.for_s, stamp.clock))


def _lapsed(run: Run, event: ev.ApprovalLapsed, stamp: Stamp) -> None:
    _answers(run, "approval", event.approval)
    approval = run.approvals[event.approval]
    approval.decided, approval.approved, approval.why = True, False, event.why
    run.call(approval.call).status = "asked"


def _answers(run: Run, asking: str, which: str) -> None:
    """What was asked is answered. Raises Bug for an answer to something else, which would leave the question hanging."""
    if (run.asking, run.asking_for) != (asking, which):
        raise Bug(f"{asking} {which} is answered, but what is asked for is {run.asking} {run.asking_for}")
    run.asking = run.asking_for = ""


def _verdict_asked(run: Run, event: ev.VerdictAsked, stamp: Stamp) -> None:
    run.asking, run.asking_for = "verdict", event.check


def _verdict_given(run: Run, event: ev.VerdictGiven, stamp: Stamp) -> None:
    _answers(run, "verdict", event.check)
    run.given[event.check] = (event.passed, event.by, event.why)


def _clashed(run: Run, event: ev.StateClashed, stamp: Stamp) -> None:
    run.asking, run.asking_for = "state", event.theirs


def _state_settled(run: Run, event: ev.StateSettled, stamp: Stamp) -> None:
    _answers(run, "state", run.asking_for)
    run.state_settled = event.state_hash


# The operator's hand


def _taken(run: Run, event: ev.CommandTaken, stamp: Stamp) -> None:
    if event.refused:
        run.refused[event.command] = event.refused
    touched(run, event.command)


def _pause_asked(run: Run, event: ev.PauseAsked, stamp: Stamp) -> None:
    if run.status != "paused":
        run.pause_wanted, run.pause_now = event.by or "somebody", event.now


def _paused(run: Run, event: ev.RunPaused, stamp: Stamp) -> None:
    run.wait, run.stalled = None, event.why


def _resumed(run: Run, event: ev.RunResumed, stamp: Stamp) -> None:
    # A pause that is over says nothing of the hold that was asked for beside it.
    if run.pause_wanted or run.stalled:
        run.pause_wanted = run.stalled = ""
    else:
        run.hold = ""


def _held(run: Run, event: ev.HoldSet, stamp: Stamp) -> None:
    run.hold = event.by or "somebody"


def _nudged(run: Run, event: ev.Nudged, stamp: Stamp) -> None:
    run.nudges.append(event.text)


def _setting(run: Run, event: ev.SettingChanged, stamp: Stamp) -> None:
    if event.settings.max_tool_calls != run.settings.max_tool_calls:
        run.over_calls = 0
    run.settings = event.settings
    run.no_room = ""


def _stop(run: Run, event: ev.StopAsked, stamp: Stamp) -> None:
    run.stop = (event.by, event.why, event.now)
    run.wait = None
    run.asking = run.asking_for = run.stalled = ""


def _door(run: Run, event: ev.DoorChosen, stamp: Stamp) -> None:
    run.door, run.walls, run.hosts, run.lacks = event.door, event.walls, event.hosts, event.lacks


def _notice(run: Run, event: ev.NoticeRaised, stamp: Stamp) -> None:
    run.notices.append(event.text)


RULES: dict[type, Callable[..., None]] = {
    ev.ApprovalRequested: _approval,
    ev.ApprovalDecided: _decided,
    ev.ApprovalLapsed: _lapsed,
    ev.VerdictAsked: _verdict_asked,
    ev.VerdictGiven: _verdict_given,
    ev.StateClashed: _clashed,
    ev.StateSettled: _state_settled,
    ev.CommandTaken: _taken,
    ev.PauseAsked: _pause_asked,
    ev.RunPaused: _paused,
    ev.RunResumed: _resumed,
    ev.HoldSet: _held,
    ev.Nudged: _nudged,
    ev.SettingChanged: _setting,
    ev.StopAsked: _stop,
    ev.DoorChosen: _door,
    ev.NoticeRaised: _notice,
}
