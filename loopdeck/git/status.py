"""What differs between a work tree, its index and its commit, path by path.

Invariant: reading it writes nothing, follows no link and runs nothing; each path appears once.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from loopdeck.git.repository import Repository
from loopdeck.git.wrapper import Git

GITLINK: Final = "160000"
_COMMAND: Final = (
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--no-renames",
    "--no-ahead-behind",
)


class Entry(Struct, frozen=True):
    """A path that is not as in the commit; `nested`: an untracked folder with a repository of its own, where git does not look in."""

    path: str
    untracked: bool = False
    nested: bool = False


class Status(Struct, frozen=True):
    """The commit (empty: none yet), the branch (empty: detached) and everything that differs."""

    commit: str
    branch: str
    entries: tuple[Entry, ...]


def is_ignored(repo: Repository, folder: Path) -> bool:
    """True if git would not show what is in `folder`, which may not be there yet, as a change of the operator's checkout."""
    return repo.operators().run("check-ignore", "--quiet", "--", str(folder / "any"), check=False).code == 0


def read(git: Git, paths: Sequence[str] = (), *, untracked: Literal["all", "normal"] = "all") -> Status:
    """The state of `git`'s work tree, ignored files left out; `paths` are pathspecs that narrow it.

    With `normal`, an untracked folder stands for all that is in it; it is `nested` then, too.
    """
    commit = branch = ""
    entries: dict[str, Entry] = {}
    for raw in git.run(*_COMMAND, f"--untracked-files={untracked}", "--", *paths).stdout.split(b"\0"):
        field = os.fsdecode(raw)
        match field[:2]:
            case "# ":
                _, name, value = field.split(" ", 2)
                if name == "branch.oid":
                    commit = "" if value == "(initial)" else value
                elif name == "branch.head":
                    branch = "" if value == "(detached)" else value
            case "1 ":
                path = field.split(" ", 8)[8]
                entries[path] = Entry(path)
            case "u ":
                path = field.split(" ", 10)[10]
                entries[path] = Entry(path)
            case "? ":
                path = field[2:].rstrip("/")
                entries.setdefault(path, Entry(path, untracked=True, nested=field.endswith("/")))
            case _:
                continue
    return Status(commit, branch, tuple(entries.values()))
