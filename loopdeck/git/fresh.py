"""A new repository, such as the copy of a sample project.

Invariant: nothing of the machine's or the person's git configuration has a say in it: no template, no hook, no other branch name.
"""

import os
import subprocess
from pathlib import Path

from loopdeck.errors import WorkspaceError
from loopdeck.git import status
from loopdeck.git.program import executable, hermetic
from loopdeck.git.repository import Repository, find

BRANCH = "main"


def commit_all_of(root: Path, message: str) -> Repository:
    """Make a repository of the folder `root`, on branch `main`, with one commit of all that isn't ignored. Raises WorkspaceError."""
    command = [executable(), "init", "--quiet", "--template=", "-b", BRANCH, str(root)]
    done = subprocess.run(command, env=hermetic(), capture_output=True, check=False)
    if done.returncode:
        said = os.fsdecode(done.stderr).strip()
        raise WorkspaceError(f"git init: {said}", where=str(root), remedy="Git 2.31 or newer is needed.")
    repo = find(root)
    git = repo.operators()
    git.run("add", "--all")
    git.run("commit", "--quiet", "--no-verify", "--file=-", stdin=message.encode("utf-8", "replace"))
    return repo


def is_clean(repo: Repository) -> bool:
    """True if the operator's checkout is exactly its commit."""
    return not status.read(repo.operators()).entries
