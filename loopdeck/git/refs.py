"""Refs of loopdeck's own: they keep commits from being collected as garbage, out of the operator's sight.

Invariant: all are below `refs/loopdeck/`; no branch, tag or remote ref of the operator is written here.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from loopdeck.git.repository import Repository

PREFIX: Final = "refs/loopdeck/"
_MOST_TREES: Final = 1000
_trees: Final[dict[tuple[Path, str], str]] = {}


def keep_ref(repo: Repository, name: str, commit: str) -> str:
    """Keep `commit` reachable as `refs/loopdeck/<name>`, and give the ref. Raises WorkspaceError if git refuses the name."""
    ref = PREFIX + name
    repo.shared().run("update-ref", ref, commit)
    return ref


def trees_of(repo: Repository, commits: Sequence[str]) -> tuple[str, ...]:
    """The trees of `commits` (full ids): equal where the files are. Raises WorkspaceError if one is not there."""
    known = {commit: tree for commit in commits if (tree := _trees.get((repo.common_dir, commit)))}
    asked = [commit for commit in dict.fromkeys(commits) if commit not in known]
    if asked:
        known |= zip(asked, repo.shared().text("rev-parse", *(f"{commit}^{{tree}}" for commit in asked)).split(), strict=True)
        for commit in asked:
            note_tree(repo, commit, known[commit])
    return tuple(known[commit] for commit in commits)


def note_tree(repo: Repository, commit: str, tree: str) -> None:
    """Remember the tree of `commit` (a full id): it never changes, and to ask git for it costs a process."""
    if len(_trees) >= _MOST_TREES:
        _trees.clear()
    _trees[repo.common_dir, commit] = tree


def tip(repo: Repository, branch: str) -> str | None:
    """The commit that a branch is at, or None if there is no such branch."""
    found = repo.shared().run("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}", check=False)
    return found.text if found.code == 0 else None


def tips_of_loops(repo: Repository) -> dict[str, str]:
    """Of each branch that a run has the commit, by its name; so too of those discarded, their names with a `-` in front."""
    command = ("for-each-ref", "--format=%(refname)%00%(objectname)%00", "refs/heads/loop", f"{PREFIX}discarded/loop")
    fields = iter(field.strip() for field in os.fsdecode(repo.shared().run(*command).stdout).split("\0"))
    return {
        name.replace("refs/heads/", "", 1) if name.startswith("refs/heads/") else name.replace(f"{PREFIX}discarded/", "-", 1): commit
        for name, commit in zip(fields, fields, strict=False)
    }


def branches_with(repo: Repository, commit: str) -> tuple[str, ...]:
    """The branches, remote ones too, that have `commit` in their history; those of loops are left out."""
    fields = repo.shared().run("for-each-ref", "--format=%(refname)%00", "--contains", commit, "refs/heads", "refs/remotes").stdout
    names = (os.fsdecode(name).strip() for name in fields.split(b"\0"))
    return tuple(name for name in names if name and not name.startswith("refs/heads/loop/"))
