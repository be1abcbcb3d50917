"""What the operator's own files of a deck say now: which loops there are, what each is, what the whole deck may spend.

Invariant: a file that has not changed is not read again. What a loop file means takes longer to import than all of the rest, so that is
done when the first one is asked for.
"""

from pathlib import Path
from typing import NamedTuple

from loopdeck.deck.facts import UNKNOWN, Facts, facts_of
from loopdeck.store.deckfiles import DECK, LOOP_FILE, LOOPS, list_loops, loop_dir

_Stamp = tuple[int, int, int]
_NONE = (0, 0, 0)
_PARTS = (LOOP_FILE, "PROMPT.md")


class LoopFile(NamedTuple):
    """A loop as its files are now: `spec_hash` is empty if it can't be read."""

    facts: Facts = UNKNOWN
    spec_hash: str = ""


class Caps(NamedTuple):
    """What `deck.toml` limits for all loops together (None: nothing), and what is wrong with it, in words."""

    unread: int | None = None
    day_cost: int | None = None
    trouble: str = ""


class LoopFiles:
    """The `.loopdeck` of the checkout at `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._loops: dict[str, tuple[tuple[_Stamp, ...], LoopFile]] = {}
        self._paths: dict[str, tuple[Path, ...]] = {}
        self._caps: tuple[_Stamp, Caps] | None = None

    def names(self) -> tuple[str, ...]:
        """All loops there are files of."""
        return list_loops(self._root)

    def folders(self) -> tuple[Path, ...]:
        """Where loops come to be."""
        return (self._root / LOOPS,)

    def folder(self, loop: str) -> Path:
        """Where the files of the loop are."""
        return loop_dir(self._root, loop)

    def known(self, loop: str) -> LoopFile | None:
        """What was read of the loop; None if nothing was, or it has changed since."""
        found = self._loops.get(loop)
        return found[1] if found is not None and found[0] == self._stamps(loop) else None

    def read(self, loop: str) -> LoopFile:
        """The loop as it is now."""
        from loopdeck.store import specs

        stamps = self._stamps(loop)
        spec = specs.load_loop(self._root, loop).spec
        said = LoopFile() if spec is None else LoopFile(facts_of(spec), specs.hash_of(spec))
        self._loops[loop] = (stamps, said)
        return said

    def known_caps(self) -> Caps | None:
        """What was read of `deck.toml`; None if nothing was, or it has changed since."""
        return self._caps[1] if self._caps is not None and self._caps[0] == _stamp(self._root / DECK) else None

    def read_caps(self) -> Caps:
        """What `deck.toml` says now."""
        from loopdeck.store import specs

        stamp = _stamp(self._root / DECK)
        file = specs.load_deck(self._root)
        wrong = [one for one in file.problems if not one.warning]
        caps = Caps(file.deck.max_unread_lines, file.deck.max_cost_per_day, str(wrong[0]) if wrong else "")
        self._caps = (stamp, caps)
        return caps

    def _stamps(self, loop: str) -> tuple[_Stamp, ...]:
        if loop not in self._paths:
            folder = loop_dir(self._root, loop)
            self._paths[loop] = (self._root / DECK, *(folder / part for part in _PARTS))
        return tuple(_stamp(path) for path in self._paths[loop])


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return _NONE
    return (found.st_ino, found.st_size, found.st_mtime_ns)
