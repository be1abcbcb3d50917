"""What one operator likes, for all decks: keys and theme of the room, from `room.toml` in the configuration folder.

    theme = "loopdeck-light"
    [keys]
    "hand.pause" = "P"

The file is optional and never written by us. `$XDG_CONFIG_HOME/loopdeck/room.toml`, else `~/.config/loopdeck/room.toml`.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from msgspec import Struct

from loopdeck.core.spec import Problem
from loopdeck.core.tables import parse
from loopdeck.errors import UsageError
from loopdeck.store.texts import read_text

_KEY = re.compile(r"[^\s,]+(?:,[^\s,]+)*")


class Taste(Struct, frozen=True):
    """The theme's name (empty: the room's own) and keys by action, as Textual names keys; several with commas between."""

    theme: str = ""
    keys: dict[str, str] = {}


def taste_file(environ: Mapping[str, str]) -> Path:
    """Where the file is, whether there is one or not."""
    folder = environ.get("XDG_CONFIG_HOME", "")
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return (Path(folder) if folder.startswith("/") else home / ".config") / "loopdeck" / "room.toml"


def read_taste(environ: Mapping[str, str], *, actions: Collection[str], themes: Collection[str]) -> Taste:
    """The operator's taste; nothing special if there is no file. Raises UsageError with file and line of everything wrong in it."""
    path = taste_file(environ)
    if not path.exists():
        return Taste()
    text = read_text(path, str(path))
    if isinstance(text, Problem):
        raise UsageError(str(text))
    top = parse(text, str(path))
    theme = top.choice("theme", tuple(themes), "")
    table = top.table("keys")
    keys = {action: key for action in sorted(actions) if (key := table.text(action, shape=_key))}
    table.unknown({})
    top.unknown({})
    if top.problems:
        raise UsageError("\n".join(str(one) for one in top.problems))
    return Taste(theme, keys)


def _key(text: str) -> tuple[str, str] | None:
    if _KEY.fullmatch(text):
        return None
    return "is no key", 'Write it as Textual names it: "P", "ctrl+p", "f5", "space"; several with commas and no blanks.'
