"""The attacks as somebody who is not root: `python -m tests.sandbox.as_user FOLDER BWRAP`, started by root, gives up its rights.

All that is needed is imported and used once before, because the interpreter may be where that user can't read. Prints the names of
attacks that have worked, as JSON.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from loopdeck.sandbox.bubble import BubbleDoor
from loopdeck.sandbox.port import Command
from loopdeck.sandbox.walls import Walls
from tests.kit.repos import git
from tests.sandbox.attacks import ATTACKS
from tests.sandbox.test_escapes import tried
from tests.sandbox.world import world

NOBODY = 65534


def main(folder: Path, bwrap: str) -> None:
    """Try them all in one world of that user's."""
    folder.mkdir(mode=0o755)
    once = Command(("/bin/true",), folder, {"PATH": "/usr/bin:/bin"}, 20, writable=(folder,))
    asyncio.run(BubbleDoor(bwrap, Walls(folder), "as-user").run(once))
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
            finished = tried(BubbleDoor(bwrap, made.walls(), f"as-user-{os.getpid()}", grace_s=0.1), attack, made)
            if attack.worked(made, finished):
                worked.append(f"{attack.name}: {finished.text[-300:]}")
            git(made.tree, "reset", "-q", "--hard", "loop/x")
            git(made.tree, "clean", "-qfdx")
    print(json.dumps(worked))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
