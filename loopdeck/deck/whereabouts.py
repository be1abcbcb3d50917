"""From where a person speaks: terminal, process, user and machine, as the journal keeps it beside their name."""

import os
import socket
from contextlib import suppress


def whereabouts() -> str:
    """The terminal, process, user id and host of this process; and where it is reached from, if over ssh."""
    far = os.environ.get("SSH_CONNECTION", "").split()
    came = f", over ssh from {far[0]}" if far else ""
    return f"{_terminal()}, process {os.getpid()}, uid {os.getuid()}, host {socket.gethostname()}{came}"


def _terminal() -> str:
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            return os.ttyname(descriptor)
    return "no terminal"
