"""The last lines of a run's trace, for a glance at it."""

from loopdeck.core.traceline import line
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import last_of_trace

_LAST = 6


def glance(paths: RunPaths, last: int = _LAST) -> tuple[str, ...]:
    """The last lines of the trace, oldest first; raw text of the agent's is in them. Raises StoreError."""
    found = last_of_trace(paths.trace, last)
    return tuple(line(one.at, one.event) for one in found)
