"""A nest of writers to be killed: for each line `PATH EPOCH SIZE` on its input it forks one that appends until it dies.

Says the writer's process number and the number of events it found, then the number of each event that has been written; when the writer
is gone, `gone`.
"""

import os
import sys
from pathlib import Path

from loopdeck.core import events as ev
from loopdeck.store.journal import JournalWriter


def append_for_ever(path: Path, epoch: int, size: int) -> None:
    """Events numbered in their texts; every one acknowledged after the write."""
    writer = JournalWriter.open(path, epoch, lambda data: data)
    os.write(1, b"%d\n%d\n" % (os.getpid(), writer.seq))
    filler = "x" * size
    while True:
        number = writer.append(ev.NoticeRaised(f"{writer.seq} {filler}"), at="2026-11-21T07:15:00.123Z", clock=0.0)
        os.write(1, b"%d\n" % number)


def main() -> None:
    """Until the input ends."""
    for line in sys.stdin:
        path, epoch, size = line.split()
        child = os.fork()
        if child == 0:
            append_for_ever(Path(path), int(epoch), int(size))
        os.waitpid(child, 0)
        os.write(1, b"gone\n")


if __name__ == "__main__":
    main()
