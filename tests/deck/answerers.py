"""A room of its own in a process of its own, which answers the same calls as others do at the same moment."""

import json
import sys
import time
from pathlib import Path

from loopdeck import deciding
from loopdeck.core.run import Approval
from loopdeck.deciding import Answer, decided
from loopdeck.deck.decks import Deck

AT = "2026-11-21T07:15:00.000Z"
RUN = "20261121-0715-a3f9"


def call(number: int) -> Approval:
    """The call of round `number`."""
    return Approval(f"{RUN}-{number}", "c", "bash", "ls", '{"command": "ls"}', "/w", "default", "low", f"digest-{number}", AT)


def main(root: str, home: str, name: str, rounds: int) -> None:
    """Answer every round as soon as its starting gun lies there, and print what came of it."""
    deck = Deck.open(Path(root), {"LOOPDECK_HOME": home})
    paths = deck.home.run_dir("one", RUN)
    for number in range(rounds):
        command = decided(call(number), Answer(approved=number % 2 == 0, why=name), by=name, at=AT)
        while not Path(home, f"go-{number}").exists():
            time.sleep(0.001)
        given = deciding.put(deck, paths, command)
        counts = given.counts
        told = {"ours": given.ours, "by": counts.by if counts else None, "said": deciding.said(counts)}
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
