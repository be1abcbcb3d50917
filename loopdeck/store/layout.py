"""Where everything of a deck is: its home outside the repository, its runs, states and worktrees.

Invariant: only this room builds a path of the deck's home. Names of loops and runs are checked before they become part of a path, a
run's id is its own in the whole deck, and ids sort by the time the runs were started.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from loopdeck.errors import StoreError, UsageError
from loopdeck.store.files import DIR_MODE, failure, make_dir

RUN_ID = re.compile(r"\d{8}-\d{4}-[0-9a-f]{4,}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_WORKTREE = re.compile(rf"({_NAME.pattern})-({RUN_ID.pattern})")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_TICKS = 0x10000
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.s3fs", "fuse.rclone"})


class RunPaths(NamedTuple):
    """The files of one run, in its folder `dir`."""

    dir: Path

    @property
    def run(self) -> str:
        """The run's id."""
        return self.dir.name

    @property
    def loop(self) -> str:
        """The loop it is a run of."""
        return self.dir.parent.name

    @property
    def spec(self) -> Path:
        """The loop as it was frozen at the start."""
        return self.dir / "spec.toml"

    @property
    def journal(self) -> Path:
        """Control facts."""
        return self.dir / "journal.jsonl"

    @property
    def trace(self) -> Path:
        """Everything the run did."""
        return self.dir / "trace.jsonl"

    @property
    def blobs(self) -> Path:
        """Large payloads by hash."""
        return self.dir / "blobs"

    @property
    def inbox(self) -> Path:
        """Commands from people."""
        return self.dir / "inbox"

    @property
    def lease(self) -> Path:
        """Who runs it."""
        return self.dir / "lease"

    @property
    def checkpoint(self) -> Path:
        """The fold so far; can be deleted at any time."""
        return self.dir / "checkpoint.json"

    @property
    def card(self) -> Path:
        """What a status says of the run once it has ended; can be deleted at any time."""
        return self.dir / "card.json"

    @property
    def report(self) -> Path:
        """What the run came to, for people."""
        return self.dir / "REPORT.md"

    @property
    def runner_log(self) -> Path:
        """What the runner process itself had to say."""
        return self.dir / "runner.log"

    @property
    def agent_home(self) -> Path:
        """What an outside agent keeps between its turns: settings, sessions. The only folder of a run that its agent sees."""
        return self.dir / "agent"

    @property
    def reserve(self) -> Path:
        """Room on the disk for the run's last words; gone once it has ended."""
        return self.dir / "reserve"

    @property
    def rescue(self) -> Path:
        """What the supervisor has done about a runner that is gone."""
        return self.dir / "rescue.json"

    @property
    def connectors(self) -> Path:
        """The tools of its connectors, as their servers first listed them."""
        return self.dir / "connectors.json"

    @property
    def home(self) -> "DeckHome":
        """The deck it belongs to."""
        return DeckHome(self.dir.parent.parent.parent)


class Outlying(NamedTuple):
    """What sandboxes keep in the home of a deck at `path`; can be deleted whenever no run is at work."""

    path: Path

    @property
    def caches(self) -> Path:
        """A folder for each loop, with what its tools fetched."""
        return self.path / "caches"

    @property
    def walls(self) -> Path:
        """That a sandbox was tried on this machine and held."""
        return self.path / "walls.json"


class DeckHome(NamedTuple):
    """The home of one deck at `path`. Nothing is made until `make` or `claim_run`."""

    path: Path

    @property
    def runs(self) -> Path:
        """A folder for each loop, in it one for each run."""
        return self.path / "runs"

    @property
    def state(self) -> Path:
        """A folder for each loop."""
        return self.path / "state"

    @property
    def worktrees(self) -> Path:
        """A worktree for each run."""
        return self.path / "worktrees"

    @property
    def locks(self) -> Path:
        """Locks of the whole deck: places for runs, making of worktrees and ids."""
        return self.path / "locks"

    @property
    def supervisor(self) -> Path:
        """The lease of the deck's supervisor."""
        return self.path / "supervisor.lease"

    @property
    def supervisor_log(self) -> Path:
        """What a supervisor in the background has done."""
        return self.path / "supervisor.log"

    @property
    def births(self) -> Path:
        """The socket where a warm process forks runners."""
        return self.path / "births"

    @property
    def frame(self) -> Path:
        """What the room showed last, to be painted before it is up; can be deleted at any time."""
        return self.path / "room" / "frame.json"

    @property
    def prices(self) -> Path:
        """Looked-up prices of models; can be deleted at any time."""
        return self.path / "prices"

    @property
    def readmarks(self) -> Path:
        """What the operator has read of what runs shipped."""
        return self.path / "read.json"

    @property
    def shipped(self) -> Path:
        """What each run shipped, looked up once; can be deleted at any time."""
        return self.path / "shipped"

    def make(self) -> None:
        """Make its folders. Raises StoreError if the home is somebody else's, open to others, or on another machine's disk."""
        for folder in (self.path, self.runs, self.state, self.worktrees, self.locks):
            make_dir(folder)
        _refuse_unsafe(self.path)

    def run_dir(self, loop: str, run: str) -> RunPaths:
        """The files of a run. Raises UsageError if a name can't be part of a path."""
        return RunPaths(self.runs / plain_name(loop) / plain_name(run))

    def state_dir(self, loop: str) -> Path:
        """Where the loop's STATE.md and its versions are."""
        return self.state / plain_name(loop)

    def worktree(self, loop: str, run: str) -> Path:
        """The run's worktree."""
        return self.worktrees / f"{plain_name(loop)}-{plain_name(run)}"

    def loops(self) -> list[str]:
        """Names of all loops that ever had a run."""
        return sorted(name for name in _folders(self.runs) if _NAME.fullmatch(name))

    def runs_of(self, loop: str) -> list[RunPaths]:
        """The loop's runs, oldest first."""
        base = self.runs / plain_name(loop)
        return [RunPaths(base / name) for name in sorted(_folders(base)) if RUN_ID.fullmatch(name)]

    def all_runs(self) -> list[RunPaths]:
        """The runs of all loops, oldest first."""
        return sorted((run for loop in self.loops() for run in self.runs_of(loop)), key=lambda run: (run.run, run.loop))

    def bereft(self) -> list[RunPaths]:
        """Runs whose folder somebody has deleted and whose worktree is still there, oldest first. They can't be gone on with."""
        found = []
        for name in _folders(self.worktrees):
            if (parts := _WORKTREE.fullmatch(name)) and not (paths := self.run_dir(parts[1], parts[2])).dir.is_dir():
                found.append(paths)
        return sorted(found, key=lambda one: (one.run, one.loop))


def sessions_of(home: DeckHome) -> Path:
    """The folder of agent sessions that were started elsewhere, as their hooks tell of them."""
    return home.path / "sessions"


def deck_home(repo_name: str, common_dir: Path, environ: Mapping[str, str]) -> Path:
    """The home of the deck whose git common directory is `common_dir`. Nothing is made.

    `$LOOPDECK_HOME`, else `$XDG_STATE_HOME/loopdeck`, else `~/.local/state/loopdeck`; in it a folder for this repository.
    Raises UsageError if the first is relative.
    """
    real = os.path.realpath(common_dir)
    mark = hashlib.sha256(os.fsencode(real)).hexdigest()[:12]
    name = _UNSAFE.sub("-", repo_name).strip("-.")[:60] or "repository"
    return _base(environ) / f"{name}-{mark}"


def _base(environ: Mapping[str, str]) -> Path:
    user = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    if chosen := environ.get("LOOPDECK_HOME"):
        if not chosen.startswith(("/", "~/")):
            # It would be another deck in each folder, and a folder in the operator's checkout.
            raise UsageError("LOOPDECK_HOME is not an absolute path", where=chosen, remedy="Begin it with `/` or `~/`.")
        return Path(os.path.abspath(user / chosen[2:] if chosen.startswith("~/") else chosen))  # noqa: PTH100 - Path.absolute keeps `..`
    state = environ.get("XDG_STATE_HOME", "")
    # A relative one is to be ignored, says the specification that defines it.
    return (Path(state) if state.startswith("/") else user / ".local" / "state") / "loopdeck"


def plain_name(name: str) -> str:
    """`name`, if it can be one part of a path and nothing else. Raises UsageError."""
    if _NAME.fullmatch(name) is None or ".." in name:
        raise UsageError(f"{name!r} can't be a name", remedy="Use letters, digits, `-`, `_` and `.`, at most 100.")
    return name


def new_run_id(now: datetime, later_by: int = 0) -> str:
    """The id of a run started at `now` (any zone; the id is in UTC), such as `20261121-0715-a3f9`.

    The last four hex digits are the place within the minute, in 65,536 steps of 0.9 ms; `later_by` moves on by as many steps, past the
    end of the minute by growing a tail, so that ids of runs that start in the same step still sort in the order they were given out.
    """
    utc = now.astimezone(UTC)
    step = int((utc.second + utc.microsecond / 1e6) / 60 * _TICKS) + later_by
    tail = f"{step:04x}" if step < _TICKS else f"ffff{step - _TICKS:04x}"
    return f"{utc:%Y%m%d-%H%M}-{tail}"


def claim_run(home: DeckHome, loop: str, now: datetime) -> RunPaths:
    """Make the folder of a new run of `loop`, with an id above those of all runs of the deck, even if the clock was set back.

    Raises StoreError.
    """
    from loopdeck.store.locks import Mutex

    home.make()
    base = home.runs / plain_name(loop)
    make_dir(base)
    with Mutex(home.locks / "run-ids").held(30):
        newest = max((name for each in home.loops() for name in _folders(home.runs / each) if RUN_ID.fullmatch(name)), default="")
        for run in _candidates(now, newest):
            paths = RunPaths(base / run)
            try:
                paths.dir.mkdir(DIR_MODE)
                paths.dir.chmod(DIR_MODE)
            except OSError as error:
                raise failure("make the run's folder", paths.dir, error) from error
            make_dir(paths.inbox)
            return paths
    raise StoreError("no id is left for a run in this minute", where=str(base), remedy="Set the clock, or wait a minute.")


def _candidates(now: datetime, newest: str) -> Iterator[str]:
    """Ids for a run started `now`, in order, all of them above `newest`."""
    if new_run_id(now, _TICKS - 1) > newest:
        yield from (run for later_by in range(_TICKS) if (run := new_run_id(now, later_by)) > newest)
    # The clock says less than it did when the newest was started: on in that one's minute, so that the order is that of the starts.
    minute, _, tail = newest.rpartition("-")
    if len(tail) == 4:
        yield from (f"{minute}-{step:04x}" for step in range(int(tail, 16) + 1, _TICKS))
    yield from (f"{minute}-ffff{step:04x}" for step in range(int(tail[4:] or "0", 16) + (len(tail) > 4), _TICKS))


def _folders(path: Path) -> Iterator[str]:
    try:
        with os.scandir(path) as entries:
            yield from [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    except OSError as error:
        raise failure("list the folder", path, error) from error


def _refuse_unsafe(path: Path) -> None:
    try:
        found = path.stat()
    except OSError as error:
        raise failure("look at the deck's home", path, error) from error
    elsewhere = "Set LOOPDECK_HOME to a folder of your own on a local disk."
    if found.st_uid != os.geteuid():
        raise StoreError("the deck's home belongs to somebody else", where=str(path), remedy=elsewhere)
    if found.st_mode & 0o022:
        remedy = f"Close it: chmod 700 {path}"
        raise StoreError("others may write into the deck's home", where=str(path), remedy=remedy)
    kind = _file_system(os.path.realpath(path))
    if kind in _REMOTE:
        what = f"the deck's home is on a {kind} file system, where locks can't be relied on"
        raise StoreError(what, where=str(path), remedy=elsewhere)


def is_remote(path: Path) -> bool:
    """True if `path` is on another machine's disk, where it may change without this machine being told."""
    return _file_system(os.path.realpath(path)) in _REMOTE


def _file_system(real: str) -> str:
    """The kind of file system that `real` is on, or nothing where the machine doesn't say (macOS)."""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in mounts:
        _, place, found, *_ = line.split(" ")
        place = place.replace("\\040", " ")
        under = real == place or real.startswith(place.rstrip("/") + "/")
        if under and len(place) >= len(best):
            best, kind = place, found
    return kind
