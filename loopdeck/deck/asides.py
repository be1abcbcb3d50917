"""What happened to a run beside its trace: what people did, what was asked of them, how it began and ended.

Read from the run's journal and from the names of its loop's state versions, whenever they have grown; for a worker. Invariant: nothing
is written for it a second time, and what is told of an event depends on that event alone (and on the iteration it fell in).
"""

from collections.abc import Iterator

from msgspec import Struct

from loopdeck.core import events as ev
from loopdeck.core.durations import written
from loopdeck.core.unknown import Unknown
from loopdeck.store.journal import JOURNAL
from loopdeck.store.layout import RunPaths
from loopdeck.store.lines import START
from loopdeck.store.reading import batches
from loopdeck.store.state import LoopState, Version

ASIDES = ("start", "asked", "answer", "pause", "resume", "hold", "set", "nudge", "edit", "stop", "reject", "runner", "end")
"""Their kinds, which are words of at most six letters."""


class Aside(Struct, frozen=True):
    """One of them, `at` a time (UTC, RFC 3339). `head` is in our words, `said` in somebody else's; `trouble` marks a bad end."""

    at: str
    kind: str
    iteration: int
    head: str
    said: str = ""
    trouble: bool = False


class Asides:
    """Those of the run at `paths`; the edits are of `state`. For one caller at a time."""

    def __init__(self, paths: RunPaths, state: LoopState) -> None:
        self._paths = paths
        self._state = state
        self._mark = START
        self._iteration = 0
        self._epoch = 0
        self._found: list[Aside] = []
        self._over = False

    def look(self) -> tuple[Aside, ...]:
        """All there are now, by their time. What can't be read any more ends them. Raises StoreError."""
        for batch in batches(JOURNAL, self._paths.journal, self._mark):
            for entry in batch.entries:
                # What a runner writes that lost its lease does not count.
                if entry.epoch >= self._epoch:
                    self._epoch = entry.epoch
                    self._take(entry.at, entry.event)
            self._mark = batch.mark
        return tuple(sorted((*self._found, *self._edits()), key=lambda one: one.at))

    def _take(self, at: str, event: ev.AnyEvent) -> None:
        if isinstance(event, ev.IterationStarted):
            self._iteration = event.iteration
        elif not isinstance(event, Unknown):
            self._over = self._over or isinstance(event, ev.RunEnded)
            self._found += [_aside(at, self._iteration, kind, *words) for kind, *words in _told(event)]

    def _edits(self) -> Iterator[Aside]:
        """Versions of the state that a person made while the run was there."""
        if not self._found:
            return
        first, last = self._found[0].at, self._found[-1].at if self._over else "~"
        for one in self._state.history():
            if one.author == "operator" and first <= one.at <= last and one.note != "initial":
                yield Aside(one.at, "edit", self._iteration_at(one.at), _edited(one))

    def _iteration_at(self, at: str) -> int:
        return max((one.iteration for one in self._found if one.at <= at), default=0)


def _edited(version: Version) -> str:
    return f"the state, version {version.number}, by hand" + (" (kept aside)" if version.kept else "")


def _aside(at: str, iteration: int, kind: str, head: str, said: str = "") -> Aside:
    return Aside(at, kind, iteration, head, said, trouble=kind == "reject" or (kind == "end" and not head.startswith("done")))


def _told(event: ev.AnyEvent) -> Iterator[tuple[str, ...]]:
    """Kind and words of what is told of an event; nothing for most of them."""
    match event:
        case ev.RunQueued():
            yield "start", f"by {event.by or 'a trigger'}", event.input
        case ev.RunnerStarted(life=life) if life > 1:
            yield "runner", f"life {life} goes on, as process {event.pid}"
        case ev.ApprovalRequested():
            yield "asked", f"to approve {event.tool}: {event.tier}, by rule {event.rule}", event.summary
        case ev.ApprovalDecided():
            span = f" for {written(event.for_s)}" if event.for_s else ""
            edited, always = " as edited" if event.arguments else "", f", from now on {event.always}{span}" if event.always else ""
            place = f" ({event.where})" if event.where else ""
            yield (
                "answer",
                f"{'approved' if event.approved else 'denied'}{edited} by {event.by}{place}{always}",
                event.why or event.arguments,
            )
        case ev.ApprovalLapsed():
            yield "lapsed", f"{event.approval} is asked anew", event.why
        case ev.VerdictAsked():
            yield "asked", f"for the verdict of '{event.check}'"
        case ev.VerdictGiven():
            yield "answer", f"'{event.check}' {'passed' if event.passed else 'failed'} by {event.by}", event.why
        case ev.StateClashed():
            yield "asked", "which state holds: maker and operator both changed it"
        case ev.StateSettled():
            yield "answer", f"the state is settled by {event.by}"
        case _:
            yield from _by_hand(event)


def _by_hand(event: ev.AnyEvent) -> Iterator[tuple[str, ...]]:
    """The same for the operator's hand, and what came of it."""
    match event:
        case ev.PauseAsked():
            yield "pause", f"asked for by {event.by}" + (", at once" if event.now else "")
        case ev.RunPaused():
            who = f" of {event.by}" if event.by else ""
            yield "pause", f"it stands still: {event.cause}{who}", event.why
        case ev.RunResumed():
            yield "resume", f"by {event.by}"
        case ev.HoldSet():
            yield "hold", f"before the next iteration, by {event.by}"
        case ev.Nudged():
            yield "nudge", f"by {event.by}", event.text
        case ev.SettingChanged():
            yield "set", f"{event.key}: {event.old or 'none'} → {event.new or 'none'}, by {event.by}"
        case ev.StopAsked():
            yield "stop", f"asked for by {event.by}" + (", at once" if event.now else ""), event.why
        case ev.CommandTaken(refused=why) if why:
            yield "reject", f"{event.verb} by {event.by or 'somebody'} had no effect", why
        case ev.RunEnded():
            what = event.limit or event.detector
            yield "end", event.reason + (f", {what}" if what else "") + (f", by {event.by}" if event.by else ""), event.why
        case _:
            return
