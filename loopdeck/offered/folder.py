"""A folder of texts as a source to answer from: passages that are about a question, each with where it stands.

Read-only, and kept to the folder: hidden files, links and what is no text are left out. What is said of a passage is its path and its
lines, in the form a citation takes, so that whoever reads an answer can look it up, and a `links` check does.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from loopdeck.errors import UsageError
from loopdeck.offered.passages import Index, Passage, cut
from loopdeck.offered.server import Failed, Tool

MOST_SHOWN = 8
MOST_FILES = 20_000
MOST_BYTES = 64 << 20
_MOST_FILE = 1 << 20
_MOST_READ = 400
_PASSED = frozenset({"node_modules", "__pycache__", "venv", "target", "dist", "build"})
INSTRUCTIONS = "The texts below {folder}. Answer only from what they say, and cite each statement by the path and lines it stands in."


class InFolder:
    """The tools on one folder. `here` is where the maker works: paths below it are said, and linked, as from there."""

    def __init__(self, folder: Path, here: Path) -> None:
        """Raises UsageError if there is no such folder."""
        self._folder = folder.expanduser().resolve()
        if not self._folder.is_dir():
            raise UsageError("there is no such folder", where=str(folder), remedy="Name one, relative to where this is started.")
        self._here = here.resolve()
        self._seen: tuple[tuple[str, int, int], ...] = ()
        self._index = Index(())
        self._left_out = 0

    def tools(self) -> tuple[Tool, ...]:
        """Both of them."""
        return (
            Tool(
                "search", "Find passages that are about a question, with where they stand. Cite them as they say.", self._search,
                {"query": "What you want to know, in a few words that the text itself may use."},
            ),
            Tool(
                "read", f"Read a text, {_MOST_READ} lines from a line on, numbered.", self._read,
                {"path": "As a passage names it.", "line": "The first line, counted from 1."},
            ),
        )  # fmt: skip

    def _search(self, given: Mapping[str, str]) -> str:
        self._look()
        found = self._index.about(given["query"], MOST_SHOWN)
        more = f"\n\n[{self._left_out} files were left out: too many, too large, or no text]" if self._left_out else ""
        if not found:
            return f"Nothing in {len(self._index)} passages shares a word with that. Use other words." + more
        return "\n\n".join(f"{self._cited(one)}\n{one.text}" for one in found) + more

    def _read(self, given: Mapping[str, str]) -> str:
        path = (self._here / given["path"]).resolve()
        if not path.is_relative_to(self._folder) or path not in {self._folder / name for name, _, _ in self._files()}:
            raise Failed(f"{given['path']!r} is no text of this source.")
        lines = path.read_text("utf-8", "replace").splitlines()
        first = int(given["line"]) if given["line"].isdecimal() else 1
        shown = lines[max(0, first - 1) : first - 1 + _MOST_READ]
        if not shown:
            raise Failed(f"It has {len(lines)} lines.")
        return "\n".join(f"{number:>5}  {line}" for number, line in enumerate(shown, max(1, first)))

    def _cited(self, one: Passage) -> str:
        """Where a passage stands: as a link that a `links` check follows, if it is below where the maker works."""
        under = f" (under “{one.title}”)" if one.title else ""
        lines = f"{one.first}-{one.last}" if one.last > one.first else str(one.first)
        whole = self._folder / one.path
        if not whole.is_relative_to(self._here):
            return f"[{whole}:{lines}]{under}"
        path = whole.relative_to(self._here).as_posix()
        anchor = f"L{one.first}-L{one.last}" if one.last > one.first else f"L{one.first}"
        return f"[{path}:{lines}](/{path.replace(' ', '%20')}#{anchor}){under}"

    def _look(self) -> None:
        """Index what there is, if it is no longer what it was."""
        seen = tuple(self._files())
        if seen != self._seen:
            self._left_out = 0
            self._index = Index(self._passages(seen))
            self._seen = seen

    def _passages(self, files: tuple[tuple[str, int, int], ...]) -> Iterator[Passage]:
        room = MOST_BYTES
        for name, size, _ in files:
            room -= size
            text = _text(self._folder / name) if room >= 0 and size <= _MOST_FILE else None
            if text is None:
                self._left_out += 1
                continue
            yield from cut(name, text)

    def _files(self) -> Iterator[tuple[str, int, int]]:
        """Path in the folder, size and time of each file, in order."""
        count = 0
        for place, folders, files in os.walk(self._folder):
            folders[:] = sorted(one for one in folders if not one.startswith(".") and one not in _PASSED)
            for name in sorted(files):
                path = Path(place, name)
                if name.startswith(".") or path.is_symlink() or not path.is_file():
                    continue
                count += 1
                if count > MOST_FILES:
                    return
                status = path.stat()
                yield path.relative_to(self._folder).as_posix(), status.st_size, status.st_mtime_ns


def _text(path: Path) -> str | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if b"\0" in data[:8192]:
        return None
    return data.decode("utf-8", "replace")
