"""The run's own record: its journal and trace on disk, and the run they fold into.

The only place where events are made to have happened: first the lifecycle is asked, then the line is written, then the fold applied.
"""

from datetime import UTC, datetime

import msgspec

from loopdeck.core import events as ev
from loopdeck.core import fold, lifecycle
from loopdeck.core.redact import Redactor
from loopdeck.core.run import Run
from loopdeck.core.trace import TraceEvent
from loopdeck.runner.stopwatch import Stopwatch
from loopdeck.store import checkpoint
from loopdeck.store.blobs import Blobs
from loopdeck.store.journal import JournalWriter, read_journal
from loopdeck.store.layout import RunPaths
from loopdeck.store.trace import TraceWriter, read_trace

INLINE = 8192
"""Texts longer than this, in bytes, go to a blob and are cut in the trace."""
CHECKPOINT_EVERY = 200
"""Journal events between checkpoints: few enough that a reader folds the rest in a millisecond."""
"""Statuses in which the run's clock stands still are those without work."""
_ACTIVE = ("running", "waiting", "stopping")
