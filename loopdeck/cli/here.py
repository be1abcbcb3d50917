"""Where and who the operator is: the deck around the current folder, and the name that goes into the journal."""

import os
from datetime import UTC, datetime
from pathlib import Path

from loopdeck.deck.decks import Deck
from loopdeck.errors import UsageError


def deck() -> Deck:
    """The deck of the repository around the current folder. Raises UsageError outside of one."""
    try:
        folder = Path.cwd()
    except OSError as error:
        raise UsageError("the current folder is gone", remedy="Go to another one: `cd`.") from error
    return Deck.open(folder, os.environ)


def now() -> str:
    """UTC now, RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def operator() -> str:
    """The person at this terminal, as the journal names them."""
    import getpass
    import socket

    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"
