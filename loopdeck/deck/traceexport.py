"""What is shown of a trace, as a file of the operator's: its lines as they are on disk, in their order.

Invariant: nothing that is there is ever overwritten, and a file that could not be finished is taken away again.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from loopdeck.store.files import failure
from loopdeck.store.lines import lines_of
from loopdeck.store.trace import window_on_trace


def export(trace: Path, folder: Path, name: str, numbers: Sequence[int] | None) -> Path:
    """Write those lines of the trace (None: all) to `name`.jsonl in `folder`, or name-2 and so on if it is there. Raises StoreError."""
    path, descriptor = _fresh(folder, name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for lines in _lines(trace, numbers):
                file.write(lines)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise failure("write the export", path, error) from error
    return path


def _fresh(folder: Path, name: str) -> tuple[Path, int]:
    for number in count(1):
        path = folder / (f"{name}.jsonl" if number == 1 else f"{name}-{number}.jsonl")
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise failure("make the export", path, error) from error
    raise AssertionError("there is always another number")


def _lines(trace: Path, numbers: Sequence[int] | None) -> Iterator[bytes]:
    window = window_on_trace(trace)
    try:
        window.grow()
        if numbers is None:
            yield from window.pieces(0)
            return
        wanted = iter(sorted(numbers))
        due = next(wanted, None)
        number = due or 0
        for data in window.pieces(number):
            for line in lines_of(data):
                if number == due:
                    yield line
                    due = next(wanted, None)
                number += 1
            if due is None:
                return
    finally:
        window.close()
