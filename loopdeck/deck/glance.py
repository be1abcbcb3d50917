"""The last lines of a run's trace, for a glance at it."""

from loopdeck.core.trace import AnyTraceEvent
from loopdeck.core.traceline import line
from loopdeck.core.unknown import Unknown
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import last_of_trace

_LAST = 6


def glance(paths: RunPaths, last: int = _LAST) -> tuple[str, ...]:
    """The last lines of the trace, oldest first; raw text of the agent's is in them. Raises StoreError."""
    found = last_of_trace(paths.trace, last)
    return tuple(line(one.at, _kind(one.event), one.event) for one in found)


def _kind(event: AnyTraceEvent) -> str:
    return event.kind if isinstance(event, Unknown) else str(event.__struct_config__.tag)
