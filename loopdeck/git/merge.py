"""What becomes of a run's branch: merged into the operator's, or discarded.

Invariant: a preview touches no ref and no file, and what is merged later is the very commit that was previewed (and that checks can be
run on before), or nothing. A discarded branch stays reachable below `refs/loopdeck/discarded/`.
"""

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loopdeck.errors import WorkspaceError
from loopdeck.git import diff, program, refs, settings, status, trash, worktrees
from loopdeck.git.admin import Worktree
from loopdeck.git.repository import Repository
from loopdeck.git.wrapper import Output

if TYPE_CHECKING:
    import git

_WITH_MERGE_TREE: Final = (2, 38)
_SHOWN: Final = 5


class MergePreview(diff.Summed, frozen=True):
    """What merging `branch` (at `tip`) into the operator's branch `into` (at `head`) would come to.

    `commit` is the merge commit, made but not yet on any branch, for checks to be run on; empty if there are `conflicts` (paths) or
    `merged` says that the operator's branch has it all already. `changes` are against `head`.
    """

    branch: str
    tip: str
    into: str
    head: str
    commit: str = ""
    merged: bool = False
    conflicts: tuple[str, ...] = ()
    changes: tuple[diff.Change, ...] = ()


def preview(repo: Repository, branch: str, message: str) -> MergePreview:
    """Merge `branch` in the object store alone, as one merge commit with `message` on top of the branch that the operator is on.

    Raises WorkspaceError if HEAD is detached or there is no such branch.
    """
    git = repo.operators()
    seen = status.read(git, (":(top)",))
    _refuse_detached(repo, seen)
    tip = refs.tip(repo, branch)
    if tip is None:
        raise WorkspaceError(f"there is no branch {branch}", where=str(repo.root), remedy="`git branch --list 'loop/*'` lists them.")
    planned = MergePreview(branch, tip, seen.branch, seen.commit)
    if diff.merge_base(repo, seen.commit, tip) == tip:
        return MergePreview(branch, tip, seen.branch, seen.commit, merged=True)
    merging = _merge_tree if program.version() >= _WITH_MERGE_TREE else merge_in_scratch
    tree, conflicts = merging(repo, planned)
    changes = diff.changed(repo, seen.commit, tree)
    if conflicts:
        return MergePreview(branch, tip, seen.branch, seen.commit, conflicts=conflicts, changes=changes)
    env = settings.of(repo.common_dir).identity()
    parents = ("-p", seen.commit, "-p", tip)
    commit = git.run("commit-tree", tree, *parents, "-F", "-", stdin=message.encode("utf-8", "replace"), env=env).text
    return MergePreview(branch, tip, seen.branch, seen.commit, commit, changes=changes)


def merge(repo: Repository, planned: MergePreview) -> str:
    """Put the operator's branch and checkout at the previewed merge commit, and give that.

    Raises WorkspaceError, having changed nothing, if there are conflicts or nothing to merge, if the checkout has uncommitted
    changes, if HEAD is detached, or if a branch has moved since the preview.
    """
    refuse(repo, planned)
    return _fast_forward(repo, planned)


def refuse(repo: Repository, planned: MergePreview) -> None:
    """Raise WorkspaceError if the previewed merge can't be made as things are now; it changes nothing."""
    if planned.merged:
        raise WorkspaceError(f"{planned.branch} is merged into {planned.into} already", where=str(repo.root))
    if planned.conflicts:
        raise WorkspaceError(
            f"{planned.branch} conflicts with {planned.into} in {_listed(planned.conflicts)}",
            where=str(repo.root),
            remedy=f"Merge by hand, `git merge {planned.branch}`, or start the loop again from {planned.into}.",
        )
    seen = status.read(repo.operators(), (":(top)",))
    _refuse_detached(repo, seen)
    if dirty := tuple(entry.path for entry in seen.entries if not entry.untracked):
        raise WorkspaceError(
            f"your checkout has uncommitted changes: {_listed(dirty)}", where=str(repo.root), remedy="Commit or stash them, then merge."
        )
    moved = (seen.branch, seen.commit) != (planned.into, planned.head) or refs.tip(repo, planned.branch) != planned.tip
    if moved:
        raise WorkspaceError("a branch has moved since the merge was prepared", where=str(repo.root), remedy="Merge again.")


def discard(repo: Repository, branch: str, worktree: Worktree | None = None) -> str:
    """Remove a run's worktree and its branch, and give the ref that its commits can still be reached by (empty: no such branch).

    Raises WorkspaceError, having changed nothing, if the operator has the branch checked out.
    """
    git = repo.shared()
    shown = git.run("for-each-ref", "--format=%(refname)%00%(objectname)%00%(worktreepath)%00", f"refs/heads/{branch}").fields
    ref = ""
    if shown and shown[0] == f"refs/heads/{branch}":
        commit, place = shown[1], shown[2]
        if (repo.git_dir / "HEAD").read_bytes().rstrip() == os.fsencode(f"ref: refs/heads/{branch}"):
            # Git names only one place that has it checked out, and may name the run's.
            place, worktree = str(repo.root), None
        if place and (worktree is None or Path(place) != worktree.path):
            raise WorkspaceError(f"the branch {branch} is checked out", where=place, remedy="Check out another one there first.")
        ref = f"{refs.PREFIX}discarded/{branch}"
        orders = f"update {ref}\0{commit}\0\0delete refs/heads/{branch}\0{commit}\0"
        git.run("update-ref", "-z", "--stdin", stdin=orders.encode())
    if worktree is not None:
        worktrees.remove(worktree)
    return ref


def merge_in_scratch(repo: Repository, planned: MergePreview) -> tuple[str, tuple[str, ...]]:
    """The tree of the merge and the paths in conflict, by way of a scratch worktree, for a git without `merge-tree --write-tree`."""
    folder = Path(tempfile.mkdtemp(prefix="loopdeck-merge-")).resolve()
    try:
        scratch = worktrees.create(repo, folder / "tree", "", planned.head)
        try:
            git = scratch.git()
            command = ("merge", "--no-commit", "--no-ff", "--no-verify", "--quiet", planned.tip)
            done = git.run(*command, check=False, env=settings.of(repo.common_dir).identity())
            conflicts = git.run("diff", "--name-only", "--diff-filter=U", "-z", *diff.PLAIN).fields
            if done.code and not conflicts:
                raise git.failure(command, done)
            return (planned.head if conflicts else git.text("write-tree")), tuple(dict.fromkeys(conflicts))
        finally:
            worktrees.remove(scratch)
    finally:
        trash.delete(folder)


def _merge_tree(repo: Repository, planned: MergePreview) -> tuple[str, tuple[str, ...]]:
    git = repo.operators()
    command = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", planned.head, planned.tip)
    done = git.run(*command, check=False)
    if done.code not in {0, 1}:
        raise git.failure(command, done)
    tree, *conflicts = done.fields
    return tree, tuple(dict.fromkeys(conflicts))


def _fast_forward(repo: Repository, planned: MergePreview) -> str:
    """Move the operator's branch, index and files in one go, as their own git does it: with their filters, but without hooks."""
    import git

    git.refresh(program.executable())
    with git.Repo(repo.root) as operators:
        bound = operators.git(
            git_dir=str(repo.git_dir), work_tree=str(repo.root), c=["core.hooksPath=/dev/null", "maintenance.auto=false", "gc.auto=0"]
        )
        with operators.git.custom_environment(LC_ALL="C", GIT_TERMINAL_PROMPT="0"):
            try:
                bound.merge("--ff-only", "--quiet", "--no-stat", planned.commit)
            except git.GitCommandError as error:
                raise _refused(repo, error) from error
    now = repo.operators().text("rev-parse", "HEAD")
    if now != planned.commit:
        raise WorkspaceError("git said it had merged, but the branch is elsewhere", where=str(repo.root), remedy="Look at `git log`.")
    return now


def _refused(repo: Repository, error: "git.GitCommandError") -> WorkspaceError:
    said = str(error.stderr)
    if in_the_way := re.findall(r"^\t(.+)$", said, re.MULTILINE):
        return WorkspaceError(
            f"files of yours that are not committed are in the way: {_listed(in_the_way)}",
            where=str(repo.root),
            remedy="Move them away, or commit them, then merge.",
        )
    output = Output(1, b"", said.strip().removeprefix("stderr:").strip(" '").encode("utf-8", "replace"))
    return WorkspaceError(f"git merge: {output.complaint}", where=str(repo.root))


def _refuse_detached(repo: Repository, seen: status.Status) -> None:
    if not seen.branch or not seen.commit:
        raise WorkspaceError(
            "HEAD is detached: there is no branch to merge into" if seen.commit else "there is no commit to merge into yet",
            where=str(repo.root),
            remedy="Check out the branch that is to have the work: `git switch <branch>`.",
        )


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
