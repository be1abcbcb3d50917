"""The second door, for machines without bubblewrap: a fence of Landlock's and a filter of system calls around each command.

No namespaces: a command sees the machine's processes, though it can neither signal nor look into them, and there is nothing to hide a
folder behind, so that all it may read is listed. A home and a folder for temporary files are made for each command and deleted after
it. What it does to sealed places is put back. `LACKS` says what such a fence can't hold; what ends its processes is the plain door's.
"""

import contextlib
import ctypes
import json
import os
import resource
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from loopdeck.sandbox import caches
from loopdeck.sandbox.around import WrappingDoor
from loopdeck.sandbox.keepsakes import Keepsakes
from loopdeck.sandbox.plain import GRACE_S
from loopdeck.sandbox.port import Command
from loopdeck.sandbox.seals import Seals
from loopdeck.sandbox.syscalls import fenced
from loopdeck.sandbox.toolchains import SYSTEM
from loopdeck.sandbox.waiting import refuse
from loopdeck.sandbox.walls import ETC, LARGEST_FILE, MOST_PROCESSES, NETWORK_ETC, Walls, own_folders

LEAST_VERSION = 6
"""Of Landlock: from it on a command can't signal processes outside (Linux 6.12)."""
LACKS = (
    "it can change modes, times and owners of files outside that are yours, though not their content",
    "it sees the names and command lines of all processes",
    "protected files can be written while it runs, and are put back after it, if its runner lives",
    "it has no network at all, not even with itself, unless `network = true`, which opens the machine's own ports too",
    "an outside agent that is given its gateway's port can reach that port on any machine",
)
_PROGRAM = Path(__file__).with_name("fence.py")
_HUSHED = {"GIT_CONFIG_NOSYSTEM": "1"}
"""A file that is there and can't be read is complained of, where in another sandbox it would not be there."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_LIMITS = ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, LARGEST_FILE), (resource.RLIMIT_NPROC, MOST_PROCESSES))
_CREATE_RULESET, _VERSION = 444, 1


def version() -> int:
    """Of this kernel's Landlock; 0 if it has none, or if its calls are not known here."""
    if sys.platform != "linux" or not fenced("none"):
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _VERSION)))


class FencedDoor(WrappingDoor):
    """Runs commands within `walls`, as far as Landlock can hold them. `scratch` is a folder for what goes with each command."""

    name = "landlock"

    def __init__(self, walls: Walls, marker: str, scratch: Path, *, grace_s: float = GRACE_S) -> None:
        super().__init__(walls, marker, scratch, grace_s=grace_s)
        self._keepsakes: Keepsakes | None = None
        self._forget: weakref.finalize[..., FencedDoor] | None = None
        self._sealed = 0

    def close(self) -> None:
        """See the port."""
        self._keepsakes = None
        if self._forget is not None:
            self._forget()
            self._forget = None

    @contextlib.contextmanager
    def around(self, command: Command) -> Iterator[Command]:
        """The command as it puts up its own fence; what it needs stands meanwhile."""
        refuse(command)
        with contextlib.ExitStack() as stack:
            if command.role in ("tool", "agent") and self._walls.tree in command.writable:
                stack.enter_context(self._sealing())
            own = tempfile.TemporaryDirectory(prefix="fence-", dir=self._scratch, ignore_cleanup_errors=True)
            base = Path(stack.enter_context(own))
            home, temporary, asked = base / "home", base / "tmp", base / "asked.json"
            home.mkdir(mode=0o700)
            temporary.mkdir(mode=0o700)
            asked.write_text(json.dumps(self._asked(command, (home, temporary), asked)))
            env = {**command.env, **self._walls.cached(command), **own_folders(command, home, temporary), **_HUSHED}
            argv = (sys.executable, "-I", "-S", str(_PROGRAM), str(asked), *command.argv)
            yield replace(command, argv=argv, env=env)

    @contextlib.contextmanager
    def _sealing(self) -> Iterator[None]:
        """Keep the sealed places, and put them back once no command is at work in the worktree."""
        if self._keepsakes is None:
            folder = Path(tempfile.mkdtemp(prefix="kept-", dir=self._scratch))
            self._forget = weakref.finalize(self, shutil.rmtree, folder, True)
            self._keepsakes = Keepsakes(self._walls.tree, Seals(self._walls.tree, self._walls.protect), folder)
        if self._sealed == 0:
            self._keepsakes.take()
        self._sealed += 1
        try:
            yield
        finally:
            self._sealed -= 1
            if self._sealed == 0:
                self._keepsakes.put_back()

    def _asked(self, command: Command, own: tuple[Path, ...], asked: Path) -> dict[str, object]:
        """What the fence lets through."""
        walls = self._walls
        network = walls.open_to(command)
        names = (*ETC, *(NETWORK_ETC if network else ()))
        system = (*SYSTEM, *(Path(os.path.realpath(Path("/etc", name))) for name in names), *(Path("/etc", name) for name in names))
        cached = (caches.cache(walls.caches, command),) if walls.caches is not None else ()
        shown = self._shown((*walls.tools, *walls.read, *walls.agents_own(command)))
        return {
            "read": [str(path) for path in (*system, Path("/proc"), *shown, *walls.shared, command.cwd, asked)],
            "write": [str(path) for path in (*self._writable(), *command.writable, *cached, *own)],
            "devices": list(_DEVICES),
            "unset": [] if "LC_CTYPE" in command.env else ["LC_CTYPE"],
            "network": network,
            "ports": [] if network else [one.inside_port for one in command.forwards],
            "limits": _LIMITS,
            "filter": fenced("all" if network else "tcp" if command.forwards else "none").hex(),
        }  # fmt: skip

    def _shown(self, paths: tuple[Path, ...]) -> Iterator[Path]:
        """Without those that would show what is hidden: nothing can be taken out of a folder that is shown."""
        for path in paths:
            real = path.resolve()
            if not any(
                hidden.is_relative_to(one) or one.is_relative_to(hidden) for hidden in self._walls.hidden for one in (path, real)
            ):
                yield path

    def _writable(self) -> Iterator[Path]:
        """What the loop file opens for writing, without what holds something that may only be read."""
        for path in self._shown(self._walls.write):
            if not any(shared.is_relative_to(one) for shared in self._walls.shared for one in (path, path.resolve())):
                yield path
