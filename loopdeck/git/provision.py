"""What a worktree needs beside the tracked files: copies from the operator's checkout, and links into it.

Invariant: nothing is read from outside the operator's checkout, nothing written outside the worktree, and no file that is there
already (a tracked one, say) is replaced.
"""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from loopdeck.core import globs
from loopdeck.errors import WorkspaceError
from loopdeck.git.protect import beyond_links

_MAGIC = frozenset("*?[")


class Provisioned(Struct, frozen=True):
    """The paths that were made (relative to the worktree; hand them to `settle`), and notices for the operator."""

    paths: tuple[str, ...]
    notices: tuple[str, ...]


class _NotWanted(Exception):
    """A source or target that is left out, and why."""


def provision(root: Path, tree: Path, copy: Sequence[str] = (), link: Sequence[str] = (), *, held: bool = False) -> Provisioned:
    """Copy and link files and folders of the operator's checkout `root` into the worktree `tree`, to the same places.

    Entries are paths or globs relative to `root`. Links inside a copied folder stay links. What is missing, leads out of the
    checkout or is in the way is left out with a notice. `held` says that a sandbox keeps commands from writing to what is linked.
    Raises WorkspaceError if the disk refuses.
    """
    parts = [_place(root, tree, entry, linked=False) for entry in copy]
    parts += [_place(root, tree, entry, linked=True, held=held) for entry in link]
    paths = dict.fromkeys(path for part in parts for path in part.paths)
    return Provisioned(tuple(paths), tuple(notice for part in parts for notice in part.notices))


def _place(root: Path, tree: Path, entry: str, *, linked: bool, held: bool = False) -> Provisioned:
    """Provide one entry of the loop file."""
    word, place = ("link", _link) if linked else ("copy", _copy)
    paths: list[str] = []
    notices: list[str] = []
    sources = list(found_in(root, entry))
    if not sources:
        notices.append(f"{word}: {entry} is not in your checkout, so the run has none")
    for path in sources:
        try:
            paths += place(root, tree, path)
            if linked and not held:
                notices.append(f"link: {path} is shared with your checkout: without a sandbox the maker can write to it")
        except _NotWanted as reason:
            notices.append(f"{word}: {path} {reason}")
        except OSError as error:
            raise WorkspaceError(f"{word}: {path}: {error.strerror}", where=str(tree)) from error
    return Provisioned(tuple(paths), tuple(notices))


def found_in(root: Path, entry: str) -> Iterator[str]:
    """The paths, relative to `root`, that `entry` of the loop file stands for."""
    if _MAGIC.isdisjoint(entry) or os.path.lexists(root / entry):
        if os.path.lexists(root / entry):
            yield os.path.normpath(entry)
        return
    start = globs.fixed_root(entry)
    for folder, below, names in os.walk(root / start):
        inside = os.path.relpath(folder, root)
        prefix = "" if inside == "." else inside + "/"
        if not prefix and ".git" in below:
            below.remove(".git")
        matching = [name for name in below if globs.matches(prefix + name, entry)]
        below[:] = sorted(set(below) - set(matching))
        yield from sorted(prefix + name for name in (*matching, *names) if name in matching or globs.matches(prefix + name, entry))


def _checked(root: Path, tree: Path, path: str) -> tuple[Path, Path]:
    """Source and target of `path`. Raises _NotWanted if one of them leads elsewhere."""
    parts = Path(path).parts
    if path in {".", ""} or ".." in parts or Path(path).is_absolute() or not (root / path).resolve().is_relative_to(root.resolve()):
        raise _NotWanted("leads out of your checkout, so it is left out")
    if parts[0] in {".git", ".loopdeck"}:
        raise _NotWanted("is not for runs, so it is left out")
    parent = Path(path).parent.as_posix()
    if parent != "." and not os.path.lexists(tree / parent):
        _make_folders(tree, parent)
    if beyond_links(tree, [path]):
        raise _NotWanted("is below a link or a file in the worktree, so it is left out")
    return root / path, tree / path


def _make_folders(tree: Path, folder: str) -> None:
    above = folder.rpartition("/")[0]
    if above and not os.path.lexists(tree / above):
        _make_folders(tree, above)
    if not beyond_links(tree, [folder]):
        (tree / folder).mkdir(exist_ok=True)


def _link(root: Path, tree: Path, path: str) -> list[str]:
    source, target = _checked(root, tree, path)
    if os.path.lexists(target):
        raise _NotWanted("is a tracked file or folder, or there already, so it is not linked")
    target.symlink_to(source)
    return [path]


def _copy(root: Path, tree: Path, path: str) -> list[str]:
    source, target = _checked(root, tree, path)
    if source.is_symlink():
        source = source.resolve()
    new = not os.path.lexists(target)
    made = list(_copy_entry(source, target, path))
    if not made:
        raise _NotWanted("is tracked or there already, so nothing is copied")
    return [path] if new else made


def _copy_entry(source: Path, target: Path, path: str) -> Iterable[str]:
    """Copy `source`, and give the paths that are new."""
    mode = source.lstat().st_mode
    if stat.S_ISDIR(mode):
        new = not os.path.lexists(target)
        if new:
            target.mkdir()
            yield path
        elif target.is_symlink() or not target.is_dir():
            return
        for entry in sorted(source.iterdir()):
            yield from _copy_entry(entry, target / entry.name, f"{path}/{entry.name}")
        if new:
            shutil.copystat(source, target)
    elif os.path.lexists(target) or not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        return
    else:
        shutil.copy2(source, target, follow_symlinks=False)
        yield path
