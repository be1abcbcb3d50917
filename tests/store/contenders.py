"""The test's end of `tests.store.holder`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Contenders:
    """Forked processes that wait for the word to begin."""

    def __init__(self, nest: subprocess.Popen[bytes], gate: int) -> None:
        self._nest = nest
        self._gate = gate

    def go(self) -> None:
        """Let all of them begin at once."""
        if self._gate >= 0:
            os.close(self._gate)
        self._gate = -1

    def answers(self, count: int) -> list[tuple[int, str]]:
        """The next answers, each with the number of the process that gave it."""
        assert self._nest.stdout is not None
        given = []
        for _ in range(count):
            pid, _, answer = self._nest.stdout.readline().decode().strip().partition(" ")
            given.append((int(pid), answer))
        return given

    def end(self) -> None:
        """Wait for all to be done; the test fails if one of them did."""
        assert self._nest.wait() == 0


@contextmanager
def contenders(count: int, *args: object) -> Iterator[Contenders]:
    """So many processes of `tests.store.holder` with `args`, gone when the block ends."""
    gate, handle = os.pipe()
    command = [sys.executable, "-m", "tests.store.holder", str(count), str(gate), *map(str, args)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(gate,)) as nest:
        os.close(gate)
        many = Contenders(nest, handle)
        try:
            yield many
        finally:
            many.go()
            # The end of their input ends those that hold something.
            assert nest.stdin is not None
            nest.stdin.close()
