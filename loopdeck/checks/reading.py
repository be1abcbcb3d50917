"""Files of a checkout, read without trusting a single name in it.

A maker chose every name and link here. The invariant: nothing outside the checkout is opened, whatever a path, an absolute name or
a chain of links says; only regular files are read, and only so much of them.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from loopdeck.checks.output import plain
from loopdeck.core.globs import any_match, fixed_root

MOST_BYTES = 2_000_000
MOST_FILES = 50_000
_AROUND = 2
_WIDEST = 200
_NOT_OURS = frozenset({".git"})


class Checkout:
    """A checkout to be read from. `root` is taken as it is; its real path counts as the same place."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.real = os.path.realpath(root)

    def relative(self, name: str) -> str | None:
        """`name`, relative to the checkout or absolute within it, as a normal relative path; None if it lies outside."""
        if not name or "\x00" in name:
            return None
        if name.startswith("/"):
            for root in (str(self.root), self.real):
                if name.startswith(f"{root}/"):
                    name = name[len(root) + 1 :]
                    break
            else:
                return None
        normal = os.path.normpath(name)
        return None if normal in {".", ".."} or normal.startswith(("../", "/")) else normal

    def real_path(self, relative: str) -> str | None:
        """Where `relative` really is, all links followed; None if that is outside the checkout or can't be told."""
        try:
            real = os.path.realpath(Path(self.real, relative))
        except (OSError, ValueError):
            return None
        return real if real == self.real or real.startswith(f"{self.real}/") else None

    def kind(self, relative: str) -> str:
        """What `relative` is: `file`, `folder`, `other`, `outside` (a link that leads out) or nothing at all."""
        if not os.path.lexists(Path(self.real, relative)):
            return ""
        real = self.real_path(relative)
        if real is None:
            return "outside"
        try:
            mode = Path(real).stat().st_mode
        except OSError:
            return ""
        if stat.S_ISREG(mode):
            return "file"
        return "folder" if stat.S_ISDIR(mode) else "other"

    def read(self, relative: str, most: int = MOST_BYTES) -> bytes | None:
        """The first `most` bytes of a regular file; None if there is none inside the checkout or it can't be read."""
        real = self.real_path(relative)
        if real is None:
            return None
        try:
            # The flags keep a pipe or a link put there meanwhile from being opened.
            handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError):
            return None
        try:
            return _whole(handle, most) if stat.S_ISREG(os.fstat(handle).st_mode) else None
        except OSError:
            return None
        finally:
            os.close(handle)

    def size(self, relative: str) -> int:
        """Bytes of a file, 0 if it isn't one."""
        real = self.real_path(relative)
        try:
            return Path(real).stat().st_size if real is not None else 0
        except OSError:
            return 0

    def text(self, relative: str, most: int = MOST_BYTES) -> str | None:
        """A file as text; what is not UTF-8 is replaced. None as for `read`."""
        data = self.read(relative, most)
        return None if data is None else data.decode("utf-8", "replace")

    def snippet(self, relative: str, line: int) -> str:
        """The line that causes a finding, with two before and two after, numbered and marked; empty if it can't be had."""
        text = self.text(relative) if line > 0 else None
        if text is None or "\x00" in text[:8000]:
            return ""
        lines = text.split("\n")
        if lines and not lines[-1]:
            lines.pop()
        if line > len(lines):
            return ""
        first = max(1, line - _AROUND)
        last = min(len(lines), line + _AROUND)
        width = len(str(last))
        return "\n".join(
            f"{'>' if number == line else ' '} {number:>{width}} | {_narrow(lines[number - 1])}" for number in range(first, last + 1)
        )

    def matching(self, patterns: Sequence[str]) -> list[str]:
        """Every file (links too) that one of the globs stands for, sorted; `.git` is left out and no link to a folder followed."""
        roots = sorted({fixed_root(pattern) for pattern in patterns})
        within = [root for at, root in enumerate(roots) if not any(_holds(other, root) for other in roots[:at])]
        names: list[str] = []
        for root in within:
            names.extend(name for name in self._walk(root) if any_match(name, patterns))
        return sorted(names)

    def named(self, name: str) -> str | None:
        """The one file whose path ends in `name`, for programs that ran in a folder below the root; None if none or several do."""
        steady = os.path.normpath(name)
        found = self._by_end.get(steady.rsplit("/", 1)[-1], ())
        fits = [path for path in found if path == steady or path.endswith(f"/{steady}")]
        return fits[0] if len(fits) == 1 and self.kind(fits[0]) == "file" else None

    @cached_property
    def _by_end(self) -> dict[str, list[str]]:
        by_end: dict[str, list[str]] = {}
        for _, path in zip(range(MOST_FILES), self._walk(""), strict=False):
            by_end.setdefault(path.rsplit("/", 1)[-1], []).append(path)
        return by_end

    def _walk(self, root: str) -> Iterator[str]:
        if root.split("/", 1)[0] in _NOT_OURS:
            return
        if root and self.kind(root) in {"file", "outside"}:
            yield root
            return
        if self.real_path(root or ".") is None:
            return
        start = Path(self.real, root)
        for folder, folders, files in os.walk(start):
            folders[:] = sorted(name for name in folders if name not in _NOT_OURS)
            at = os.path.relpath(folder, self.real)
            prefix = "" if at == "." else f"{at}/"
            yield from (f"{prefix}{name}" for name in sorted(files) if prefix or name not in _NOT_OURS)


def _whole(handle: int, most: int) -> bytes:
    pieces: list[bytes] = []
    left = most
    while left > 0 and (piece := os.read(handle, min(left, 1 << 20))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _holds(folder: str, path: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _narrow(line: str) -> str:
    shown = plain(line[: 2 * _WIDEST]).replace("\n", " ").replace("\t", "    ").rstrip()
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 1]}…"
