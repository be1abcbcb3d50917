"""The operator's own editor, opened on a file while the room stands aside."""

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from textual.app import App, SuspendNotSupported

from loopdeck.errors import UsageError

_REMEDY = "Set VISUAL or EDITOR to an editor that waits until you are done."
_LINES = {"code": "-g", "codium": "-g", "cursor": "-g"}
"""Editors that take FILE:LINE behind a flag; others take +LINE before the file."""


def words(environ: Mapping[str, str], file: Path, line: int = 0) -> list[str]:
    """The editor's command line for `file`, at `line` (from 1) if given. Raises UsageError."""
    own = "code" if environ.get("TERM_PROGRAM") == "vscode" else "vi"
    named = environ.get("VISUAL") or environ.get("EDITOR") or own
    try:
        found = shlex.split(named)
    except ValueError as error:
        raise UsageError(f"the editor {named!r} is no command line: {error}", remedy=_REMEDY) from error
    if not line:
        return [*found, str(file)]
    flag = _LINES.get(Path(found[0]).name)
    return [*found, flag, f"{file}:{line}"] if flag else [*found, f"+{line}", str(file)]


def open_file(app: App[None], file: Path, line: int = 0) -> None:
    """Stand aside until the editor has ended. Raises UsageError if there is none, it fails, or this terminal can't be given away."""
    command = words(os.environ, file, line)
    try:
        with app.suspend():
            code = subprocess.run(command, check=False).returncode
    except SuspendNotSupported as error:
        raise UsageError(
            "this terminal can't be lent to an editor", remedy="Use `loopdeck state LOOP --edit` in another one."
        ) from error
    except OSError as error:
        raise UsageError(f"the editor {command[0]!r} can't be started: {error.strerror}", remedy=_REMEDY) from error
    if code:
        raise UsageError(f"the editor {command[0]!r} ended with {code}, so nothing was taken over", remedy=_REMEDY)


def edited(app: App[None], text: str, name: str) -> str:
    """`text` as the operator leaves it, in a file called `name`. Raises UsageError."""
    with TemporaryDirectory(prefix="loopdeck-") as folder:
        file = Path(folder) / name
        file.write_text(text, encoding="utf-8")
        open_file(app, file)
        return file.read_text(encoding="utf-8", errors="replace")
