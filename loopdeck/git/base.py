"""Where a run starts: a commit, and what the operator should know about it.

Invariant: nothing is changed, the operator's index is not even refreshed.
"""

import os
import re
from collections.abc import Iterable

from msgspec import Struct

from loopdeck.core.plural import some
from loopdeck.errors import UsageError
from loopdeck.git import status
from loopdeck.git.repository import Repository
from loopdeck.git.wrapper import Git

_FILTER = re.compile(rb"^[^#\n]*?\sfilter=([^\s]+)", re.MULTILINE)
_NAMED = 3


class Base(Struct, frozen=True):
    """The commit that a run starts from (its full id), the operator's branch (empty if detached) and notices for the operator."""

    commit: str
    branch: str
    notices: tuple[str, ...]


def resolve_base(repo: Repository, ref: str = "HEAD") -> Base:
    """What `ref` stands for in the operator's checkout.

    Raises UsageError if the repository has no commit yet or `ref` names none.
    """
    git = repo.operators()
    seen = status.read(git, (":/", ":(top,exclude).loopdeck"))
    commit = _commit(git, ref)
    if commit is None and not seen.commit:
        raise UsageError(
            "the repository has no commit yet, so there is nothing to start from",
            where=str(repo.root),
            remedy="Commit first: `git add -A && git commit -m start`.",
        )
    if commit is None:
        raise UsageError(
            f"the base {ref!r} is no commit of this repository",
            where=str(repo.root),
            remedy="Set workspace.base to a branch, tag or commit that `git log` shows, or to HEAD.",
        )
    notices = [*_about_checkout(seen, ref, commit), *_about_tree(repo.shared(), commit)]
    return Base(commit, seen.branch, tuple(notices))


def _commit(git: Git, ref: str) -> str | None:
    if ref.startswith("-"):
        return None
    found = git.run("rev-parse", "--verify", "--quiet", ref + "^{commit}", check=False)
    return found.text if found.code == 0 else None


def _about_checkout(seen: status.Status, ref: str, commit: str) -> Iterable[str]:
    if not seen.branch:
        yield f"HEAD is detached at {seen.commit[:12]}; to merge what the run makes, check out a branch"
    if seen.entries:
        names = [entry.path for entry in seen.entries]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        files = some(len(names), "uncommitted file")
        yield f"the run starts from {ref} ({commit[:12]}) and does not see {files} of your checkout: {', '.join(names[:_NAMED])}{more}"


def _about_tree(git: Git, commit: str) -> Iterable[str]:
    links: list[str] = []
    attributes: list[str] = []
    for entry in git.run("ls-tree", "-r", "-z", commit).fields:
        meta, _, path = entry.partition("\t")
        mode, _, blob = meta.split(" ", 2)
        if mode == status.GITLINK:
            links.append(path)
        elif path.rpartition("/")[2] == ".gitattributes":
            attributes.append(blob)
    if links:
        yield f"submodules stay empty in the run's worktree: {', '.join(links)}"
    if filters := _filters(git, attributes):
        yield (
            f"files that go through a git filter ({', '.join(filters)}) appear in the run's worktree as they are stored"
            " (for lfs: as pointers), since loopdeck runs no filter on a maker's files"
        )


def _filters(git: Git, blobs: list[str]) -> list[str]:
    if not blobs:
        return []
    text = git.run("cat-file", "--batch", stdin="\n".join(blobs).encode() + b"\n").stdout
    return sorted({os.fsdecode(name) for name in _FILTER.findall(text)})
