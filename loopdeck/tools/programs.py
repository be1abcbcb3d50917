"""Which program a command word comes to, and whether it is to be trusted to be what its name says.

Invariant: a program is trusted only by its absolute place: found in a folder that PATH names absolutely, outside of what a maker may
write to, with no file or folder on the way that others than its owner and root can change.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path


class Programs:
    """The programs that commands find by the PATH of `env`. `writable` are the folders that a maker may write to."""

    def __init__(self, env: Mapping[str, str], writable: Iterable[Path]) -> None:
        self._path = env.get("PATH", "")
        self._writable = tuple(Path(os.path.realpath(folder)) for folder in writable)

    def found(self, word: str) -> tuple[str, str]:
        """The absolute place of the program that a shell would start for `word`, and what speaks against it; one of them is empty."""
        if "/" in word:
            if not word.startswith("/"):
                return "", f"{word} is a program in the worktree, where its maker can change it"
            return (word, "") if _starts(word) else ("", f"there is no program {word}")
        for folder in self._path.split(os.pathsep):
            if not folder.startswith("/"):
                return "", f"PATH has {folder or 'an empty place'!r} before {word} is found, which is wherever the command runs"
            place = f"{folder}/{word}"
            if _starts(place):
                return place, ""
        return "", f"there is no program {word}"

    def doubt(self, word: str) -> str:
        """Why the program can't be trusted; empty if it can."""
        place, wrong = self.found(word)
        if wrong:
            return wrong
        for one in {place, os.path.realpath(place)}:
            inside = next((folder for folder in self._writable if Path(one).is_relative_to(folder)), None)
            if inside is not None:
                return f"{word} is {one}, where its maker can change it"
            loose = _loose(one)
            if loose:
                return f"{word} is {one}, and {loose} can be changed by others"
        return ""


def _starts(place: str) -> bool:
    return Path(place).is_file() and os.access(place, os.X_OK)


def _loose(place: str) -> str:
    """The program or the folder it lies in, if somebody else may change it; empty if nobody may."""
    for one in (place, str(Path(place).parent)):
        try:
            about = Path(one).stat()
        except OSError:
            return one
        if about.st_uid not in {0, os.geteuid()} or about.st_mode & stat.S_IWOTH:
            return one
    return ""
