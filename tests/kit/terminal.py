"""A program on a terminal of its own: keys in, screen out, and how long the one takes to follow the other.

Invariant: the program and all it has started are gone when the block is left; what it wrote is read as fast as it comes, so that
what is measured is the program and not us.
"""

import os
import pty
import select
import signal
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import pyte

SETTLE_S = 0.06
"""A screen that nothing has been written to for so long is done."""
_TICKS = os.sysconf("SC_CLK_TCK")


class Terminal:
    """One program and its screen. `written` counts the bytes that it has sent."""

    def __init__(self, pid: int, descriptor: int, size: tuple[int, int], *, emulate: bool) -> None:
        self.pid = pid
        self.written = 0
        self.raw = bytearray()
        self.code: int | None = None
        self._descriptor = descriptor
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._emulate = emulate

    def feed(self, keys: str | bytes) -> None:
        """Press keys."""
        os.write(self._descriptor, keys.encode() if isinstance(keys, str) else keys)

    def resize(self, columns: int, lines: int) -> None:
        """Another size, as if a window was pulled."""
        ioctl(self._descriptor, TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._screen.resize(lines, columns)
        os.kill(self.pid, signal.SIGWINCH)

    def read(self, timeout_s: float) -> bytes:
        """What comes first within that time; nothing if nothing does, or the program has ended."""
        ready, _, _ = select.select([self._descriptor], [], [], timeout_s)
        if not ready:
            return b""
        try:
            data = os.read(self._descriptor, 1 << 16)
        except OSError:
            return b""
        self.written += len(data)
        self.raw += data
        if self._emulate:
            self._stream.feed(data)
        return data

    @property
    def lines(self) -> list[str]:
        """The screen, as far as it was read."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    def until(self, holds: Callable[[str], object], patience_s: float = 15.0) -> str:
        """Read until `holds` is true of the screen's text, and give that."""
        deadline = time.monotonic() + patience_s
        while not holds(self.text):
            left = deadline - time.monotonic()
            assert left > 0, f"not on the screen:\n{self.text}"
            self.read(min(left, 0.2))
        return self.text

    def until_written(self, what: bytes, patience_s: float = 15.0) -> float:
        """Read until those bytes were sent; the moment they came, on the monotonic clock."""
        start = max(0, len(self.raw) - len(what))
        deadline = time.monotonic() + patience_s
        while what not in self.raw[start:]:
            assert time.monotonic() < deadline, f"{what!r} was not written; the end of what was: {bytes(self.raw[-400:])!r}"
            self.read(0.2)
        return time.monotonic()

    def settle(self, quiet_s: float = SETTLE_S, patience_s: float = 15.0) -> None:
        """Read until nothing has come for `quiet_s`."""
        deadline = time.monotonic() + patience_s
        while self.read(quiet_s) and time.monotonic() < deadline:
            pass

    def key(self, keys: str | bytes, quiet_s: float = SETTLE_S) -> tuple[float, float]:
        """Press keys: seconds to the first bytes that follow, and to the last before it is quiet; fails if nothing follows."""
        self.raw.clear()
        began = time.perf_counter()
        self.feed(keys)
        assert self.read(5.0), f"nothing came of {keys!r}"
        first = last = time.perf_counter()
        while self.read(quiet_s):
            last = time.perf_counter()
            if last - began > 5.0:
                break
        return first - began, last - began

    def cpu_s(self) -> float:
        """Processor seconds it has taken, its threads counted."""
        said = Path(f"/proc/{self.pid}/stat").read_text()
        fields = said[said.rfind(")") + 2 :].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self) -> float:
        """What it has resident."""
        return self._status("VmRSS") / 1024

    def switches(self) -> int:
        """How often it went to sleep of its own will, all threads counted."""
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(OSError):
                lines = (task / "status").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))
        return total

    def ended(self, patience_s: float = 10.0) -> int:
        """Wait until it has ended by itself; its exit code (the negative number of a signal)."""
        deadline = time.monotonic() + patience_s
        while self.code is None:
            assert time.monotonic() < deadline, f"still there:\n{self.text}"
            self.read(0.02)
            self._reap(os.WNOHANG)
        self.settle(0.02)
        return self.code

    def hang_up(self, patience_s: float = 10.0) -> int:
        """Close the terminal under the program, as a window is closed; its exit code (the negative number of a signal)."""
        os.close(self._descriptor)
        self._descriptor = -1
        deadline = time.monotonic() + patience_s
        while self.code is None:
            assert time.monotonic() < deadline, "it does not end though its terminal is gone"
            time.sleep(0.02)
            self._reap(os.WNOHANG)
        return self.code

    def _status(self, field: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])

    def _reap(self, options: int) -> None:
        if self.code is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)

    def _end(self) -> None:
        if self.code is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._reap(0)
        if self._descriptor >= 0:
            os.close(self._descriptor)


@contextmanager
def on_terminal(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], size: tuple[int, int] = (120, 40), emulate: bool = True
) -> Iterator[Terminal]:
    """`command` on a new terminal of `size` (columns, lines). Without `emulate` its screen is not kept, for what is timed."""
    columns, lines = size
    pid, descriptor = pty.fork()
    if not pid:
        try:
            ioctl(0, TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.chdir(cwd)
            # What says how large another terminal is says nothing of this one.
            given = {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")}
            os.execvpe(command[0], list(command), {"TERM": "xterm-256color", "COLORTERM": "truecolor", **given})
        finally:
            os._exit(127)
    terminal = Terminal(pid, descriptor, size, emulate=emulate)
    try:
        yield terminal
    finally:
        terminal._end()
