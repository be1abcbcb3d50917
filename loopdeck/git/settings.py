"""What is taken from the operator's own git configuration: who commits, what is ignored everywhere, and which drivers to switch off.

Invariant: it is read from the shared git folder and the person's own files, never from a worktree, and again only when the
repository's configuration file has changed.
"""

import os
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from loopdeck.errors import WorkspaceError
from loopdeck.git.program import executable, operators

NOBODY: Final = ("loopdeck", "loopdeck@localhost")
_WANTED: Final = r"^(user\.(name|email)|core\.excludesfile|(filter|diff|merge)\..+\.[a-z]+)$"
_OFF: Final = {
    "filter": (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false")),
    "diff": (("command", ""), ("textconv", "")),
    # A merge driver that fails is a conflict, which is said; an empty one would quietly take our side.
    "merge": (("driver", "false"),),
}
_EXECUTES: Final = {"clean", "smudge", "process", "command", "textconv", "driver"}


class Settings(Struct, frozen=True):
    """The operator's settings. `drivers` are (`filter`, `diff` or `merge`, its name)."""

    name: str
    email: str
    excludes: str
    drivers: tuple[tuple[str, str], ...]

    def pins(self) -> list[str]:
        """Settings for `-c`."""
        pins = [f"user.name={self.name}", f"user.email={self.email}"]
        return [*pins, f"core.excludesFile={self.excludes}"] if self.excludes else pins

    def drivers_off(self) -> list[tuple[str, str]]:
        """Settings that switch every driver off, by its name."""
        return [(f"{kind}.{name}.{key}", value) for kind, name in self.drivers for key, value in _OFF[kind]]

    def identity(self) -> dict[str, str]:
        """Who commits, as the environment variables of git."""
        return {
            "GIT_AUTHOR_NAME": self.name,
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_COMMITTER_NAME": self.name,
            "GIT_COMMITTER_EMAIL": self.email,
        }


def of(common_dir: Path) -> Settings:
    """The settings that hold for the repository of `common_dir`."""
    try:
        seen = (common_dir / "config").stat()
    except OSError as error:
        raise WorkspaceError(f"the repository has no configuration: {error.strerror}", where=str(common_dir)) from error
    return _read(common_dir, seen.st_mtime_ns, seen.st_size, seen.st_ino)


def as_environment(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Configuration as environment variables: names of drivers may hold characters that `-c` can't carry."""
    env: dict[str, str] = {}
    count = 0
    for key, value in pairs:
        env |= {f"GIT_CONFIG_KEY_{count}": key, f"GIT_CONFIG_VALUE_{count}": value}
        count += 1
    return env | {"GIT_CONFIG_COUNT": str(count)} if count else env


@lru_cache(maxsize=64)
def _read(common_dir: Path, _changed: int, _size: int, _inode: int) -> Settings:
    command = [executable(), f"--git-dir={common_dir}", "config", "--includes", "-z", "--get-regexp", _WANTED]
    done = subprocess.run(command, cwd=common_dir, env=operators(), capture_output=True, check=False)
    if done.returncode not in {0, 1}:
        raise WorkspaceError(
            "git can't read its configuration: " + os.fsdecode(done.stderr).strip(),
            where=str(common_dir),
            remedy="`git config --list` shows where it is broken.",
        )
    values: dict[str, str] = {}
    drivers: dict[tuple[str, str], None] = {}
    for entry in os.fsdecode(done.stdout).split("\0")[:-1]:
        key, _, value = entry.partition("\n")
        values[key] = value
        kind, _, rest = key.partition(".")
        name, _, last = rest.rpartition(".")
        if kind in _OFF and last in _EXECUTES:
            drivers[kind, name] = None
    excludes = values.get("core.excludesfile", "")
    return Settings(
        name=values.get("user.name", "").strip() or NOBODY[0],
        email=values.get("user.email", "").strip() or NOBODY[1],
        excludes=str(Path(excludes).expanduser()) if excludes else "",
        drivers=tuple(drivers),
    )
