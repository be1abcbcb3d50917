"""The run's own record: its journal and trace on disk, and the run they fold into.

The only place where events are made to have happened: first the lifecycle is asked, then the line is written, then the fold applied.
"""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import structs

from loopdeck.core import ends, fold, lifecycle
from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.conversation import Part
from loopdeck.core.redact import Redactor
from loopdeck.core.run import Run
from loopdeck.runner.stopwatch import Stopwatch
from loopdeck.store.blobs import Blobs
from loopdeck.store.files import write_atomic
from loopdeck.store.folded import load_run, save_checkpoint
from loopdeck.store.journal import JournalWriter
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import TraceWriter, read_trace

INLINE = 8192
"""Texts longer than this, in bytes, go to a blob and are cut in the trace."""
CHECKPOINT_EVERY = 200
"""Journal events between checkpoints: few enough that a reader folds the rest in a millisecond."""
_ACTIVE = ("running", "waiting", "stopping")
"""Statuses in which the run's clock goes on."""


class Record:
    """Journal, trace, blobs and fold of one run, in the hands of their one writer."""

    def __init__(self, paths: RunPaths, epoch: int, redact: Redactor) -> None:
        self.paths = paths
        self.redact = redact
        self._epoch = epoch
        self._journal = JournalWriter.open(paths.journal, epoch, redact)
        self._trace = TraceWriter.open(paths.trace, epoch, redact)
        self._blobs = Blobs(paths.blobs)
        self.run: Run = load_run(paths).run
        self._watch = Stopwatch(self.run.clock)
        self._watch.go(self.run.status in _ACTIVE)
        self._since_checkpoint = 0

    @property
    def dead(self) -> bool:
        """True if the journal takes nothing more."""
        return self._journal.dead

    @property
    def in_place(self) -> tuple[tuple[Path, bool], ...]:
        """Of each file that is written here: is it where others read it?"""
        return ((self.paths.journal, self._journal.in_place), (self.paths.trace, self._trace.in_place))

    @property
    def seq(self) -> int:
        """The number of the next journal event."""
        return self._journal.seq

    def now(self) -> str:
        """UTC now, RFC 3339."""
        return self.later(0.0)

    def later(self, seconds: float) -> str:
        """UTC `seconds` from now, RFC 3339."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def is_late(self) -> bool:
        """True if the run has used up its time, by the clock as it is now."""
        most = self.run.settings.max_wall_s
        return most is not None and self._watch.read() >= most

    def seal(self) -> None:
        """Close the stretch of the trace written so far against changes. Raises StoreError."""
        self._trace.seal()

    def happened(self, event: ev.Event, *, durable: bool = False) -> None:
        """Write `event` down and fold it. Raises Bug if the lifecycle forbids it, StoreError if it can't be written."""
        lifecycle.after(self.run.status, event)
        stamp = fold.Stamp(self.now(), round(self._watch.read(), 3), self._epoch)
        self._journal.append(event, at=stamp.at, clock=stamp.clock, durable=durable)
        fold.apply(self.run, event, stamp)
        self._watch.go(self.run.status in _ACTIVE)
        self._since_checkpoint += 1
        if self._since_checkpoint >= CHECKPOINT_EVERY:
            self.checkpoint()

    def foreseen(self, event: ev.Event) -> Run:
        """The run as it will be after `event`."""
        run = copy.deepcopy(self.run)
        return fold.apply(run, event, fold.Stamp(self.now(), round(self._watch.read(), 3), self._epoch))

    def traced(self, event: tr.TraceEvent) -> None:
        """Write `event` into the trace. Raises StoreError."""
        self._trace.append(event, at=self.now(), clock=round(self._watch.read(), 3))

    def waited(self) -> None:
        """Write the back-off under way into the trace."""
        if self.run.wait is not None:
            self.traced(tr.Waited(self.run.iteration, self.run.wait.cause, self.run.wait.seconds))

    def checkpoint(self) -> None:
        """Save the fold, so that readers need not begin at the beginning."""
        save_checkpoint(self.paths, self.run, self._journal)
        self._since_checkpoint = 0

    def keep(self, content: bytes | str) -> str:
        """Keep it as a blob; returns its SHA-256. Raises StoreError."""
        return self._blobs.put(self.redact.raw(content if isinstance(content, bytes) else content.encode("utf-8", "replace")))

    def text_of(self, blob: str) -> str:
        """The text of a blob. Raises StoreError."""
        return self._blobs.get(blob).decode("utf-8", "replace")

    def short(self, text: str) -> tuple[str, str]:
        """`text` as it fits into the trace, and the blob that has it whole (none if it fits)."""
        data = text.encode("utf-8", "replace")
        if len(data) <= INLINE:
            return text, ""
        half = INLINE // 2
        head, tail = ends.head(data, half).decode("utf-8", "ignore"), ends.tail(data, half).decode("utf-8", "ignore")
        return f"{head}\n[… {len(data) - INLINE} bytes …]\n{tail}", self.keep(data)

    def write_report(self, text: str) -> None:
        """Put the run's report beside its journal."""
        write_atomic(self.paths.report, self.redact.text(text).encode("utf-8", "replace"))

    def entries_of(self, iteration: int) -> Iterator[tr.AnyTraceEvent]:
        """The trace of one iteration, whole texts put back."""
        for event in read_trace(self.paths.trace):
            if getattr(event, "iteration", 0) != iteration:
                continue
            if isinstance(event, tr.ToolReturned) and event.blob:
                yield structs.replace(event, output=self.text_of(event.blob))
            else:
                yield event

    def instruction_sent(self) -> tuple[Part, ...]:
        """The changing parts of the maker's prompt in this iteration, as they were first sent; empty if nothing was."""
        for event in self.entries_of(self.run.iteration):
            if isinstance(event, tr.PromptSent) and event.role == "maker":
                return tuple(Part(one.name, self.text_of(one.blob), one.source) for one in event.parts if not one.stable)
        return ()

    def close(self) -> None:
        """Let go of the files."""
        self._journal.close()
        self._trace.close()
