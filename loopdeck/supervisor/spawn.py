"""Starting a runner the plain way: a new interpreter in a session of its own. Dear in time and memory, and it always works."""

import os
import subprocess
import sys
from typing import Protocol

from loopdeck.errors import StoreError
from loopdeck.store.files import open_private
from loopdeck.store.layout import RunPaths


class Started(Protocol):
    """A runner that was started, whoever's child it is."""

    @property
    def pid(self) -> int:
        """Its process."""
        ...

    def gone(self) -> bool:
        """True once that very process has ended."""
        ...


class Spawned:
    """A runner that is a child of this process, until this process ends."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def gone(self) -> bool:
        """True once it has ended; it is reaped by the way."""
        return self._process.poll() is not None


def spawn(paths: RunPaths) -> Spawned:
    """Start a runner on the run, detached: it outlives this process and its terminal. Raises StoreError."""
    try:
        log = open_private(paths.runner_log, os.O_WRONLY | os.O_APPEND)
        return Spawned(detached([sys.executable, "-m", "loopdeck.runner", str(paths.dir)], log))
    except OSError as error:
        raise StoreError(f"the runner can't be started: {error.strerror}", where=str(paths.dir)) from error


def detached(words: list[str], log: int, env: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """Start a program that outlives this process, in a session of its own, with no input. Its output goes to `log`, which is closed.

    Raises OSError.
    """
    # Whoever goes on for long has to reap them; and to let go of one that runs is not the mistake that Python takes it for.
    _children[:] = [one for one in _children if one.poll() is None]
    with os.fdopen(log, "ab") as output:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/", env=env
        )
    _children.append(process)
    return process


_children: list["subprocess.Popen[bytes]"] = []
