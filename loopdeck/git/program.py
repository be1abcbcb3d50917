"""Where git is, which it is, and the environment it may have.

Invariant: the path is absolute and found once, so that nothing in a worktree can be run in git's place.
"""

import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from loopdeck.errors import UsageError

_OPERATORS_CHOICE = {"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"}


def hermetic() -> dict[str, str]:
    """Our environment without any `GIT_` variable, with no configuration from the machine or the person."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return env | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }


def operators() -> dict[str, str]:
    """The operator's environment, for work on their own checkout: their configuration counts, but no other `GIT_` variable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _OPERATORS_CHOICE}
    return kept | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


@lru_cache(maxsize=1)
def executable() -> str:
    """The absolute path of git, found once. Raises UsageError if there is none."""
    absolute = os.pathsep.join(part for part in os.get_exec_path() if Path(part).is_absolute())
    found = shutil.which("git", path=absolute)
    if found is None:
        raise UsageError("git was not found", remedy="Install git 2.31 or newer, and have it on PATH.")
    return found


@lru_cache(maxsize=1)
def version() -> tuple[int, ...]:
    """Git's version, such as (2, 39, 5)."""
    done = subprocess.run([executable(), "version"], env=hermetic(), capture_output=True, check=False)
    found = re.search(rb"\d+(?:\.\d+)+", done.stdout)
    return tuple(int(part) for part in found.group().split(b".")) if found else ()
