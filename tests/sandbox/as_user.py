"""The attacks as somebody who is not root: `python -m tests.sandbox.as_user FOLDER DOOR`, started by root, gives up its rights.

All that is needed is imported and used once before, because the interpreter may be where that user can't read. Prints the names of
attacks that have worked, as JSON.
"""

import asyncio
import json
import os
import shutil
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

from loopdeck.sandbox import fenced, hostproxy, inlets
from loopdeck.sandbox.bubble import BubbleDoor
from loopdeck.sandbox.port import Command, Reached
from loopdeck.sandbox.walls import Walls
from tests.kit.repos import git
from tests.kit.walled import bwrap
from tests.kit.webserver import server
from tests.sandbox.attacks import ATTACKS
from tests.sandbox.test_escapes import door_of, tried
from tests.sandbox.world import World, world

NOBODY = 65534


def main(folder: Path, kind: str) -> None:
    """Try them all in one world of that user's."""
    folder.mkdir(mode=0o755)
    bwrap()
    once = Command(("/bin/true",), folder, {"PATH": "/usr/bin:/bin"}, 20, writable=(folder,))
    if kind == "bubble":
        asyncio.run(BubbleDoor(bwrap(), Walls(folder), "as-user").run(once))
        hostproxy.variables()
        with server() as port:
            urllib.request.urlopen(f"http://127.0.0.1:{port}").read()
    # Programs of ours and an interpreter, where they can be read.
    fenced._PROGRAM = Path(shutil.copy(fenced._PROGRAM, folder))
    inlets._PROGRAM = Path(shutil.copy(inlets._PROGRAM, folder))
    sys.executable = "/usr/bin/python3"
    os.chown(folder, NOBODY, NOBODY)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    os.environ["HOME"] = str(folder)
    os.environ["PATH"] = "/usr/local/bin:/usr/bin:/bin"
    os.chdir(folder)
    worked = []
    with world(folder) as made:
        os.environ["API_KEY"] = made.canary
        for attack in ATTACKS:
            door = door_of(kind, made, f"as-user-{os.getpid()}")
            finished = tried(door, attack, made)
            door.close()
            if attack.worked(made, finished):
                worked.append(f"{attack.name}: {finished.text[-300:]}")
            git(made.tree, "reset", "-q", "--hard", "loop/x")
            git(made.tree, "clean", "-qfdx")
        if kind == "bubble":
            worked += hosted(made)
    print(json.dumps(worked))  # noqa: T201 - what the test reads


def hosted(made: World) -> list[str]:
    """What is wrong with a list of hosts, if anything."""
    told: list[Reached] = []
    with server() as port:
        door = BubbleDoor(bwrap(), replace(made.walls(), network=(f"127.0.0.1:{port}",)), "hosted", tell=told.append)
        ask = f"exec 5<>/dev/tcp/127.0.0.1/{port}; printf 'GET /in HTTP/1.0\\r\\n\\r\\n' >&5; cat <&5"
        line = f"{ask}; echo > /dev/tcp/127.0.0.1/{made.tcp}"
        done = asyncio.run(door.run(Command(("/bin/bash", "-c", line), made.tree, made.env, 20, writable=(made.tree,))))
        door.close()
    held = "GET /in" in done.text and "refused" in done.text and [one.verdict for one in told] == ["allowed"]
    return [] if held else [f"a list of hosts: {done.text} {told}"]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
