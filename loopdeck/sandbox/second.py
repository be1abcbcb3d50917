"""The doors for machines on which bubblewrap makes no sandbox: which one there is, tried before it is believed.

Invariant: what such a door can't hold is said in sentences wherever it is said that it holds anything.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import loopdeck
from loopdeck.incarnation import boot_id
from loopdeck.sandbox import fenced, probe, seatbelt
from loopdeck.sandbox.port import Door
from loopdeck.sandbox.probe import Proof
from loopdeck.sandbox.walls import Walls

_PROFILE = 1
"""To be raised with every change of these doors: a proof of others counts no more."""


async def second_proof(kept: Path | None = None) -> Proof:
    """Whether commands can be held without bubblewrap. `kept` is a file where that is noted for the next time."""
    if not probe.may_try("landlock", "sandbox-exec"):
        return Proof("", "", f"no other is to be tried ({probe.SWITCH})", "none")
    if seatbelt.here():
        return await _tried("sandbox-exec", "", seatbelt.LACKS, kept)
    found = fenced.version()
    if found == 0:
        return Proof("", "", "Landlock is not there either: this kernel has none", "Landlock")
    if found < fenced.LEAST_VERSION:
        wanted = f"{fenced.LEAST_VERSION} is needed (Linux 6.12)"
        return Proof("", str(found), f"Landlock is too old here to hold commands: its version is {found}, {wanted}", "Landlock")
    return await _tried("Landlock", str(found), fenced.LACKS, kept)


async def _tried(name: str, version: str, lacks: tuple[str, ...], kept: Path | None) -> Proof:
    key = json.dumps([boot_id(), name, version, os.geteuid(), sys.executable, loopdeck.__version__, _PROFILE])
    if kept is not None and probe.noted(kept, key):
        return Proof("", version, "", name, lacks)
    why = await probe.breach(lambda walls, scratch: second_door(name, walls, "probe", scratch))
    if not why and kept is not None:
        probe.note(kept, key, version or name)
    return Proof("", version, f"{name} can't hold commands here: {why}" if why else "", name, lacks)


def second_door(name: str, walls: Walls, marker: str, scratch: Path | None = None) -> Door:
    """The door of that name. `scratch` is a folder that no command sees, for what goes with each."""
    place = scratch or Path(tempfile.gettempdir())
    if name == "Landlock":
        return fenced.FencedDoor(walls, marker, place)
    return seatbelt.SeatbeltDoor(walls, marker, place)
