"""The room on one run, for a bench to press keys in: `python -m tests.bench.trace_room REPO HOME LOOP RUN`; `t` opens its trace.

With no arguments: an app of Textual's that shows nothing but a line, to measure against.
"""

import sys
from pathlib import Path

from textual.app import App, ComposeResult
from textual.widgets import Static


class Bare(App[None]):
    """The least there is; a key moves a number."""

    number = 0

    def compose(self) -> ComposeResult:
        """One line."""
        yield Static("line 0 of bare", id="line")

    def on_key(self) -> None:
        """Another number."""
        self.number += 1
        self.query_one("#line", Static).update(f"line {self.number} of bare")


def main() -> None:
    """Run until killed."""
    if not sys.argv[1:]:
        Bare().run()
        return
    from loopdeck.deck.decks import Deck
    from loopdeck.tui.app import Room
    from tests.kit.room import Still, loop_row

    repo, home, loop, run = sys.argv[1:]
    deck = Deck.open(Path(repo), {"LOOPDECK_HOME": home})
    row = loop_row(loop, "ended", run=run)
    Room((deck,), Still((deck,), (row,)).make, by="bench").run()


if __name__ == "__main__":
    main()
