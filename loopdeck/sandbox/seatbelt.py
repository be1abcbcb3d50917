"""The door on macOS: `sandbox-exec` with a profile made for each command. Best effort: undocumented, and called deprecated by Apple.

The profile denies all and lets through what the walls show. It can deny a part of what it allows, so that sealed places are held while
a command runs. What ends a command's processes is the plain door's, as well as that can be done there.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from loopdeck.core import gatedpaths
from loopdeck.sandbox import caches
from loopdeck.sandbox.around import WrappingDoor
from loopdeck.sandbox.plain import GRACE_S
from loopdeck.sandbox.port import Command
from loopdeck.sandbox.seals import STAND_INS, Seals
from loopdeck.sandbox.waiting import refuse
from loopdeck.sandbox.walls import Walls, own_folders

PROGRAM = "/usr/bin/sandbox-exec"
LACKS = (
    "this is Apple's sandbox-exec, which Apple calls deprecated: its words are not documented, and were tried here and nowhere else",
    "it sees the names of all processes",
    "processes that it leaves behind are looked for, and may not be found",
    "memory, processes and the disk are not bounded",
)
_SYSTEM = ("/usr", "/bin", "/sbin", "/System", "/Library", "/opt/homebrew", "/private/etc", "/private/var/db/timezone",
           "/private/var/select", "/Applications/Xcode.app", "/dev")  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/dtracehelper", "/dev/tty")


def profile(
    read: Iterable[Path],
    write: Iterable[Path],
    denied: Iterable[Path],
    sealed: Iterable[Path],
    network: bool,
    ports: Sequence[int] = (),
) -> str:
    """The profile's text: later lines win. `denied` can't be seen at all, `sealed` can't be written; `ports` are of this machine."""
    lines = [
        "(version 1)",
        "(deny default)",
        "(allow process-fork process-exec)",
        "(allow signal (target same-sandbox))",
        "(allow sysctl-read)",
        "(allow file-read-metadata)",
        "(allow mach-lookup (global-name \"com.apple.system.opendirectoryd.libinfo\"))",
        *(f"(allow file-read* (subpath {_quoted(path)}))" for path in (*_SYSTEM, *read)),
        "(allow file-read* (literal \"/\"))",
        *(f"(allow file-write-data (literal {_quoted(path)}))" for path in _DEVICES),
        *(f"(deny file-read* file-write* (subpath {_quoted(path)}))" for path in denied),
        *(f"(allow file-read* file-write* (subpath {_quoted(path)}))" for path in write),
        *(f"(deny file-write* (subpath {_quoted(path)}))" for path in sealed),
        *(f"(allow network-outbound (remote ip \"localhost:{port}\"))" for port in ports),
    ]  # fmt: skip
    if network:
        lines += ["(allow network*)", "(allow system-socket)"]
    return "\n".join(lines) + "\n"


def _both(paths: Iterable[Path]) -> tuple[Path, ...]:
    """As they are written, and where that really is: the profile is held against the latter."""
    return tuple(dict.fromkeys(place for path in paths for place in (path, path.resolve())))


def _quoted(path: object) -> str:
    """A path as a string of the profile's language."""
    text = str(path)
    if any(ord(char) < 32 for char in text):
        raise ValueError(f"a path with control characters can't be held: {text!r}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class SeatbeltDoor(WrappingDoor):
    """Runs commands within `walls` by sandbox-exec. `scratch` is a folder for what goes with each command."""

    name = "sandbox-exec"

    def __init__(self, walls: Walls, marker: str, scratch: Path, *, grace_s: float = GRACE_S) -> None:
        super().__init__(walls, marker, scratch, grace_s=grace_s)
        self._seals = Seals(walls.tree, walls.protect)

    @contextlib.contextmanager
    def around(self, command: Command) -> Iterator[Command]:
        """The command as sandbox-exec starts it; what it needs stands meanwhile."""
        refuse(command)
        with tempfile.TemporaryDirectory(prefix="fence-", dir=self._scratch, ignore_cleanup_errors=True) as base:
            home, temporary = Path(base, "home"), Path(base, "tmp")
            home.mkdir(mode=0o700)
            temporary.mkdir(mode=0o700)
            text = self.profile(command, (home, temporary))
            env = {**command.env, **self._walls.cached(command), **own_folders(command, home, temporary)}
            yield replace(command, argv=(PROGRAM, "-p", text, *command.argv), env=env)

    def profile(self, command: Command, own: tuple[Path, ...]) -> str:
        """The profile for a command whose own folders are `own`."""
        walls = self._walls
        cached = (caches.cache(walls.caches, command),) if walls.caches is not None else ()
        sealed: list[Path] = [path / ".git" for path in command.writable]
        if command.role in ("tool", "agent") and walls.tree in command.writable:
            there, missing = self._seals.places()
            names = dict.fromkeys((*there, *missing, *STAND_INS, *(one for one in there if gatedpaths.gated(one))))
            sealed += [walls.tree / name for name in names]
        return profile(
            _both((*walls.tools, *walls.read, *walls.agents_own(command), *walls.shared, command.cwd)),
            _both((*walls.write, *command.writable, *cached, *own)),
            _both(walls.hidden),
            _both((*walls.shared, *sealed)),
            walls.open_to(command),
            [one.inside_port for one in command.forwards],
        )


def here() -> bool:
    """True where there is a sandbox-exec."""
    return sys.platform == "darwin" and Path(PROGRAM).exists()
