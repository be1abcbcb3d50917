"""A run as its journal tells it, read from the last checkpoint on.

Invariant: with a checkpoint or without, by this version or after an upgrade, the same journal gives the same run.
"""

import msgspec
from msgspec import Struct

from loopdeck import __version__
from loopdeck.core import entry as told
from loopdeck.core import fold
from loopdeck.core.run import Run
from loopdeck.errors import Bug
from loopdeck.store import card, checkpoint
from loopdeck.store.journal import JOURNAL, JournalWriter
from loopdeck.store.layout import RunPaths
from loopdeck.store.lines import START, Mark
from loopdeck.store.reading import batches


class Folded(Struct):
    """The run, the journal's mark it stands for, and where and why it goes no further, if it doesn't."""

    run: Run
    mark: Mark
    damage: str = ""


class _Kept(Struct):
    """A run in a checkpoint. A fold of another version may have made something else of the journal, so it names its own."""

    version: str
    fields: tuple[str, ...]
    run: Run


_decoder = msgspec.json.Decoder(_Kept)


def load_run(paths: RunPaths) -> Folded:
    """The run at `paths` as far as its journal can be read; an empty one if there is no journal. Raises StoreError."""
    folded = _from_checkpoint(paths) or Folded(Run(), START)
    run = folded.run
    for batch in batches(JOURNAL, paths.journal, folded.mark):
        for entry in batch.entries:
            try:
                fold.apply(run, entry.event, fold.Stamp(entry.at, entry.clock, entry.epoch))
            except Bug as error:
                folded.damage = f"{paths.journal.name}, event {entry.seq}: {error.what}"
                return folded
        folded.mark = batch.mark
        if batch.damage is not None:
            folded.damage = f"{paths.journal.name}:{batch.damage.line}: {batch.damage.what}"
    return folded


def save_checkpoint(paths: RunPaths, run: Run, journal: JournalWriter) -> None:
    """Keep `run` as what everything in `journal` folds to, and its card if that is the end of it. Raises StoreError."""
    # What is in the journal was redacted on its way there; the run in memory was not.
    checkpoint.save(paths, journal.mark, journal.fit(_Kept(__version__, Run.__struct_fields__, run)))
    if run.status == "ended":
        card.save(paths, journal.fit(told.entry(run)))


def _from_checkpoint(paths: RunPaths) -> Folded | None:
    found = checkpoint.load(paths)
    if found is None:
        return None
    try:
        kept = _decoder.decode(found.payload)
    except msgspec.MsgspecError:
        return None
    ours = kept.version == __version__ and kept.fields == Run.__struct_fields__
    return Folded(kept.run, found.mark) if ours else None
