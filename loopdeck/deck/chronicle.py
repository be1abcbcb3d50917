"""A journal's events, one after the other, made into a run's history by iteration.

One small function per kind of event that has something to remember, as in `core.fold`, which has taken the event before. Invariant: the
same events give the same history, whether they are taken all at once or as they come; what was handed out never changes.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct, structs

from loopdeck.core import events as ev
from loopdeck.core import fold
from loopdeck.core.durations import written
from loopdeck.core.plural import some
from loopdeck.core.run import Run
from loopdeck.core.unknown import Unknown
from loopdeck.deck.board import money
from loopdeck.deck.passes import Awaited, Bound, Deed, History, Label, Pass, Touch, Trouble, Wait

_SAID = 200
"""Characters of a broken check's last words."""


class Chronicle(Struct):
    """A history in the making."""

    run: Run = msgspec.field(default_factory=Run)
    passes: list[Pass] = []
    waits: list[Wait] = []
    touches: list[Touch] = []
    troubles: list[Trouble] = []
    last: str = ""
    holder: str = ""
    bound: Bound | None = None

    def take(self, event: ev.AnyEvent, stamp: fold.Stamp) -> None:
        """One event more. Raises Bug if the lifecycle forbids it."""
        if stamp.epoch < self.run.epoch or isinstance(event, Unknown):
            return
        fold.apply(self.run, event, stamp)
        self.last = str(event.__struct_config__.tag)
        rule = _RULES.get(type(event))
        if rule is not None:
            rule(self, event, stamp.at)

    def history(self, damage: str = "") -> History:
        """All of it, as a value that no later event changes."""
        run = msgspec.msgpack.decode(msgspec.msgpack.encode(self.run), type=Run)
        pairs = zip(self.passes, run.iterations, strict=True)
        passes = tuple(structs.replace(one, iteration=iteration) for one, iteration in pairs)
        waits, touches, troubles = tuple(self.waits), tuple(self.touches), tuple(self.troubles)
        return History(run, passes, waits, touches, troubles, last=self.last, damage=damage, bound=self.bound)


# What the maker and the checks did


def _began(book: Chronicle, event: ev.IterationStarted, at: str) -> None:
    run = book.run
    book.passes.append(Pass(run.iterations[-1], run.settings.model, told=tuple(run.told)))


def _settled(book: Chronicle, event: ev.ModelCallSettled, at: str) -> None:
    if event.failure is not None:
        _wrong(book, "model_failed", at, f"{event.failure}: {event.message}" if event.message else event.failure)
    elif event.problem is not None:
        _wrong(book, event.problem, at, "the model's reply")


def _no_room(book: Chronicle, event: ev.LimitReached, at: str) -> None:
    worth = money if event.limit == "cost_usd" else _tokens
    needs = f"sets aside {worth(round(event.needs), places=4)} at least" if event.needs else "may take more"
    _wrong(book, "no_room", at, f"the next call of the {event.role} {needs}; left is {worth(round(event.left), places=4)}")


def _tokens(number: int, *, places: int) -> str:
    return some(number, "token")


def _reserved(book: Chronicle, event: ev.ModelCallReserved, at: str) -> None:
    book.bound = Bound(event.role, event.input_bound, event.output_cap, event.cost)


def _refused(book: Chronicle, event: ev.ToolCallRefused, at: str) -> None:
    _wrong(book, event.problem or "tool_refused", at, f"{event.tool}: {event.why}")


def _returned(book: Chronicle, event: ev.ToolCallFinished, at: str) -> None:
    if event.problem is not None:
        _wrong(book, event.problem, at, f"{event.tool} ({event.call})")


def _lost(book: Chronicle, event: ev.ToolCallLost, at: str) -> None:
    _wrong(book, "tool_lost", at, f"{event.tool} ({event.call}): whether it took effect is not known")


def _runner(book: Chronicle, event: ev.RunnerStarted, at: str) -> None:
    before, book.holder = book.holder, event.nonce
    if event.life > 1 and not (before and event.nonce == before):
        _wrong(book, "runner_died", at, f"life {event.life} goes on, as process {event.pid}")


def _checked(book: Chronicle, event: ev.CheckFinished, at: str) -> None:
    verdicts = tuple(book.run.verdicts)
    found = tuple(one for said in verdicts for one in said.findings)
    book.passes[-1] = structs.replace(book.passes[-1], verdicts=verdicts, findings=found)
    if event.verdict.outcome == "error":
        _wrong(book, "check_broke", at, f"{event.verdict.check}: {event.verdict.evidence.tail.strip()[-_SAID:]}")


def _skipped(book: Chronicle, event: ev.CheckSkipped, at: str) -> None:
    now = book.passes[-1]
    book.passes[-1] = structs.replace(now, skipped=(*now.skipped, (event.check, event.why)))


def _over(book: Chronicle, event: ev.IterationFinished, at: str) -> None:
    book.passes[-1] = structs.replace(book.passes[-1], findings=book.run.findings, state_after=event.state_hash, over=True)


def _wrong(book: Chronicle, label: Label, at: str, text: str) -> None:
    book.troubles.append(Trouble(book.run.iteration, at, label, text))


# Who was waited for, and what came of it


def _asks(book: Chronicle, event: ev.ApprovalRequested, at: str) -> None:
    _waits(book, "approval", f"{event.tool} {event.summary}", at)


def _asks_verdict(book: Chronicle, event: ev.VerdictAsked, at: str) -> None:
    _waits(book, "verdict", event.check, at)


def _clashed(book: Chronicle, event: ev.StateClashed, at: str) -> None:
    _waits(book, "state", event.theirs, at)


def _backs_off(book: Chronicle, event: ev.WaitStarted, at: str) -> None:
    _waits(book, "back_off", event.cause, at)


def _stands(book: Chronicle, event: ev.RunPaused, at: str) -> None:
    _done(book, at)
    _waits(book, event.cause, event.why or event.by, at)


def _waits(book: Chronicle, awaited: Awaited, subject: str, at: str) -> None:
    book.waits.append(Wait(book.run.iteration, at, awaited, subject))


def _decided(book: Chronicle, event: ev.ApprovalDecided, at: str) -> None:
    word = "approved" if event.approved else "denied"
    edited = " as edited" if event.arguments else ""
    span = f" for {written(event.for_s)}" if event.for_s else ""
    always = f", from now on {event.always}{span}" if event.always and event.approved else ""
    _done(book, at, f"{word}{edited}{always}", event.by, event.why)


def _lapsed(book: Chronicle, event: ev.ApprovalLapsed, at: str) -> None:
    _done(book, at, "lapsed", "", event.why)


def _graded(book: Chronicle, event: ev.VerdictGiven, at: str) -> None:
    _done(book, at, "passed" if event.passed else "failed", event.by, event.why)


def _cleared(book: Chronicle, event: ev.StateSettled, at: str) -> None:
    _done(book, at, "settled", event.by)


def _waited(book: Chronicle, event: ev.WaitEnded, at: str) -> None:
    _done(book, at, "over")


def _ended(book: Chronicle, event: ev.RunEnded, at: str) -> None:
    _done(book, at, "the run ended")


def _done(book: Chronicle, at: str, answer: str = "", by: str = "", why: str = "") -> None:
    """What is waited for, if anything is, is there."""
    if book.waits and not book.waits[-1].until:
        book.waits[-1] = structs.replace(book.waits[-1], until=at, answer=answer, by=by, why=why)


# What people did unasked


def _pause(book: Chronicle, event: ev.PauseAsked, at: str) -> None:
    _did(book, "pause", at, event.by)


def _resumed(book: Chronicle, event: ev.RunResumed, at: str) -> None:
    stood = book.waits and not book.waits[-1].until and book.waits[-1].awaited in ("pause", "hold", "stall")
    if stood:
        _done(book, at, "resumed", event.by)
    else:
        _did(book, "resume", at, event.by)


def _hold(book: Chronicle, event: ev.HoldSet, at: str) -> None:
    _did(book, "hold", at, event.by)


def _nudged(book: Chronicle, event: ev.Nudged, at: str) -> None:
    _did(book, "nudge", at, event.by, event.text)


def _set(book: Chronicle, event: ev.SettingChanged, at: str) -> None:
    _did(book, "set", at, event.by, f"{event.key}: {event.old} → {event.new}")


def _stop(book: Chronicle, event: ev.StopAsked, at: str) -> None:
    _done(book, at, "stopped")
    _did(book, "stop", at, event.by, event.why)


def _taken(book: Chronicle, event: ev.CommandTaken, at: str) -> None:
    if event.refused:
        _did(book, "refused", at, event.by, f"{event.verb}: {event.refused}")


def _did(book: Chronicle, deed: Deed, at: str, by: str, text: str = "") -> None:
    book.touches.append(Touch(book.run.iteration, at, deed, by, text))


_RULES: dict[type, Callable[..., None]] = {
    ev.IterationStarted: _began,
    ev.ModelCallSettled: _settled,
    ev.LimitReached: _no_room,
    ev.ModelCallReserved: _reserved,
    ev.ToolCallRefused: _refused,
    ev.ToolCallFinished: _returned,
    ev.ToolCallLost: _lost,
    ev.RunnerStarted: _runner,
    ev.CheckFinished: _checked,
    ev.CheckSkipped: _skipped,
    ev.IterationFinished: _over,
    ev.ApprovalRequested: _asks,
    ev.VerdictAsked: _asks_verdict,
    ev.StateClashed: _clashed,
    ev.WaitStarted: _backs_off,
    ev.RunPaused: _stands,
    ev.ApprovalDecided: _decided,
    ev.ApprovalLapsed: _lapsed,
    ev.VerdictGiven: _graded,
    ev.StateSettled: _cleared,
    ev.WaitEnded: _waited,
    ev.RunEnded: _ended,
    ev.PauseAsked: _pause,
    ev.RunResumed: _resumed,
    ev.HoldSet: _hold,
    ev.Nudged: _nudged,
    ev.SettingChanged: _set,
    ev.StopAsked: _stop,
    ev.CommandTaken: _taken,
}
