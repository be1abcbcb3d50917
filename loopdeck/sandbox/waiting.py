"""What both doors need to wait for a command and to say why one did not start."""

import asyncio
import errno
import os
import shutil
from collections.abc import Coroutine

from loopdeck.errors import WorkspaceError
from loopdeck.sandbox.port import Command


async def undisturbed(work: Coroutine[None, None, None]) -> None:
    """Finish `work`, however often this task is cancelled meanwhile; then be cancelled."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError from task.exception()
    task.result()


def pidfd(pid: int) -> int:
    """A handle on the process, readable once it is dead; -1 if there is none to be had."""
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def not_started(command: Command, error: Exception) -> WorkspaceError:
    """What to raise when `command` could not be started because of `error`."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    gone = not command.cwd.is_dir()
    return WorkspaceError(
        f"can't start {command.argv[0] if command.argv else 'an empty command'}: {why}",
        where=str(command.cwd),
        remedy="The folder is gone." if gone else "Is it installed, and on the PATH of the loop?",
    )


def refuse(command: Command) -> None:
    """Raise WorkspaceError for what could not be started, before something is started that would only say so later."""
    if not command.argv:
        raise not_started(command, IndexError("there is nothing to run"))
    if any("\0" in word for word in (*command.argv, *command.env, *command.env.values())):
        raise not_started(command, ValueError("embedded null byte"))
    first = command.argv[0]
    found = shutil.which(str(command.cwd / first) if "/" in first else first, path=command.env.get("PATH", os.defpath))
    if found is None or not command.cwd.is_dir():
        raise not_started(command, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
