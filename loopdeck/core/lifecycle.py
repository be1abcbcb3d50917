"""The life of a run: status x event -> status, in one table.

                 RunStarted            ApprovalRequested, VerdictAsked, StateClashed
      queued ───────────────▶ running ───────────────────────────────────────────────▶ asking
        │                      │  ▲ ▲◀──────────────────────────────────────────────────┘ │
        │            WaitStarted  │ └───────────── RunResumed ──────────── paused ◀─┐      │ ApprovalDecided, ApprovalLapsed,
        │                      ▼  │ WaitEnded                                       │      │ VerdictGiven, StateSettled: back to running
        │                    waiting ─────────────────── RunPaused ─────────────────┤      │
        │                         running ────────────── RunPaused ─────────────────┘      │
        └────────── StopAsked: from every status ─────────▶ stopping ── RunEnded ──▶ ended ┘

Rules the table states:
- `RunEnded` may come from every status but `ended`, and nothing may follow it.
- Work (model calls, tools, checks, iterations) happens only while `running`; while `stopping`, what was under way may still finish,
  and a model call that was let go may be settled while the run stands still, as may a call or a check end in the moment of a pause.
- What only tells (a new runner, its door, a command taken, a nudge, a changed setting, a notice) is allowed in every status but
  `ended`, and changes none.
- `hung` (alive, silent) and `lost` (the runner is gone) are what an observer sees; no event leads there.

An event the table does not allow is our bug where it is made, and damage where it is read.
"""

from typing import Literal

from loopdeck.core import agentevents as ae
from loopdeck.core import childevents as ce
from loopdeck.core import events as ev
from loopdeck.errors import Bug

Status = Literal["idle", "queued", "running", "asking", "waiting", "paused", "hung", "stopping", "ended"]
Phase = Literal["setup", "maker", "checks", "deciding"]

_LIVE: tuple[Status, ...] = ("queued", "running", "asking", "waiting", "paused", "stopping")

_STANDING: tuple[Status, ...] = ("asking", "waiting", "paused")

_TELLING: tuple[type, ...] = (
    ev.RunnerStarted, ev.CommandTaken, ev.HoldSet, ev.Nudged, ev.SettingChanged, ev.NoticeRaised, ev.DoorChosen,
    ev.PauseAsked,
)  # fmt: skip
_WORK: tuple[type, ...] = (
    ev.WorkspacePrepared, ev.IterationStarted, ev.ModelCallReserved, ev.ModelCallSettled, ev.LimitReached, ev.ToolCallGranted,
    ev.ToolCallRefused, ev.ToolCallFinished, ev.ToolCallLost, ev.MakerFinished, ev.WorkCommitted, ev.CheckFinished,
    ev.CheckSkipped, ev.IterationFinished, ae.AgentTurnStarted, ae.AgentSessionNamed, ae.AgentTurnFinished, ae.ToolCallAsked,
    ae.TriageFinished, ce.ChildStarted, ce.ChildEnded,
)  # fmt: skip
_FINISHING: tuple[type, ...] = (
    ev.ModelCallSettled,
    ev.ToolCallFinished,
    ev.ToolCallLost,
    ev.CheckFinished,
    ev.WorkCommitted,
    ev.IterationFinished,
    ae.AgentTurnFinished,
    ce.ChildEnded,
)

_CAUGHT: tuple[type, ...] = (ev.ToolCallFinished, ev.ToolCallLost, ev.CheckFinished, ce.ChildEnded)
"""What may come to its end in the very moment in which the commands of a run are stopped."""

_OF_AN_AGENT: tuple[type, ...] = (ev.ToolCallFinished, ev.ToolCallLost, ae.AgentSessionNamed, ae.AgentTurnFinished)
"""What an outside agent may still be heard of while it waits for a person, or stands still."""

TABLE: dict[tuple[Status, type], Status] = {
    ("idle", ev.RunQueued): "queued",
    ("queued", ev.RunStarted): "running",
    **{("running", kind): "running" for kind in _WORK},
    **{("stopping", kind): "stopping" for kind in _FINISHING},
    # An outside agent's calls overlap with its questions and with a pause; what one of them cost is a fact at any time.
    **{(status, ev.ModelCallSettled): status for status in _STANDING},
    **{("asking", kind): "asking" for kind in _OF_AN_AGENT},
    **{("paused", kind): "paused" for kind in _OF_AN_AGENT},
    **{("paused", kind): "paused" for kind in _CAUGHT},
    **{(status, kind): status for status in _LIVE for kind in _TELLING},
    ("running", ev.WaitStarted): "waiting",
    ("waiting", ev.WaitEnded): "running",
    ("running", ev.ApprovalRequested): "asking",
    ("running", ev.VerdictAsked): "asking",
    ("running", ev.StateClashed): "asking",
    ("asking", ev.ApprovalDecided): "running",
    ("asking", ev.ApprovalLapsed): "running",
    ("asking", ev.VerdictGiven): "running",
    ("asking", ev.StateSettled): "running",
    ("running", ev.RunPaused): "paused",
    ("waiting", ev.RunPaused): "paused",
    ("paused", ev.RunResumed): "running",
    ("running", ev.RunResumed): "running",
    ("waiting", ev.RunResumed): "waiting",
    ("asking", ev.RunResumed): "asking",
    ("queued", ev.RunResumed): "queued",
    **{(status, ev.StopAsked): "stopping" for status in _LIVE},
    **{(status, ev.RunEnded): "ended" for status in _LIVE},
}
"""Every allowed pair. What is not here is not allowed."""


def after(status: Status, event: ev.Event) -> Status:
    """The status that `event` leads to. Raises Bug if the lifecycle does not allow it."""
    try:
        return TABLE[status, type(event)]
    except KeyError:
        raise Bug(f"{type(event).__name__} is not allowed while a run is {status}") from None
