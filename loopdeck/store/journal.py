"""The journal: the small control facts of a run, each linked to the one before. Its status is folded from nothing else."""

from pathlib import Path
from typing import Self

from loopdeck.core.events import Event
from loopdeck.store.lines import START, LogFormat, Mark
from loopdeck.store.log import LogWriter, Redact
from loopdeck.store.reading import LogRead, Verification, read, verify
from loopdeck.store.tail import Tail

JOURNAL: LogFormat[Event] = LogFormat(Event, linked=True)

JournalRead = LogRead[Event]
JournalTail = Tail[Event]


class JournalWriter(LogWriter[Event]):
    """The only writer of a run's journal."""

    __slots__ = ()

    @classmethod
    def open(cls, path: Path, epoch: int, redact: Redact) -> Self:
        """The writer of the journal at `path`, in the runner's life `epoch` (from 1). Raises StoreError, see `LogWriter.opened`."""
        return cls.opened(JOURNAL, path, epoch, redact)


def read_journal(path: Path, mark: Mark = START) -> JournalRead:
    """All entries behind `mark`, with the damage that ended them. Raises StoreError if the system refuses."""
    return read(JOURNAL, path, mark)


def tail_journal(path: Path, mark: Mark = START) -> JournalTail:
    """Follows the journal from `mark` on."""
    return Tail(JOURNAL, path, mark)


def verify_journal(path: Path) -> Verification:
    """Is the journal untouched? Raises StoreError if the system refuses."""
    return verify(JOURNAL, path)
