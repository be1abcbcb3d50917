"""The operator's hand: what each command comes to, as events.

A command that can't have an effect any more (an approval already answered, a run that is not paused) is taken and refused with the
reason, so that nobody wonders where it went.
"""

from collections.abc import Sequence
from typing import TypeVar

from msgspec import structs

from loopdeck.core import commands as cmd
from loopdeck.core import events as ev
from loopdeck.core import limits
from loopdeck.core.durations import seconds
from loopdeck.core.findings import SEVERITIES
from loopdeck.core.happening import Settings
from loopdeck.core.run import Run
from loopdeck.core.usage import dollars, picodollars
from loopdeck.errors import UsageError

N = TypeVar("N", int, float)

Effect = (
    ev.PauseAsked | ev.RunResumed | ev.HoldSet | ev.Nudged | ev.SettingChanged | ev.StopAsked | ev.ApprovalDecided | ev.VerdictGiven
    | ev.StateSettled
)  # fmt: skip
"""What a command may come to."""

KEYS = (
    "max_iterations", "max_cost_usd", "max_tokens", "max_wall", "max_tool_calls", "no_progress", "severity_floor",
    "final_pass", "model",
)  # fmt: skip
"""What `set` can change in a live run."""

_FIELDS = {"max_cost_usd": "max_cost", "max_wall": "max_wall_s"}
_MOST = {
    "max_iterations": limits.MAX_ITERATIONS, "max_tokens": limits.MAX_TOKENS, "max_tool_calls": limits.MAX_TOOL_CALLS,
    "no_progress": limits.MAX_NO_PROGRESS,
}  # fmt: skip


def answer(run: Run, command_id: str, command: cmd.Command, state_hash: str) -> Sequence[ev.Event]:
    """The events that `command` comes to; `state_hash` is that of the loop's state on disk now.

    Empty if it was taken before, or the run has ended, whose journal nothing may follow.
    """
    if command_id in run.commands or run.status == "ended":
        return ()
    refused, effects = _effects(run, command, state_hash)
    verb = type(command).__name__.lower()
    return (
        *(structs.replace(effect, command=command_id) for effect in effects),
        ev.CommandTaken(command_id, verb, by=command.by, refused=refused, where=command.where),
    )


def _effects(run: Run, command: cmd.Command, state_hash: str) -> tuple[str, tuple[Effect, ...]]:
    if run.status == "stopping" and not isinstance(command, cmd.Kill):
        return "it is being stopped", ()
    match command:
        case cmd.Pause(by=by, now=now):
            return _unless(run.status == "paused", "it is paused already", ev.PauseAsked(by, now))
        case cmd.Resume(by=by):
            return _resume(run, by, state_hash)
        case cmd.Hold(by=by):
            return "", (ev.HoldSet(by),)
        case cmd.Kill(by=by, why=why, now=now):
            return "", (ev.StopAsked(by, why, now),)
        case cmd.Nudge(by=by, text=text):
            return "", (ev.Nudged(text, by),)
        case cmd.Set(by=by, key=key, value=value):
            return _set(run, by, key, value)
        case cmd.Decide():
            return _decide(run, command)
        case cmd.Judge(by=by, check=check, passed=passed, why=why):
            waits = run.asking == "verdict" and run.asking_for == check
            return _unless(not waits, f"no verdict of '{check}' is awaited", ev.VerdictGiven(check, passed, by, why))


def _unless(refuse: bool, why: str, event: Effect) -> tuple[str, tuple[Effect, ...]]:
    return (why, ()) if refuse else ("", (event,))


def _resume(run: Run, by: str, state_hash: str) -> tuple[str, tuple[Effect, ...]]:
    if run.asking == "state":
        return "", (ev.StateSettled(state_hash, by),)
    idle = run.status != "paused" and not run.pause_wanted and not run.hold
    return _unless(idle, "it is not paused", ev.RunResumed(by))


def _decide(run: Run, command: cmd.Decide) -> tuple[str, tuple[Effect, ...]]:
    approval = run.approvals.get(command.approval)
    if approval is None:
        return f"there is no approval {command.approval}", ()
    if approval.decided:
        return f"{approval.by} has answered it before" if approval.by else f"it has lapsed: {approval.why}", ()
    if command.approved and command.digest != approval.digest:
        return "the yes is to another question than the one that is asked", ()
    decided = ev.ApprovalDecided(
        command.approval, command.approved, command.by, command.why, command.arguments, command.always, command.at, command.where,
        command.for_s, command.bound,
    )  # fmt: skip
    return "", (decided,)


def _set(run: Run, by: str, key: str, value: str) -> tuple[str, tuple[Effect, ...]]:
    try:
        old, new, settings = changed(run.settings, key, value)
    except UsageError as error:
        return error.what, ()
    return "", (ev.SettingChanged(key, old, new, by, settings),)


def changed(settings: Settings, key: str, value: str) -> tuple[str, str, Settings]:
    """Old value, new value (as text) and the settings with `key` set to `value`. Raises UsageError."""
    name = key.removeprefix("exit.").removeprefix("maker.")
    if name not in KEYS:
        raise UsageError(f"'{key}' can't be set on a live run", remedy=f"One of: {', '.join(KEYS)}.")
    field, parsed = _parsed(name, value.strip())
    new = structs.replace(settings, **{field: parsed})
    return worded(settings, name), worded(new, name), new


def worded(settings: Settings, key: str) -> str:
    """The setting of that `set` key as it is written in a loop file."""
    field = _FIELDS.get(key, key)
    value = getattr(settings, field)
    match field:
        case _ if value is None:
            return "none"
        case "max_cost":
            return f"{dollars(value):.10g}"
        case "max_wall_s":
            return f"{value:.10g}s"
        case "no_progress" if not value:
            return "false"
        case _:
            return str(value).lower() if isinstance(value, bool) else str(value)


def _parsed(name: str, value: str) -> tuple[str, object]:
    try:
        match name:
            case "max_iterations" | "max_tokens" | "max_tool_calls":
                return name, _within(int(value), 1, _MOST[name])
            case "no_progress":
                return name, 0 if value.lower() in ("false", "off", "0") else _within(int(value), 1, _MOST[name])
            case "max_cost_usd":
                return "max_cost", picodollars(_within(float(value), limits.LEAST_DOLLARS, limits.MAX_DOLLARS))
            case "max_wall":
                return "max_wall_s", _within(seconds(value) or 0.0, limits.LEAST_WALL_S, limits.YEAR_S)
            case "severity_floor" if value in SEVERITIES:
                return name, value
            case "final_pass" if value in ("true", "false"):
                return name, value == "true"
            case "model" if value:
                return name, value
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"'{value}' is no value for {name}", remedy="Write it as in a loop file's [exit], for example 8, 2.50 or 30m.")


def _within(number: N, least: float, most: float) -> N:
    if not least <= number <= most:
        raise ValueError(number)
    return number
