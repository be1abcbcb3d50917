"""What the operator's files say to the supervisor, read again when they change."""

import time
from pathlib import Path

from loopdeck.core.spec import Deck
from loopdeck.store import specs
from loopdeck.store.deckfiles import DECK

_EVERY_S = 2.0


class Settings:
    """deck.toml of the checkout at `root`. While it has mistakes, what can be read of it holds."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._deck = Deck()
        self._changed = -1
        self._looked = -_EVERY_S

    def now(self) -> Deck:
        """The deck's settings as they are now."""
        moment = time.monotonic()
        if moment - self._looked >= _EVERY_S:
            self._looked = moment
            changed = self._stamp()
            if changed != self._changed:
                self._changed = changed
                self._deck = specs.load_deck(self._root).deck
        return self._deck

    def agents(self) -> set[str]:
        """The kinds of agents that the loops of the checkout name for their makers."""
        settings = specs.load_deck(self._root)
        readings = (specs.load_loop(self._root, name, deck=settings).spec for name in specs.list_loops(self._root))
        return {spec.maker.agent for spec in readings if spec is not None}

    def _stamp(self) -> int:
        try:
            return (self._root / DECK).stat().st_mtime_ns
        except OSError:
            return 0
