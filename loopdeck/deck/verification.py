"""Is a run's record as its runner wrote it? Looks at everything there is to look at, and changes nothing.

The logs' hash chain shows any change behind its last line; whoever can write the files can also write them all anew. So the head of the
chain is told: kept elsewhere, it proves the whole record later.
"""

from msgspec import Struct

from loopdeck.core.plural import some
from loopdeck.errors import LoopdeckError
from loopdeck.store.blobs import Blobs
from loopdeck.store.folded import load_run
from loopdeck.store.frozen import hash_of, thaw
from loopdeck.store.journal import verify_journal
from loopdeck.store.layout import RunPaths
from loopdeck.store.reading import Verification
from loopdeck.store.trace import verify_trace


class Looked(Struct, frozen=True):
    """One part of the record: its name, how much there is, what is `wrong` (empty if untouched), the head of its chain if any."""

    part: str
    size: str
    wrong: str = ""
    head: str = ""
    note: str = ""


def verified(paths: RunPaths) -> tuple[Looked, ...]:
    """The journal, the trace, the blobs, the frozen loop, each with what is wrong with it. Raises StoreError if it can't be read."""
    journal = _log("journal", paths.journal.name, verify_journal(paths.journal))
    trace = _log("trace", paths.trace.name, verify_trace(paths.trace))
    return journal, trace, _blobs(paths), _spec(paths)


def _log(part: str, file: str, found: Verification) -> Looked:
    damage = found.damage
    wrong = f"{file}:{damage.line}: {damage.what}" if damage else ""
    note = f"{found.torn} bytes of an unfinished line at the end, as a kill leaves them" if found.torn else ""
    return Looked(part, f"{some(found.lines, 'line')}", wrong, found.head, note)


def _blobs(paths: RunPaths) -> Looked:
    blobs = Blobs(paths.blobs)
    names = sorted(file.name for file in paths.blobs.iterdir() if not file.name.startswith(".")) if paths.blobs.is_dir() else []
    wrong: list[str] = []
    for name in names:
        try:
            blobs.get(name)
        except LoopdeckError as error:
            wrong.append(f"blobs/{name[:16]}: {error.what}")
    return Looked("blobs", f"{some(len(names), 'file')}", "; ".join(wrong[:5]) + (f"; {len(wrong) - 5} more" if len(wrong) > 5 else ""))


def _spec(paths: RunPaths) -> Looked:
    try:
        now = hash_of(thaw(paths.dir).spec)
    except LoopdeckError as error:
        return Looked("spec", "the loop as it was frozen", error.what)
    begun = load_run(paths).run.spec_hash
    wrong = "" if begun in ("", now) else f"it is {now[:12]}, and the run began with {begun[:12]}"
    return Looked("spec", "the loop as it was frozen", wrong, now)
