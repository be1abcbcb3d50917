"""A wall clock that a test can set while processes run: a few lines of C, compiled once and loaded before their C library.

Invariant: only the clock on the wall is another; the monotonic clock and every wait are the machine's own.
"""

import shutil
import struct
import subprocess
from pathlib import Path

COMPILER = shutil.which("cc") or ""
_SOURCE = Path(__file__).with_name("wallclock.c")


class WallClock:
    """A clock kept in `folder`, for every process that is started with `env`."""

    def __init__(self, folder: Path) -> None:
        self._library, self._file = folder / "wallclock.so", folder / "wallclock"
        subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(_SOURCE), "-ldl"], check=True)
        self._file.write_bytes(struct.pack("d", 0.0))

    @property
    def env(self) -> dict[str, str]:
        """What a process and all that it starts need to see this clock."""
        return {"LD_PRELOAD": str(self._library), "WALLCLOCK_FILE": str(self._file)}

    def set(self, seconds: float) -> None:
        """From now on the clock differs so much from the machine's."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("d", seconds))
