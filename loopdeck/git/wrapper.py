"""Git, run so that nothing a maker wrote can make it execute anything.

Invariant: every git process on loopdeck's behalf starts here, with an absolute path to git, the git folder and the work tree named
outright (never found by looking around in a worktree), no inherited `GIT_` variable, no configuration but the repository's own and
the settings pinned below, which win over it. What the repository's configuration names as filters, diff and merge drivers is
switched off by name, because a maker's `.gitattributes` could call them on files of its choosing.
"""

import contextlib
import errno
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from msgspec import Struct

from loopdeck.errors import Exhausted, WorkspaceError, WorktreeLost
from loopdeck.git import locks, settings
from loopdeck.git.program import executable, hermetic

PINNED: Final = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.quotePath=false",
    "core.untrackedCache=false",
    # A file's change time can't be forged: without it a check could alter a file unseen by setting its old time again.
    "core.trustctime=true",
    "core.checkStat=default",
    "core.ignoreStat=false",
    "safe.bareRepository=explicit",
    "diff.ignoreSubmodules=all",
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "submodule.recurse=false",
    "protocol.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgSign=false",
    "log.showSignature=false",
    "worktree.guessRemote=false",
    "worktree.useRelativePaths=false",
    "checkout.workers=8",
)
PATIENCE_S: Final = 3.0
"""For how long a lock of somebody else is waited for, in seconds."""
LIMIT_S: Final = 300.0
"""The longest that one git process may take, in seconds."""

_SHORT: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN))
_REMEDIES: Final = (
    ("promisor", "This is a partial clone; fetch what is missing with `git fetch --refetch`, or clone it whole."),
    ("transport '", "This is a partial clone; fetch what is missing with `git fetch --refetch`, or clone it whole."),
    ("No space left", "Free some disk space, then resume the run."),
    ("Disk quota exceeded", "Free some disk space, then resume the run."),
    ("Too many open files", "Raise the limit (ulimit -n), then resume the run."),
    ("Cannot allocate memory", "Memory is short; end what you can, then resume the run."),
    ("Permission denied", "Look at who owns the file and its mode, then start again."),
    (".lock': File exists", "Another git is at work there, or died there; if none is running, remove the lock file."),
    ("bad object", "The repository misses objects; `git fsck` in it says which."),
    ("unable to read tree", "The repository misses objects; `git fsck` in it says which."),
)

_KINDS: Final = {
    "No space left": Exhausted,
    "Disk quota exceeded": Exhausted,
    "Too many open files": Exhausted,
    "Cannot allocate memory": Exhausted,
    ".lock': File exists": WorktreeLost,
}


_ASIDE: ContextVar[Path | None] = ContextVar("aside", default=None)


@contextlib.contextmanager
def making_aside(folder: Path) -> Iterator[None]:
    """Within the block, in this thread, what git makes is laid into `folder` and not among the objects that all share."""
    token = _ASIDE.set(folder)
    try:
        yield
    finally:
        _ASIDE.reset(token)


class Output(Struct, frozen=True):
    """What a git process came to."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Its output as text, stripped; bytes that are no UTF-8 survive as in file names."""
        return os.fsdecode(self.stdout).strip()

    @property
    def fields(self) -> tuple[str, ...]:
        """Its NUL-ended fields."""
        return tuple(os.fsdecode(self.stdout).split("\0")[:-1])

    @property
    def complaint(self) -> str:
        """Git's own last line, without the word in front that says how bad it is."""
        lines = os.fsdecode(self.stderr).strip().splitlines()
        said = [line for line in lines if line.startswith(("fatal: ", "error: "))] or lines
        return re.sub(r"^(fatal|error): ", "", said[-1]) if said else f"git ended with {self.code} and said nothing"


class _Process(subprocess.Popen[bytes]):
    """A git under way."""

    def wait(self, timeout: float | None = None) -> int:
        # `communicate` waits with what is left of its timeout once all output has been read, so the end is near. With a timeout the
        # standard library would sleep between looks, which doubles what a short git takes.
        return super().wait()


class Git:
    """Git on one git folder, with a work tree or without.

    `common_dir` is the folder that all worktrees share (by default `git_dir` itself). `trusted` is for the operator's own checkout:
    its drivers stay on there, since what they read is the operator's.
    """

    __slots__ = ("common_dir", "git_dir", "trusted", "work_tree")

    def __init__(self, git_dir: Path, work_tree: Path | None = None, common_dir: Path | None = None, *, trusted: bool = False) -> None:
        self.git_dir = git_dir
        self.work_tree = work_tree
        self.common_dir = common_dir or git_dir
        self.trusted = trusted

    def run(self, *args: str, stdin: bytes = b"", check: bool = True, env: Mapping[str, str] | None = None) -> Output:
        """Run git to its end, waiting a while for locks of others.

        Raises WorkspaceError with git's own last line if it fails and `check` is set, or if it can't be started.
        """
        started = time.monotonic()
        pause = 0.01
        while True:
            output = self._once(args, stdin, env)
            lock = locks.in_the_way(output.stderr) if output.code else None
            if lock is None:
                break
            waited = time.monotonic() - started
            freed = locks.remove_if_dead(lock, self.git_dir, self.common_dir)
            if waited > PATIENCE_S and not freed:
                break
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
        if output.code and check:
            raise self.failure(args, output)
        return output

    def text(self, *args: str) -> str:
        """The stripped output of a git that must succeed."""
        return self.run(*args).text

    def paths(self, *args: str, stdin: Sequence[str] = ()) -> tuple[str, ...]:
        """Run a git that reads NUL-ended paths and writes NUL-ended fields; paths are literal, whatever they look like."""
        fed = b"".join(os.fsencode(path) + b"\0" for path in stdin)
        return self.run(*args, stdin=fed, env={"GIT_LITERAL_PATHSPECS": "1"}).fields

    def start(self, *args: str, stdin: bytes = b"") -> "subprocess.Popen[bytes]":
        """Start git without waiting: to read a bounded part of its output, or to run two at once. The caller ends it.

        `stdin` must be short enough for a pipe to hold it all.
        """
        process = self._spawn(args, subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(stdin)
        process.stdin = None  # else `communicate` wants to write to it too
        return process

    def argv(self, args: Sequence[str]) -> list[str]:
        """The whole command line for `args`."""
        pins = [*PINNED, *settings.of(self.common_dir).pins()]
        if not self.trusted:
            sparse = (self.git_dir / "info" / "sparse-checkout").exists() and self.git_dir != self.common_dir
            pins += [f"core.sparseCheckout={str(sparse).lower()}", "core.sparseCheckoutCone=false", "index.sparse=false"]
        where = [f"--git-dir={self.git_dir}"]
        if self.work_tree is not None:
            where.append(f"--work-tree={self.work_tree}")
        return [executable(), *where, *(word for pin in pins for word in ("-c", pin)), *args]

    def environment(self) -> dict[str, str]:
        """The environment git gets: ours, without its own variables but the ones that hold it down."""
        drivers = () if self.trusted else settings.of(self.common_dir).drivers_off()
        said = hermetic() | {"GIT_COMMON_DIR": str(self.common_dir)} | settings.as_environment(drivers)
        if (aside := _ASIDE.get()) is not None:
            said |= {"GIT_OBJECT_DIRECTORY": str(aside), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self.common_dir / "objects")}
        return said

    def failure(self, args: Sequence[str], output: Output) -> WorkspaceError:
        """The error for a git that failed."""
        said = os.fsdecode(output.stderr)
        sign, remedy = next(((sign, remedy) for sign, remedy in _REMEDIES if sign in said), ("", ""))
        kind = _KINDS.get(sign, WorkspaceError)
        return kind(f"git {args[0]}: {output.complaint}", where=str(self.work_tree or self.git_dir), remedy=remedy)

    def _once(self, args: Sequence[str], stdin: bytes, env: Mapping[str, str] | None) -> Output:
        if self.git_dir == self.common_dir or self.trusted:
            return self._run(args, stdin, env)
        with locks.noted(self.git_dir) as note:
            try:
                output = self._run(args, stdin, env)
            except BaseException:
                note.leave()
                raise
            if output.code < 0:
                note.leave()
        return output

    def _run(self, args: Sequence[str], stdin: bytes, env: Mapping[str, str] | None) -> Output:
        with self._spawn(args, subprocess.PIPE, env) as process:
            try:
                stdout, stderr = process.communicate(stdin, LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise WorkspaceError(
                    f"git {args[0]} did not end within {LIMIT_S:.0f} s",
                    where=str(self._cwd()),
                    remedy="Is the disk slow? Or is there a pipe in the place of a file, such as .gitignore?",
                ) from None
            except BaseException:
                process.kill()
                raise
        return Output(process.returncode, stdout, stderr)

    def _spawn(
        self, args: Sequence[str], stdin: int, env: Mapping[str, str] | None = None, stderr: int = subprocess.PIPE
    ) -> "subprocess.Popen[bytes]":
        try:
            return _Process(
                self.argv(args),
                cwd=self._cwd(),
                env=self.environment() | dict(env or {}),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        except OSError as error:
            missing = self._cwd() if not self._cwd().is_dir() else Path(executable())
            kind = Exhausted if error.errno in _SHORT else WorkspaceError
            raise kind(f"git can't be started: {error.strerror}", where=str(missing)) from error

    def _cwd(self) -> Path:
        # Without a work tree, git takes the folder it stands in for one and reads attributes there: let it stand where none are.
        return self.work_tree or self.git_dir
