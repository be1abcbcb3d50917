"""Whether the walls stand on this machine: not believed, but tried, with the door and the walls that a run would have.

A command in a sandbox of our own making tries what must not work: to write outside, to connect, to see the home, the launcher's
variables and other processes, to write to the kernel's settings. What it finds open, or why there is no sandbox at all, is told in a
sentence. Since this takes a tenth of a second, a proof is kept until the machine starts again or bubblewrap changes; a failure is not
kept, so that a machine is used as soon as it is mended.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import loopdeck
from loopdeck.errors import LoopdeckError
from loopdeck.incarnation import boot_id
from loopdeck.sandbox import family
from loopdeck.sandbox.port import Command, Door

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopdeck.sandbox.walls import Walls

SWITCH = "LOOPDECK_SANDBOX"
"""The variable that says which sandboxes may be tried (`bubblewrap`, `landlock`, `sandbox-exec`, with commas); all if it isn't set."""
_LEAST = (0, 8)
_PROFILE = 3
"""To be raised with every change of the walls: a proof of others counts no more."""
_MOST_SECONDS = 10.0
_SYSTEM = "/usr/bin"
_TRIES = """
import os, socket, sys
outside, home, port, canary, parent = sys.argv[1:]
def writes(path):
    try:
        with open(path, "a") as file:
            file.write("x")
        return True
    except OSError:
        return False
def connects():
    try:
        socket.create_connection(("127.0.0.1", int(port)), 2).close()
        return True
    except OSError:
        return False
def tells(path):
    try:
        with open(path, "rb") as file:
            return canary.encode() in file.read()
    except OSError:
        return False
def kernel():
    try:
        with open("/proc/sys/vm/swappiness") as file:
            now = file.read()
        with open("/proc/sys/vm/swappiness", "w") as file:
            file.write(now)
        return True
    except OSError:
        return False
writes(outside)  # it may be another file by that name, in a folder that goes with the sandbox: seen from outside
if connects(): print("the network can be reached")
if tells("/proc/1/environ"): print("the launcher's variables can be read")
if tells(home): print("the home can be read")
if os.path.exists("/proc/%s" % parent) and int(parent) > 100: print("processes outside can be seen")
if kernel(): print("settings of the kernel can be written")
if not writes("inside"): print("its own folder can't be written")
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found: `program` is the bubblewrap to use, `why` is empty if its walls hold, `version` is for people.

    `name` is what holds commands, where it is something else; `lacks` are sentences on what that can't hold.
    """

    program: str
    version: str
    why: str
    name: str = "bubblewrap"
    lacks: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """True if a command can be held on this machine."""
        return not self.why

    def __str__(self) -> str:
        if self.holds:
            where = f" at {self.program}" if self.program else ""
            but = f"; not held: {'; '.join(self.lacks)}" if self.lacks else ""
            return f"{self.name} {self.version}{where} holds commands here: tried, and nothing got out{but}"
        return self.why


def may_try(*names: str) -> bool:
    """True if one of these may hold commands, as far as the operator has said anything."""
    said = os.environ.get(SWITCH)
    return said is None or not {one.strip() for one in said.split(",")}.isdisjoint(names)


def find() -> str:
    """The bubblewrap to use, or nothing. The system's own comes first, since some systems let no other make namespaces."""
    folders = [part for part in os.get_exec_path() if part.startswith("/")]
    first = [_SYSTEM] if _SYSTEM in folders else []
    return shutil.which("bwrap", path=os.pathsep.join((*first, *folders))) or ""


async def proof(kept: Path | None = None) -> Proof:
    """Whether commands can be held here. `kept` is a file where that is noted for the next time."""
    if not may_try("bubblewrap"):
        return Proof("", "", f"bubblewrap is not to be tried ({SWITCH})")
    program = find()
    if not program:
        why = "bubblewrap is not made for this system" if sys.platform == "darwin" else "bubblewrap is not installed"
        return Proof("", "", f"{why}: commands can't be confined with it")
    key = _key(program)
    if kept is not None and (version := noted(kept, key)):
        return Proof(program, version, "")
    version = _version(program)
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if found < _LEAST:
        wanted = ".".join(map(str, _LEAST))
        return Proof(program, version, f"bubblewrap {version or 'of unknown version'} at {program} is too old: {wanted} is needed")
    why = await _breach(program)
    if why:
        return Proof(program, version, f"bubblewrap {version} at {program} can't hold commands here: {why}")
    if kept is not None:
        note(kept, key, version)
    return Proof(program, version, "")


def facts() -> tuple[bool, tuple[str, ...]]:
    """Whether commands are held on this machine, and a sentence for each way; tried anew, so it takes some 100 ms."""
    found = asyncio.run(_every())
    return any(one.holds for one in found), (*map(str, found), _leftovers())


async def _every() -> list[Proof]:
    """What was found of the sandboxes that this system could have, up to the first that holds."""
    from loopdeck.sandbox.second import second_proof

    first = await proof()
    return [first] if first.holds else [first, await second_proof()]


async def _breach(program: str) -> str:
    """What is wrong with bubblewrap's walls, in a sentence; empty if they hold."""
    # Heavier than the rest of this module, and not needed where a proof is noted.
    from loopdeck.sandbox.bubble import BubbleDoor

    return await breach(lambda walls, scratch: BubbleDoor(program, walls, "probe"), os.getpid())


async def breach(door_of: "Callable[[Walls, Path], Door]", unseen: int = 0) -> str:
    """What commands can do through a door that they should not, in a sentence; empty if nothing.

    The door is made from walls and a folder for what goes with a command; process `unseen` should not be there, if one is given.
    """
    from loopdeck.sandbox.toolchains import own
    from loopdeck.sandbox.walls import Walls

    canary = f"loopdeck-{os.urandom(8).hex()}"
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loopdeck-probe-"))).resolve()
        inside, home, outside = base / "tree", base / "home", base / "outside"
        inside.mkdir()
        home.mkdir()
        outside.write_text("mine")
        (home / "secret").write_text(canary)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        tried = (str(outside), str(home / "secret"), str(listener.getsockname()[1]), canary, str(unseen))
        command = Command(
            (sys.executable, "-I", "-S", "-c", _TRIES, *tried), inside, {"PATH": "/usr/bin:/bin"}, _MOST_SECONDS, writable=(inside,)
        )
        try:
            door = door_of(Walls(inside, home=home, tools=own()), base)
            done = await door.run(command)
            door.close()
        except LoopdeckError as error:
            return error.what
        if done.exit_code != 0:
            return done.text.strip()[-200:] or f"a command in it ended with {done.ended_by or done.exit_code}"
        if outside.read_text() != "mine":
            return "a file outside can be written"
        return "; ".join(done.text.split("\n")).strip("; ")


def _key(program: str) -> str:
    """What a proof holds for: this start of this machine, this program, this user and interpreter, these walls."""
    found = os.stat(program)  # noqa: PTH116 - all that is needed of it
    mine = (os.geteuid(), sys.executable, loopdeck.__version__, _PROFILE)
    return json.dumps([boot_id(), program, found.st_mtime_ns, found.st_size, *mine])


def noted(kept: Path, key: str) -> str:
    """The version that a proof was noted for, if it was noted for this very `key`."""
    try:
        said = json.loads(kept.read_bytes())
        return str(said["version"]) if said["key"] == key else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def note(kept: Path, key: str, version: str) -> None:
    """Note a proof for the next time."""
    # Only to save time: where it can't be kept, the next one tries again.
    with contextlib.suppress(OSError):
        aside = kept.with_name(f"{kept.name}.{os.getpid()}")
        aside.write_text(json.dumps({"key": key, "version": version}))
        aside.replace(kept)


def _version(program: str) -> str:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=_MOST_SECONDS, env={}, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").removeprefix("bubblewrap").strip()[:30]


def _leftovers() -> str:
    if family.HAS_PROC:
        return "processes that a command leaves behind are found by their marks, wherever they go"
    return "processes that a command leaves behind are found by descent and environment, as well as that can be done here"
