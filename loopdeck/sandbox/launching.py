"""How a command is started in the bubble: its options where nobody can read them, its input and its filter of system calls in memory.

Invariant: the command does not begin before a word is given, and nothing of the runner's environment goes with it.
"""

import contextlib
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from loopdeck.sandbox import family
from loopdeck.sandbox.inlets import Inlets
from loopdeck.sandbox.port import Command
from loopdeck.sandbox.syscalls import refused
from loopdeck.sandbox.waiting import not_started

_WAIT_FOR_WORD = 'read -r loopdeck_word || exit 125; unset PWD loopdeck_word; exec "$@"'
_STDIN = "/run/stdin"


@dataclass(frozen=True, slots=True)
class Launch:
    """How a command is put into its sandbox: by which program with which options, under which mark, with which ports to get out by.

    `refusals` tells what the walls have kept from it so far. `talks`: its input goes on after the word, and its stderr is kept apart.
    """

    program: str
    options: tuple[str, ...]
    command: Command
    mark: family.Mark
    inlets: Inlets | None
    refusals: Callable[[], tuple[str, ...]]
    talks: bool


def launched(launch: Launch, status: int, word: int) -> "subprocess.Popen[bytes]":
    """Start bubblewrap with the command, which waits for a line on `word`. What becomes of it is reported on `status`.

    Raises WorkspaceError.
    """
    command = launch.command
    try:
        with contextlib.ExitStack() as stack:
            inner = list(launch.options)
            passed = [status]
            if command.stdin and not launch.talks:
                passed.append(_in_memory(command.stdin))
                stack.callback(os.close, passed[-1])
                inner = ["--dir", "/run", "--ro-bind-data", str(passed[-1]), _STDIN, *inner]
            if filtered := refused():
                passed.append(_in_memory(filtered))
                stack.callback(os.close, passed[-1])
                inner = ["--seccomp", str(passed[-1]), *inner]
            # Read from a descriptor: what is on a command line can be seen by everybody on the machine.
            passed.append(_in_memory(b"".join(os.fsencode(option) + b"\0" for option in inner)))
            stack.callback(os.close, passed[-1])
            waits = _WAIT_FOR_WORD if launch.talks else f"{_WAIT_FOR_WORD} <{_STDIN if command.stdin else os.devnull}"
            launcher = (launch.program, "--args", str(passed[-1]), "--json-status-fd", str(status))
            return subprocess.Popen(
                [*launcher, "--", "/bin/sh", "-c", waits, "sh", *command.argv],
                cwd="/", env=launch.mark.environment, stdin=word, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if launch.talks else subprocess.STDOUT, bufsize=0, pass_fds=passed, start_new_session=True,
            )  # fmt: skip
    except (OSError, ValueError) as error:
        raise not_started(command, error) from error


def _in_memory(content: bytes) -> int:
    """A descriptor to read `content` from."""
    handle = os.memfd_create("loopdeck", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(handle), "wb") as file:
        file.write(content)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle
