"""Other repositories of the operator's: which there are, and a run's branch pushed to one.

Invariant: nothing is fetched, no branch of the operator's is pushed, and what is on the other side is never overwritten.
"""

import os
import re
import subprocess

from msgspec import Struct

from loopdeck.errors import UsageError, WorkspaceError
from loopdeck.git.program import executable, operators
from loopdeck.git.repository import Repository
from loopdeck.git.wrapper import Output

LIMIT_S = 120.0
"""The longest that the other side may take, in seconds."""
_OWN = ("-c", "core.hooksPath=/dev/null", "-c", "maintenance.auto=false", "-c", "gc.auto=0", "-c", "submodule.recurse=false")
_CREDENTIALS = ("GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT")


class Remote(Struct, frozen=True):
    """A remote's name and where pushes to it go."""

    name: str
    url: str

    @property
    def shown(self) -> str:
        """Where, for a screen: without a password that may stand in it."""
        return _without_password(self.url)


def _without_password(text: str) -> str:
    return re.sub(r"(?<=//)[^/@\s]*@", "", text)


def remote_of(repo: Repository, branch: str) -> Remote:
    """Where the operator's `branch` is pushed to; else the only remote there is, or the one called `origin`.

    Raises UsageError if there is none, or no telling which.
    """
    git = repo.operators()
    names = git.text("remote").splitlines()
    if not names:
        remedy = "Add one: `git remote add origin <url>`."
        raise UsageError("the repository has no remote to push to", where=str(repo.root), remedy=remedy)
    wanted = git.run("config", "--get", f"branch.{branch}.remote", check=False).text if branch else ""
    name = wanted if wanted in names else names[0] if len(names) == 1 else "origin"
    if name not in names:
        remedy = f"Say which: `git config branch.{branch}.remote {names[0]}`."
        raise UsageError(f"there are several remotes: {', '.join(names)}", where=str(repo.root), remedy=remedy)
    return Remote(name, git.text("remote", "get-url", "--push", name))


def has_branch(repo: Repository, remote: Remote, branch: str) -> bool:
    """True if the other side has such a branch; asks it. Raises WorkspaceError if it doesn't answer."""
    done = _asked(repo, "ls-remote", "--exit-code", "--heads", remote.name, f"refs/heads/{branch}")
    if done.code not in {0, 2}:
        raise _refused(repo, remote, done)
    return done.code == 0


def push(repo: Repository, remote: Remote, branch: str, commit: str) -> None:
    """Push `commit` to `branch` on the other side, with the operator's own credentials but without hooks. Raises WorkspaceError.

    Hooks are left out as a maker may have written them: they are in the git folder that all worktrees share.
    """
    done = _asked(repo, "push", "--porcelain", "--no-follow-tags", "--no-signed", remote.name, f"{commit}:refs/heads/{branch}")
    if done.code:
        raise _refused(repo, remote, done)


def _asked(repo: Repository, *words: str) -> Output:
    """Git as the operator would run it by hand: their keys and credential helpers count, nothing is asked on the terminal."""
    where = (f"--git-dir={repo.git_dir}", f"--work-tree={repo.root}")
    env = operators() | {name: os.environ[name] for name in _CREDENTIALS if name in os.environ}
    try:
        done = subprocess.run(
            [executable(), *where, *_OWN, *words], cwd=repo.root, env=env,
            # A session of its own has no terminal to ask for a password on, in the middle of the room.
            start_new_session=True, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=LIMIT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        what = f"the other side did not answer within {LIMIT_S:.0f} s"
        raise WorkspaceError(what, where=str(repo.root), remedy="Try `git push` by hand.") from None
    except OSError as error:
        raise WorkspaceError(f"git can't be started: {error.strerror}", where=str(repo.root)) from error
    return Output(done.returncode, done.stdout, done.stderr)


def _refused(repo: Repository, remote: Remote, done: Output) -> WorkspaceError:
    rejected = b"[rejected]" in done.stdout
    what = "it has another branch of that name, with other commits" if rejected else _without_password(done.complaint)
    remedy = "Delete it there if it is not needed." if rejected else "See whether `git push` works by hand."
    return WorkspaceError(f"{remote.name} refused: {what}", where=str(repo.root), remedy=remedy)
