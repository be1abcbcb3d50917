"""Places in a worktree that the maker's commands can't write: those that are there, and those that are not there yet.

What configures git, agents and editors runs code later, outside of any sandbox, so it is no command's to write; neither is what the
loop protects. A place that is there is mounted read-only. Where one is missing, an empty folder stands in its place while the command
runs. Folders on the way to a sealed place are mount points too, so that none can be renamed from under it. What no mount can hold (a
link, another spelling of a name) is put right after the command.

Invariant: while nothing runs, nothing of this is in the worktree. `lay` and `lift` come in pairs; no other process of the run writes
to the worktree between a look at it and the mounts, because none is left when a command is over.
"""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from loopdeck.core import gatedpaths, globs

STAND_INS = (
    ".gitmodules", ".gitattributes", ".lfsconfig", ".claude", "CLAUDE.md", ".mcp.json", ".codex", ".agents", "AGENTS.md", ".cursor",
    ".cursorrules", ".gemini", "GEMINI.md", ".windsurf", ".windsurfrules", ".kiro", ".roo", ".continue", ".vscode", ".idea",
    ".devcontainer", ".loopdeck",
)  # fmt: skip
"""Names at the root of a worktree that can't come to be."""
_NESTED = (".github/workflows", ".github/actions", ".github/copilot-instructions.md")
_MODE = 0o505
"""Of a stand-in, which its owner can't write to: to be known by if a runner dies over it."""
_MOST = 64
_MOST_LOOKED_AT = 50_000
_PASSED = frozenset({"node_modules", ".venv", "venv", "__pycache__", ".tox", ".mypy_cache"})


class Seals:
    """The sealed places of `tree`; `protect` are globs relative to it."""

    def __init__(self, tree: Path, protect: Sequence[str]) -> None:
        self._tree = tree
        self._protect = tuple(protect)
        self._deep: tuple[str, ...] | None = None
        self._laid = 0
        self._made: list[str] = []
        self._links: dict[str, str] = {}
        self._before: frozenset[str] = frozenset()
        self._folded = {gatedpaths.folded(name) for name in STAND_INS}

    def lay(self) -> list[str]:
        """Put the stand-ins there, and give the mounts as options: folders on the way first, then what can't be written."""
        if self._laid == 0:
            self._remember()
        self._laid += 1
        made = set(self._made)
        there = [path for path in self._there() if path not in made and path not in self._links]
        on_the_way = dict.fromkeys(way for path in (*there, *self._made) for way in ways(path) if way not in made)
        options = [option for way in on_the_way if way not in there for option in ("--bind", self._at(way), self._at(way))]
        for path in there:
            options += ("--ro-bind", self._at(path), self._at(path))
        for path in self._made:
            # A file system of its own is mounted four times as fast as a part of another.
            options += ("--perms", "0555", "--size", "4096", "--tmpfs", self._at(path))
        return options

    def lift(self) -> None:
        """Take away the stand-ins, and what commands have put there against the rules."""
        self._laid -= 1
        if self._laid > 0:
            return
        for path in reversed(self._made):
            with contextlib.suppress(OSError):
                os.rmdir(self._at(path))  # noqa: PTH106
        self._made = []
        self.mend()

    def places(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is to be sealed and is there, and what may not come to be. Nothing is put there: for doors without mounts."""
        self._look()
        missing = [name for name in STAND_INS if name not in self._before]
        further = (*self._nested(), *self._protected_folders())
        missing += [path for path in further if not os.path.lexists(self._tree / path) and self._reached(path)]
        return tuple(self._there()), tuple(dict.fromkeys(missing))

    def mend(self) -> None:
        """Put links back where they led, and take away names that are another spelling of a sealed one."""
        for path, leads_to in self._links.items():
            _put_back(self._tree / path, leads_to)
        for name in self._names():
            if name not in self._before and gatedpaths.folded(name) in self._folded:
                remove(self._tree / name)

    def _at(self, path: str) -> str:
        return f"{self._tree}/{path}"

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._tree))  # noqa: PTH208 - the names alone
        except OSError:
            return []

    def _look(self) -> None:
        if self._deep is None:
            clear(self._tree)
            self._deep = tuple(self._walked())
        self._before = frozenset(self._names())
        self._links = {}
        for path in (*self._roots(), *self._deep):
            with contextlib.suppress(OSError):
                self._links[path] = str((self._tree / path).readlink())

    def _remember(self) -> None:
        self._look()
        for name in STAND_INS:
            if name not in self._before:
                self._stand_in(name)
        for path in (*self._nested(), *self._protected_folders()):
            if not os.path.lexists(self._tree / path) and self._reached(path):
                self._stand_in(path)

    def _nested(self) -> Iterator[str]:
        # Where the folder they are in is missing, it can't be made either: one stand-in for all of them.
        there = (self._tree / ".github").is_dir() and not (self._tree / ".github").is_symlink()
        yield from _NESTED if there else (".github",)

    def _protected_folders(self) -> Iterator[str]:
        for pattern in self._protect:
            root = globs.fixed_root(pattern)
            if root and pattern.rstrip("/") in (root, f"{root}/**", f"{root}/**/*"):
                yield root

    def _stand_in(self, path: str) -> None:
        for part in (*ways(path), path):
            # Quicker than to ask first, and there are two dozen of them.
            with contextlib.suppress(OSError):
                os.mkdir(self._at(part), _MODE)  # noqa: PTH102
                self._made.append(part)

    def _reached(self, path: str) -> bool:
        """True if every folder on the way is a real one or missing."""
        for way in ways(path):
            try:
                if not stat.S_ISDIR((self._tree / way).lstat().st_mode):
                    return False
            except FileNotFoundError:
                return True
            except OSError:
                return False
        return True

    def _roots(self) -> Iterator[str]:
        yield from (name for name in sorted(self._before) if gatedpaths.gated(name) and name != ".git")

    def _there(self) -> list[str]:
        """What is to be sealed and was there already, as it is now: nothing inside another such place."""
        wanted = dict.fromkeys((*self._roots(), *self._nested(), *self._protected_folders(), *(self._deep or ())))
        kept: dict[str, None] = {}
        for path in sorted(wanted, key=lambda path: path.count("/")):
            if not any(way in kept for way in ways(path)) and os.path.lexists(self._tree / path) and self._reached(path):
                kept[path] = None
        return list(kept)

    def _walked(self) -> Iterator[str]:
        """Gated and protected paths below the root, as far as they can be sealed one by one."""
        whole = set(self._protected_folders())
        looked_at = found = 0
        for folder, below, names in os.walk(self._tree):
            inside = os.path.relpath(folder, self._tree)
            prefix = "" if inside == "." else f"{inside}/"
            below[:] = sorted(name for name in below if name not in _PASSED and (prefix or name not in (".git", ".loop")))
            below[:] = [name for name in below if prefix + name not in whole]
            for name in (*below, *names):
                path = prefix + name
                looked_at += 1
                if (prefix and gatedpaths.gated(path)) or gatedpaths.protected_by(path, self._protect):
                    found += 1
                    yield path
                if found >= _MOST or looked_at >= _MOST_LOOKED_AT:
                    return
            below[:] = [name for name in below if not gatedpaths.gated(prefix + name)]


def clear(tree: Path) -> None:
    """Take away stand-ins that a runner left when it died over them."""
    for path in (*STAND_INS, *_NESTED, ".github"):
        place = tree / path
        with contextlib.suppress(OSError):
            found = place.lstat()
            if stat.S_ISDIR(found.st_mode) and not found.st_mode & stat.S_IWUSR:
                place.rmdir()


def ways(path: str) -> Iterator[str]:
    """The folders on the way to `path`, outermost first."""
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _put_back(place: Path, leads_to: str) -> None:
    with contextlib.suppress(OSError):
        if os.path.lexists(place) and (not place.is_symlink() or str(place.readlink()) != leads_to):
            remove(place)
        if not os.path.lexists(place):
            place.symlink_to(leads_to)


def remove(place: Path) -> None:
    """Delete what is there, whatever it is; what the disk does not let go of stays."""
    with contextlib.suppress(OSError):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink()
