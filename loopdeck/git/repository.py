"""Which repository a folder belongs to, and where the operator's checkout of it is.

Invariant: `find` only reads files, so that it is fast enough for every verb and can be asked anywhere, even in a folder that a maker
has written to. Inside a run's worktree it leads back to the operator's checkout: each worktree of ours has a note of it in its
administrative folder, which is in the shared git folder, out of a maker's reach.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from loopdeck.errors import UsageError

if TYPE_CHECKING:
    from loopdeck.git.wrapper import Git

ROOT_NOTE: Final = "loopdeck-root"
"""In the administrative folder of a worktree of ours: the operator's checkout that it was made from."""

_BARE: Final = re.compile(
    r"^\s*\[core\](?:(?!^\s*\[).)*?^\s*bare\s*=\s*(?:true|yes|on|1)\s*$", re.IGNORECASE | re.MULTILINE | re.DOTALL
)


class Repository(NamedTuple):
    """A repository as the operator has it checked out.

    `root` is the operator's checkout: the worktree the person stands in, or, from inside a worktree of ours, the one that it was made
    from. `git_dir` is the git folder of `root`, `common_dir` the one that all worktrees share (both absolute, without links), and
    `name` what the repository is called, the same from each of its worktrees.
    """

    root: Path
    git_dir: Path
    common_dir: Path
    name: str

    # Most verbs find the repository and run no git, so what it takes to run one is imported when it is asked for.

    def shared(self) -> "Git":
        """Git on what all worktrees share: commits and refs, no files."""
        from loopdeck.git.wrapper import Git

        return Git(self.common_dir)

    def operators(self) -> "Git":
        """Git on the operator's checkout."""
        from loopdeck.git.wrapper import Git

        return Git(self.git_dir, self.root, self.common_dir, trusted=True)


def find(path: Path) -> Repository:
    """The repository around `path`.

    Raises UsageError if there is none, or if it has no checkout (a bare one).
    """
    start = path.resolve()
    if not start.is_dir():
        raise UsageError("no such folder", where=str(path))
    for folder in (start, *start.parents):
        git_dir = _git_dir_of(folder)
        if git_dir is not None:
            return _operators(_opened(folder, git_dir))
        if folder.name != ".git" and _is_git_dir(folder):
            raise _bare(folder)
    raise UsageError(
        "not inside a git repository",
        where=str(start),
        remedy="Go to a repository, or make one here: `git init && git add -A && git commit -m start`.",
    )


def _git_dir_of(folder: Path) -> Path | None:
    """The git folder that `folder`'s `.git` is or names, or None."""
    dot = folder / ".git"
    if dot.is_dir():
        return dot.resolve() if _is_git_dir(dot) else None
    named = read_pointer(dot)
    return (folder / named).resolve() if named else None


def read_pointer(file: Path) -> str:
    """The path in a `.git` file, or nothing if it is no such file."""
    try:
        text = os.fsdecode(file.read_bytes())
    except OSError:
        return ""
    return text.removeprefix("gitdir: ").rstrip("\r\n") if text.startswith("gitdir: ") else ""


def _is_git_dir(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()


def _opened(root: Path, git_dir: Path) -> Repository:
    common_dir = git_dir
    try:
        named = os.fsdecode((git_dir / "commondir").read_bytes()).rstrip("\r\n")
        common_dir = (git_dir / named).resolve()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UsageError(f"the repository can't be read: {error.strerror}", where=str(git_dir)) from error
    if not (common_dir / "HEAD").is_file():
        raise UsageError(
            "the repository that this folder's .git names is gone",
            where=str(root),
            remedy="If it was moved, `git worktree repair` in its new place mends this.",
        )
    if git_dir == common_dir and _says_bare(common_dir):
        raise _bare(common_dir)
    return Repository(root, git_dir, common_dir, _name(common_dir))


def _name(common_dir: Path) -> str:
    """`shop` for `/src/shop/.git`, `/src/shop.git` and `/src/shop/.bare`."""
    named = common_dir.parent if common_dir.name.startswith(".") else common_dir
    return named.name.removesuffix(".git") or "repository"


def _says_bare(common_dir: Path) -> bool:
    try:
        return _BARE.search(os.fsdecode((common_dir / "config").read_bytes())) is not None
    except OSError:
        return False


def _bare(where: Path) -> UsageError:
    return UsageError(
        "this repository is bare: it has no checkout to work from",
        where=str(where),
        remedy="Make one with `git worktree add ../work` and start loopdeck there.",
    )


def _operators(found: Repository) -> Repository:
    """`found` itself, or, if it is a worktree of ours, the operator's checkout it was made from."""
    try:
        noted = Path(os.fsdecode((found.git_dir / ROOT_NOTE).read_bytes()))
    except OSError:
        return found
    main = found.common_dir.parent if found.common_dir.name == ".git" else None
    for root in (noted, main):
        git_dir = _git_dir_of(root) if root else None
        if root is None or git_dir is None or (git_dir / ROOT_NOTE).exists():
            continue
        opened = _opened(root, git_dir)
        if opened.common_dir == found.common_dir:
            return opened
    raise UsageError(
        "the checkout that this worktree was made from is gone",
        where=str(noted),
        remedy="Go to another checkout of the repository and start there.",
    )
