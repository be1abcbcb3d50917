"""The trace: everything a run did, to be shown and searched. Its lines are linked where each life of the runner begins and at seals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from loopdeck.core.trace import AnyTraceEvent, TraceEvent
from loopdeck.core.unknown import Unknown
from loopdeck.store.lines import START, Entry, LogFormat, Mark
from loopdeck.store.log import LogWriter, Redact
from loopdeck.store.reading import Verification, batches, last, verify
from loopdeck.store.tail import Tail
from loopdeck.store.window import Window

TRACE: LogFormat[TraceEvent] = LogFormat(TraceEvent, linked=False)

TraceEntry = Entry[TraceEvent | Unknown]
TraceTail = Tail[TraceEvent]
TraceWindow = Window[TraceEvent]


class TraceWriter(LogWriter[TraceEvent]):
    """The only writer of a run's trace."""

    __slots__ = ()

    @classmethod
    def open(cls, path: Path, epoch: int, redact: Redact) -> Self:
        """The writer of the trace at `path`, in the runner's life `epoch` (from 1). Raises StoreError, see `LogWriter.opened`."""
        return cls.opened(TRACE, path, epoch, redact)


def read_trace(path: Path) -> Iterator[AnyTraceEvent]:
    """All its events that can be read, one after the other. Raises StoreError if the system refuses."""
    for batch in batches(TRACE, path):
        for entry in batch.entries:
            yield entry.event


def last_of_trace(path: Path, count: int) -> list[TraceEntry]:
    """Its last `count` entries, oldest first, at once however long it is. Raises StoreError."""
    return last(TRACE, path, count)


def tail_trace(path: Path, mark: Mark = START) -> TraceTail:
    """Follows the trace from `mark` on."""
    return Tail(TRACE, path, mark)


def window_on_trace(path: Path) -> TraceWindow:
    """Any lines of the trace by number, and a search in it."""
    return Window(TRACE, path)


def verify_trace(path: Path) -> Verification:
    """Is the trace untouched, as far as its seals go? Raises StoreError if the system refuses."""
    return verify(TRACE, path)
