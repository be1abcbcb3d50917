"""The maker's work, committed by us.

Invariant: a commit holds exactly the files of the worktree that are not ignored, excluded, protected or repositories of their own, on
top of the commit that the runner knows to be the last; what the maker itself did with git (commits, branches, staged submodules) has
no say in it and is told.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from msgspec import structs

from loopdeck.errors import WorkspaceError
from loopdeck.git import admin, collecting, diff, settings, status
from loopdeck.git import protect as protection
from loopdeck.git.admin import Worktree
from loopdeck.git.refs import keep_ref, note_tree, trees_of
from loopdeck.git.wrapper import Git, making_aside

_BLOCK: Final = 1 << 20
_TRIES: Final = 8


class Committed(diff.Summed, frozen=True):
    """The run's last commit and what came into it.

    `empty` says that nothing had changed, and `commit` is the one before. `changes` are against the commit before, `since_base`
    against the base (None if empty: as they were).
    `protected_changed` are protected paths that the maker had changed and that were put back. `problems` are for the maker and the
    operator to read: nested repositories that were left out, a branch that the maker had moved.
    """

    commit: str
    empty: bool
    changes: tuple[diff.Change, ...] = ()
    since_base: tuple[diff.Change, ...] | None = None
    protected_changed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def trailers(loop: str, run: str, iteration: int) -> str:
    """The last paragraph of a commit message of ours."""
    return f"Loopdeck-Loop: {loop}\nLoopdeck-Run: {run}\nLoopdeck-Iteration: {iteration}"


def commit_all(
    worktree: Worktree, message: str, *, exclude: Sequence[str] = (), protect: Sequence[str] = (), base: str, tip: str = ""
) -> Committed:
    """Commit what the maker did in `worktree` to its branch.

    `exclude` are paths (with all below them) that never go in, beside those noted as kept; `protect` are globs of paths that are put
    back to what they are at `base`. `tip` is the last commit that the runner knows of; what the maker has committed itself beyond it
    becomes part of the new commit. Without it, the branch as it is counts.

    If somebody's garbage collection has thrown away what was being committed, it is made once more where nobody collects.
    Raises WorkspaceError if the worktree is gone or was tampered with, or git refuses.
    """
    repo = worktree.repo
    try:
        made = _commit_all(worktree, message, exclude, protect, (base, tip))
    except WorkspaceError as error:
        # Git has many words for what has just been thrown away; whatever else it was will be said again.
        if not tip or type(error) is not WorkspaceError:
            raise
    else:
        collecting.await_end(repo)
        if made.empty or not tip or collecting.is_whole(repo, made.commit, tip):
            return made
    return _made_aside(worktree, message, exclude, protect, (base, tip))


def _made_aside(worktree: Worktree, message: str, exclude: Sequence[str], protect: Sequence[str], since: tuple[str, str]) -> Committed:
    """Once more, after somebody has thrown away what was made: where nobody collects. `since` are the base and the last commit."""
    aside = worktree.git_dir / "made-aside"
    tip = since[1]
    try:
        aside.mkdir(exist_ok=True)
        for tries in range(_TRIES):
            _start_over(worktree, tip)
            try:
                with making_aside(aside):
                    made = _commit_all(worktree, message, exclude, protect, since)
            except WorkspaceError:
                # What was there already is not made again, and may have gone since; next time it will be made here.
                if tries == _TRIES - 1:
                    raise
                continue
            # Those that began before the branch led to it; who begins after that keeps it.
            collecting.await_end(worktree.repo)
            collecting.bring_in(worktree.repo, aside)
            if made.empty or collecting.is_whole(worktree.repo, made.commit, tip):
                return made
    except OSError as error:
        raise WorkspaceError(f"there is no room beside the worktree: {error.strerror}", where=str(aside)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    _start_over(worktree, tip)
    raise WorkspaceError(
        "the work could not be committed: what was made was thrown away again and again",
        where=str(worktree.path),
        remedy="Somebody collects garbage here all the time (`git gc --prune=now`); nothing is lost, resume when that is over.",
    )


def _start_over(worktree: Worktree, tip: str) -> None:
    """Forget a commit of which something is gone: the branch where it was, and an index that believes in no object."""
    collecting.await_end(worktree.repo)
    worktree.repo.shared().run("update-ref", "-m", "loopdeck: put back", f"refs/heads/{worktree.branch}", tip)
    (worktree.git_dir / "index").unlink(missing_ok=True)
    git = worktree.git()
    # Their logs name what is gone, which `git fsck` would call damage.
    git.run("reflog", "expire", "--expire=now", f"refs/heads/{worktree.branch}", "HEAD", check=False)
    git.run("read-tree", tip)


def _commit_all(worktree: Worktree, message: str, exclude: Sequence[str], protect: Sequence[str], since: tuple[str, str]) -> Committed:
    """Once. `since` are the base and the last commit known, as given."""
    base, tip = since
    git = worktree.git()
    problems = _put_head_back(worktree)
    seen = status.read(git)
    tip = tip or seen.commit
    if not tip:
        raise WorkspaceError("the run's branch is gone", where=f"{worktree.path}, {worktree.branch}", remedy="Start a new run.")
    if seen.commit != tip:
        problems += _fold_in(worktree, tip, seen.commit, message)
        seen = status.read(git)
    excluded = _Below((*exclude, *admin.kept(worktree)))
    entries = [entry for entry in seen.entries if entry.path not in excluded]
    problems += (_left_out(entry.path) for entry in entries if entry.nested)
    forbidden = protection.touched((entry.path for entry in entries), protect)
    if forbidden:
        protection.restore(git, base, forbidden)
    put_back = set(forbidden)
    paths = [entry.path for entry in entries if not entry.nested and entry.path not in put_back]
    if not paths and not forbidden:
        return Committed(tip, empty=True, problems=tuple(problems))
    _stage(git, paths)
    # The maker may have staged what is not to go in, or committed it itself.
    _as_at(git, tip, [entry.path for entry in seen.entries if entry.path in excluded and not entry.untracked])
    made = _make_commit(worktree, (base, tip), message, problems)
    if made.commit != tip:
        if (aside := worktree.git_dir / "made-aside").is_dir():
            collecting.bring_in(worktree.repo, aside)
        git.run("update-ref", "-m", "loopdeck: commit", f"refs/heads/{worktree.branch}", made.commit, tip)
    return structs.replace(made, protected_changed=forbidden, problems=tuple(problems))


def move_branch(worktree: Worktree, commit: str) -> None:
    """Put the branch of `worktree`, and its files, at `commit`. Raises WorkspaceError."""
    worktree.git().run("reset", "--hard", "--quiet", commit)


def digest(worktree: Worktree, *, exclude: Sequence[str] = ()) -> str:
    """A hash of all that is in the worktree and not ignored or excluded: the same only if the files are. Writes nothing."""
    git = worktree.git()
    seen = status.read(git)
    excluded = _Below((*exclude, *admin.kept(worktree)))
    total = hashlib.sha256(seen.commit.encode())
    for entry in sorted(seen.entries, key=lambda entry: entry.path):
        if entry.path not in excluded:
            total.update(b"\0" + os.fsencode(entry.path) + b"\0")
            for file in _files(worktree.path / entry.path):
                total.update(os.fsencode(file.relative_to(worktree.path)) + b"\0" + _content(file))
    return total.hexdigest()


def _put_head_back(worktree: Worktree) -> list[str]:
    if not worktree.branch:
        raise WorkspaceError("this worktree has no branch to commit to", where=str(worktree.path))
    if admin.head_is_branch(worktree):
        return []
    admin.point_head(worktree, "")
    return [f"the maker had left the run's branch; it was put back to {worktree.branch}"]


def _fold_in(worktree: Worktree, tip: str, found: str, message: str) -> list[str]:
    """Put the branch back to `tip`, and keep what had been committed to it in a ref of ours; says so, unless it was us.

    A runner that dies between its commit and the journal makes the same commit again.
    """
    git = worktree.git()
    own = bool(found) and git.run("log", "-1", "--format=%P%n%B", found).text == f"{tip}\n{message}".rstrip()
    if found and not own:
        keep_ref(worktree.repo, f"folded/{worktree.branch}/{found[:12]}", found)
    git.run("update-ref", "-m", "loopdeck: put back", f"refs/heads/{worktree.branch}", tip)
    return [] if own else ["the maker had committed by itself, or moved the branch; its work is part of the run's own commit now"]


def _left_out(path: str) -> str:
    return f"{path} is a git repository of its own, so nothing of it was committed; if its files belong here, remove {path}/.git"


def _stage(git: Git, paths: Sequence[str]) -> None:
    """Have the index say of `paths` what the work tree says."""
    assert git.work_tree is not None
    top = git.work_tree
    gone = protection.beyond_links(top, paths)
    if gone:
        git.paths("update-index", "-z", "--force-remove", "--stdin", stdin=sorted(gone))
    rest = [path for path in paths if path not in gone]
    if not rest:
        return
    command = ("update-index", "-z", "--add", "--remove", "--replace", "--stdin")
    try:
        git.paths(*command, stdin=rest)
    except WorkspaceError:
        if not _make_readable(top / path for path in rest):
            raise
        git.paths(*command, stdin=rest)


def _make_readable(files: Iterable[Path]) -> bool:
    """Give ourselves the right to read `files`, which a maker may have taken; False if they had it already."""
    changed = False
    for file in files:
        mode = file.lstat().st_mode if os.path.lexists(file) else 0
        if stat.S_ISREG(mode) and not mode & stat.S_IRUSR:
            file.chmod(stat.S_IMODE(mode) | stat.S_IRUSR)
            changed = True
    return changed


def _make_commit(worktree: Worktree, since: tuple[str, str], message: str, problems: list[str]) -> Committed:
    """A commit of what is staged, without any ref; the tip itself if that has the same files. `since` are the base and the tip."""
    git, repo = worktree.git(), worktree.repo
    tip = since[1]
    trees = trees_of(repo, since)
    env = settings.of(git.common_dir).identity()
    text = message.replace("\0", "").encode("utf-8", "replace")
    while True:
        tree = git.text("write-tree")
        # Both at once, as each process costs milliseconds. A commit that turns out to be not wanted is one loose object, on no ref.
        with diff.comparing(repo, [(before, tree) for before in trees]) as answers:
            commit = git.run("commit-tree", tree, "-p", tip, "-F", "-", stdin=text, env=env).text
            since_base, changes = answers()
        links = [change.path for change in changes if change.gitlink]
        if not links:
            note_tree(repo, commit, tree)
            return Committed(commit, empty=False, changes=changes, since_base=since_base) if changes else Committed(tip, empty=True)
        problems += (_left_out(path) for path in links)
        # A maker can't add, move or drop a submodule.
        _as_at(git, tip, links)


def _as_at(git: Git, tip: str, paths: Sequence[str]) -> None:
    """Have the index say of `paths` what `tip` says."""
    if not paths:
        return
    git.paths("update-index", "-z", "--force-remove", "--stdin", stdin=paths)
    known = protection.existing(git, tip, paths)
    if known:
        listed = git.paths("ls-tree", "-z", "--full-tree", tip, "--", *sorted(known))
        git.run("update-index", "-z", "--index-info", stdin=b"".join(os.fsencode(line) + b"\0" for line in listed))


class _Below:
    """A set of paths that has all below them too."""

    def __init__(self, tops: Iterable[str]) -> None:
        self._tops = {top.strip("/") for top in tops}

    def __contains__(self, path: str) -> bool:
        parts = path.split("/")
        return any("/".join(parts[:end]) in self._tops for end in range(1, len(parts) + 1))


def _files(path: Path) -> Iterable[Path]:
    """`path`, or all files below it if it is a folder (as a nested repository is), links not followed."""
    if path.is_symlink() or not path.is_dir():
        return [path]
    return sorted(Path(folder, name) for folder, below, names in os.walk(path) for name in (*names, *_links(folder, below)))


def _links(folder: str, below: Sequence[str]) -> list[str]:
    return [name for name in below if Path(folder, name).is_symlink()]


def _content(file: Path) -> bytes:
    """The kind and content of a file, as a hash; of a link, where it leads."""
    try:
        mode = file.lstat().st_mode
        if stat.S_ISLNK(mode):
            return b"link\0" + os.fsencode(file.readlink())
        if not stat.S_ISREG(mode):
            return b"other\0"
        inside = hashlib.sha256()
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                inside.update(block)
    except FileNotFoundError:
        return b"gone\0"
    except OSError:
        return b"unreadable\0"
    return (b"run\0" if mode & stat.S_IXUSR else b"file\0") + inside.digest()
