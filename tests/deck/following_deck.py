"""A deck without loops of its own, and a reader on it whose snapshots are taken at once, or by hand."""

import time
from collections.abc import Callable
from pathlib import Path

from loopdeck.deck.decks import Deck
from loopdeck.deck.reader import Reader
from loopdeck.deck.snapshot import NOTHING, LoopRow, Snapshot
from tests.kit.repos import make_repo

PATIENCE_S = 15.0


def deck_at(base: Path, files: dict[str, str | bytes] | None = None) -> Deck:
    """A deck in a new repository below `base`."""
    repo = make_repo(base / "repo", files or {"README.md": "# A project\n"})
    deck = Deck.open(repo, {"LOOPDECK_HOME": str(base / "home"), "HOME": str(base)})
    deck.home.make()
    return deck


class Following:
    """A reader at work, and what it has said so far. Leaving it ends it."""

    def __init__(self, *decks: Deck, taking: bool = True, hints: bool = True) -> None:
        self.snapshots: list[Snapshot] = []
        self._taking = taking
        self.reader = Reader(decks, self._post, hints=hints)

    def _post(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        if self._taking:
            self.reader.taken()

    def __enter__(self) -> "Following":
        self.reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.stop()

    @property
    def last(self) -> Snapshot:
        """The newest snapshot."""
        return self.snapshots[-1] if self.snapshots else NOTHING

    def until(self, holds: Callable[[Snapshot], object], patience_s: float = PATIENCE_S) -> Snapshot:
        """Wait for a snapshot of which `holds` is true, and give it."""
        deadline = time.monotonic() + patience_s
        while not holds(seen := self.last):
            assert time.monotonic() < deadline, f"{[(one.key, one.status, one.damage) for one in seen.rows]} {seen.decks}"
            time.sleep(0.002)
        return seen

    def row(self, key: str, holds: Callable[[LoopRow], object] = bool) -> LoopRow:
        """Wait for a row of that key of which `holds` is true."""

        def there(snapshot: Snapshot) -> bool:
            row = snapshot.row(key)
            return row is not None and bool(holds(row))

        found = self.until(there).row(key)
        assert found is not None
        return found
