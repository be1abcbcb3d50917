"""What is to be done about the runs of a deck, decided from what was seen of them. Pure: time and observations are arguments.

        no lease was ever held                    lease held                      lease free, though it was held
      ┌───────────┬────────────┐          ┌───────────┬───────────┐         ┌──────────────┬──────────────────┐
      unfrozen    queued       │          live        hung        │         leaving        dead               ended
      │           │            │          │           │                     │              │                  │
      MarkLost    Start        │          Adopt once  Wait: never replaced  Wait           Resume, or          nothing
      (old ones)  within       │                                                           MarkLost with
                  bounds                                                                   the evidence

Invariants: a run whose lease is held is never started, also not if its holder hangs; nor one that is being started; no run is started
twice in one plan. Starts keep to the bounds. Each failed life makes the next start wait longer, and there is a last one.
"""

from typing import Literal

from msgspec import Struct

from loopdeck.core.plural import some
from loopdeck.core.rescue import Tries

Standing = Literal["ended", "live", "hung", "starting", "leaving", "unfrozen", "queued", "dead"]

LEAVING_S = 5.0
"""How long a runner that has given its lease back may take to be gone."""


class LeaseSeen(Struct, frozen=True):
    """A run's lease: who holds or held it, how many seconds ago they said that they live, and whether that very process is there."""

    held: bool
    epoch: int = 0
    pid: int = 0
    ticks: int = 0
    nonce: str = ""
    boot_id: str = ""
    beat_age_s: float = 0.0
    alive: bool | None = None


NEVER = LeaseSeen(False)


class RunSeen(Struct, frozen=True):
    """One run. `key` tells it from all others of the deck; `agent` is its maker's kind; `age_s` is that of its folder.

    `frozen` says that what it is to do was written down; `starting` that a start of ours is under way; `steps` counts the iterations
    it has finished; `damage` and `said` are what is wrong with its journal, and the last words of its runner.
    """

    key: str
    agent: str = ""
    age_s: float = 0.0
    ended: bool = False
    frozen: bool = True
    starting: bool = False
    adopted: int = 0
    steps: int = 0
    damage: str = ""
    said: str = ""
    lease: LeaseSeen = NEVER
    tries: Tries = Tries()


class Bounds(Struct, frozen=True):
    """How many runs may have a runner at once, in all and of each agent; how many may be starting; bytes of memory to be left free.

    A runner is hung `hung_s` seconds after its last beat. One that is gone is followed by at most `lives` others that come to nothing,
    `pause_s` seconds after the first and twice as long after each other, `longest_s` at most; none if it was last seen more than
    `forget_s` ago. One that has lived for `steady_s` came to something. A run that nobody has started `grace_s` after its folder last
    changed was left by whoever made it.
    """

    max_runs: int
    per_agent: dict[str, int] = {}
    at_once: int = 8
    memory_floor: int = 0
    hung_s: float = 15.0
    lives: int = 5
    pause_s: float = 1.0
    longest_s: float = 300.0
    steady_s: float = 600.0
    forget_s: float = 86_400.0
    grace_s: float = 15.0


class DeckSeen(Struct, frozen=True):
    """All runs of the deck that may matter. `memory` is what is free, in bytes; `boot_id` that of the machine."""

    runs: tuple[RunSeen, ...]
    bounds: Bounds
    memory: int
    boot_id: str = ""
    draining: bool = False


class Start(Struct, frozen=True):
    """Start the first runner of a run. `tries` is to be written down before."""

    key: str
    tries: Tries


class Adopt(Struct, frozen=True):
    """A runner that this supervisor did not know yet holds the lease: it is left at its work, and known from now on."""

    key: str
    epoch: int
    pid: int


class Resume(Struct, frozen=True):
    """Start another runner on a run that has lost its own; `tries` is to be written down before."""

    key: str
    why: str
    tries: Tries


class MarkLost(Struct, frozen=True):
    """Start none any more, and say why."""

    key: str
    tries: Tries

    @property
    def evidence(self) -> str:
        """What speaks for it."""
        return self.tries.gave_up


class Wait(Struct, frozen=True):
    """Leave a run that has no runner at work as it is for now; why, and until when (0: until something changes)."""

    key: str
    why: str
    until: float = 0.0


Action = Start | Adopt | Resume | MarkLost | Wait


def standing(run: RunSeen, bounds: Bounds) -> Standing:
    """How it is with a run."""
    lease = run.lease
    if run.ended:
        return "ended"
    if lease.held:
        return "hung" if lease.beat_age_s > bounds.hung_s else "live"
    if run.starting:
        return "starting"
    if lease.epoch:
        return "leaving" if lease.alive and lease.beat_age_s < LEAVING_S else "dead"
    return "queued" if run.frozen else "unfrozen"


def plan(seen: DeckSeen, now: float) -> tuple[Action, ...]:
    """What to do now (seconds since the epoch). Runs that died come before those that have not begun, older ones before younger."""
    stands = {run.key: standing(run, seen.bounds) for run in seen.runs}
    room = _Room(seen, stands)
    actions: list[Action] = []
    for run in seen.runs:
        match stands[run.key]:
            case "live" if run.adopted != run.lease.epoch:
                actions.append(Adopt(run.key, run.lease.epoch, run.lease.pid))
            case "hung":
                actions.append(Wait(run.key, f"its runner {run.lease.pid} is silent and still holds the run"))
            case "unfrozen" if run.age_s > seen.bounds.grace_s and not run.tries.gave_up:
                why = "whoever made it was gone before it was written down what to do"
                actions.append(MarkLost(run.key, Tries(gave_up=why)))
    for wanted in ("dead", "queued"):
        actions += [_revive(run, seen, now, room) for run in seen.runs if stands[run.key] == wanted and _is_left(run, seen.bounds)]
    return tuple(actions)


def is_open(run: RunSeen) -> bool:
    """True if something may come of the run yet without a person: it has not ended, nor was it given up with nobody at it since."""
    return not run.ended and (run.lease.held or not (run.tries.gave_up and run.tries.epoch >= run.lease.epoch))


def _is_left(run: RunSeen, bounds: Bounds) -> bool:
    """True if it is for us to see to it, and nobody else is about to."""
    return is_open(run) and (run.lease.epoch > 0 or run.age_s > bounds.grace_s)


def _revive(run: RunSeen, seen: DeckSeen, now: float, room: "_Room") -> Action:
    """A runner for a run that has none; or a pause before it; or the end of trying."""
    tries = _counted(run, seen.bounds, now)
    if hopeless := _hopeless(run, tries, seen.bounds):
        return MarkLost(run.key, Tries(run.lease.epoch, tries.lives, tries.at, 0.0, run.steps, f"{hopeless}{_last(run.lease)}"))
    if tries.due > now:
        return Wait(run.key, "its runner is gone; another is started soon", tries.due)
    if full := room.full(run):
        return Wait(run.key, full)
    room.take(run)
    pause = min(seen.bounds.longest_s, seen.bounds.pause_s * 2.0 ** min(tries.lives, 30))
    after = Tries(run.lease.epoch, tries.lives + 1, now, now + pause, run.steps)
    return Resume(run.key, _fate(run.lease, seen.boot_id), after) if run.lease.epoch else Start(run.key, after)


def _hopeless(run: RunSeen, tries: Tries, bounds: Bounds) -> str:
    """Why no other runner is to be tried; empty if one is."""
    silent = run.lease.beat_age_s if run.lease.epoch else run.age_s
    if run.damage:
        return run.damage
    if not run.frozen:
        return "what it was to do is gone"
    if silent > bounds.forget_s:
        return (
            f"nobody was at it for {silent / 3600:.0f} h, and what is older than {bounds.forget_s / 3600:.0f} h is not resumed unasked"
        )
    if tries.lives >= bounds.lives:
        return f"{tries.lives} runners in a row came to nothing" + (f"; the last one said: {run.said}" if run.said else "")
    return ""


def _counted(run: RunSeen, bounds: Bounds, now: float) -> Tries:
    """The tries as they stand: none if the last life came to something, or somebody has started one since it was given up.

    What is due later than it can be was written before the clock was set back: it is due now.
    """
    tries = run.tries
    lived = now - run.lease.beat_age_s - tries.at if run.lease.epoch > tries.epoch else 0.0
    if tries.gave_up or run.steps > tries.steps or lived > bounds.steady_s:
        return Tries(steps=run.steps)
    return Tries(tries.epoch, tries.lives, tries.at, tries.due if tries.due <= now + bounds.longest_s else now, tries.steps)


def _last(lease: LeaseSeen) -> str:
    if not lease.epoch:
        return " (it never had a runner)"
    return f" (its last runner: process {lease.pid}, life {lease.epoch}, silent for {lease.beat_age_s:.0f} s)"


def _fate(lease: LeaseSeen, boot_id: str) -> str:
    """What has become of a runner that holds its lease no more."""
    if lease.boot_id and boot_id and lease.boot_id != boot_id:
        return "the machine was started anew"
    if lease.alive:
        return f"its runner {lease.pid} has given it up"
    return f"its runner {lease.pid} is gone"


class _Room:
    """How many more may be started, as this plan goes on."""

    def __init__(self, seen: DeckSeen, stands: dict[str, Standing]) -> None:
        self._bounds = seen.bounds
        self._draining = seen.draining
        self._short = 0 < seen.memory < seen.bounds.memory_floor
        have = [run for run in seen.runs if stands[run.key] in ("live", "hung", "starting", "leaving")]
        self._all = len(have)
        self._starting = sum(stands[run.key] == "starting" for run in have)
        self._agents: dict[str, int] = {}
        for run in have:
            self._agents[run.agent] = self._agents.get(run.agent, 0) + 1

    def full(self, run: RunSeen) -> str:
        """Why no runner can be started on `run` now; empty if one can."""
        most = self._bounds.per_agent.get(run.agent)
        if self._draining:
            return "the supervisor is leaving"
        if self._all >= self._bounds.max_runs:
            return f"{some(self._all, 'run has', 'runs have')} a runner, and {self._bounds.max_runs} may"
        if most is not None and self._agents.get(run.agent, 0) >= most:
            return f"{some(most, 'run')} of {run.agent} {'has' if most == 1 else 'have'} a runner, and no more may"
        if self._starting >= self._bounds.at_once:
            return f"{self._starting} runners are being started"
        # With nobody at work nobody will free any: waiting would be for ever.
        return "memory is short" if self._short and self._all else ""

    def take(self, run: RunSeen) -> None:
        """Count a start."""
        self._all += 1
        self._starting += 1
        self._agents[run.agent] = self._agents.get(run.agent, 0) + 1
