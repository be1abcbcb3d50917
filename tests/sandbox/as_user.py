"""The attacks as somebody who is not root: `python -m tests.sandbox.as_user FOLDER DOOR`, started by root, gives up its rights.

All that is needed is imported and used once before, because the interpreter may be where that user can't read. Prints the names of
attacks that have worked, as JSON.
"""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

from loopdeck.sandbox import fenced
from loopdeck.sandbox.bubble import BubbleDoor
from loopdeck.sandbox.port import Command
from loopdeck.sandbox.walls import Walls
from tests.kit.repos import git
from tests.kit.walled import bwrap
from tests.sandbox.attacks import ATTACKS
from tests.sandbox.test_escapes import door_of, tried
from tests.sandbox.world import world

NOBODY = 65534


def main(folder: Path, kind: str) -> None:
    """Try them all in one world of that user's."""
    folder.mkdir(mode=0o755)
    bwrap()
    once = Command(("/bin/true",), folder, {"PATH": "/usr/bin:/bin"}, 20, writable=(folder,))
    if kind == "bubble":
        asyncio.run(BubbleDoor(bwrap(), Walls(folder), "as-user").run(once))
    else:
        # Its program and an interpreter, where they can be read.
        fenced._PROGRAM = Path(shutil.copy(fenced._PROGRAM, folder))
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
    print(json.dumps(worked))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
