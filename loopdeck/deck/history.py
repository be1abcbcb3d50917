"""A run's history read from its journal, and read on as the journal grows.

Reads files, for a worker: never on the UI thread. A journal is read once, from its beginning; after that only what has been added.
"""

from loopdeck.core.fold import Stamp
from loopdeck.deck.chronicle import Chronicle
from loopdeck.deck.passes import History
from loopdeck.errors import Bug
from loopdeck.store.journal import JOURNAL
from loopdeck.store.layout import RunPaths
from loopdeck.store.lines import START
from loopdeck.store.reading import batches


class HistoryReader:
    """The history of the run at `paths`. For one caller at a time."""

    def __init__(self, paths: RunPaths) -> None:
        self.paths = paths
        self._mark = START
        self._book = Chronicle()
        self._broken = ""
        self._told: History | None = None

    def look(self) -> History:
        """As the journal is now; the same value as before if nothing was added. Raises StoreError if the system refuses."""
        before = self._mark
        damage = self._broken or self._read_on()
        if self._told is None or self._mark != before or damage != self._told.damage:
            self._told = self._book.history(damage)
        return self._told

    def _read_on(self) -> str:
        """Take what was added; returns where and why it goes no further, if it doesn't."""
        name = self.paths.journal.name
        for batch in batches(JOURNAL, self.paths.journal, self._mark):
            for entry in batch.entries:
                try:
                    self._book.take(entry.event, Stamp(entry.at, entry.clock, entry.epoch))
                except Bug as error:
                    # What came before it in this batch is taken, so nothing may be read a second time.
                    self._broken = f"{name}, event {entry.seq}: {error.what}"
                    return self._broken
            self._mark = batch.mark
            if batch.damage is not None:
                return f"{name}:{batch.damage.line}: {batch.damage.what}"
        return ""
