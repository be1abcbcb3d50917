"""Protected paths: put back to what they were at the base, whatever a maker has made of them.

Invariant: `.loopdeck/**` is always protected; restoring never writes or deletes through a link.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from loopdeck.core import globs
from loopdeck.git import trash
from loopdeck.git.wrapper import Git

ALWAYS: Final = (".loopdeck/**",)
_AT_ONCE: Final = 200


def touched(paths: Iterable[str], protect: Sequence[str]) -> tuple[str, ...]:
    """Those of `paths` that are protected."""
    return tuple(path for path in paths if globs.any_match(path, (*ALWAYS, *protect)))


def restore(git: Git, base: str, paths: Sequence[str]) -> None:
    """Make `paths` in index and work tree what they are at the commit `base`; those it has not are deleted."""
    assert git.work_tree is not None
    at_base = existing(git, base, paths)
    new = [path for path in paths if path not in at_base]
    if new:
        out_of_reach = beyond_links(git.work_tree, new)
        for path in new:
            if path not in out_of_reach:
                trash.delete(git.work_tree / path)
        git.paths("update-index", "-z", "--force-remove", "--stdin", stdin=new)
    if at_base:
        source = ("restore", f"--source={base}", "--staged", "--worktree", "--ignore-skip-worktree-bits")
        git.paths(*source, "--pathspec-from-file=-", "--pathspec-file-nul", stdin=sorted(at_base))


def existing(git: Git, commit: str, paths: Sequence[str]) -> frozenset[str]:
    """Those of `paths` that are files at `commit`."""
    wanted = set(paths)
    found: set[str] = set()
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        found.update(git.paths("ls-tree", "-r", "-z", "--full-tree", "--name-only", commit, "--", *some))
    return frozenset(found & wanted)


def beyond_links(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Those of `paths` that are not really below `root`: a folder on the way there is a link, a file, or missing."""
    real: dict[str, bool] = {"": True}

    def is_real(folder: str) -> bool:
        if folder not in real:
            place = root / folder
            real[folder] = is_real(folder.rpartition("/")[0]) and place.is_dir() and not place.is_symlink()
        return real[folder]

    return frozenset(path for path in paths if not is_real(path.rpartition("/")[0]))
