"""`loopdeck where`: the deck's paths."""

import argparse

from loopdeck.cli import here, out
from loopdeck.store.layout import Outlying


def run(options: argparse.Namespace) -> int:
    """Print them."""
    deck = here.deck()
    home = deck.home
    paths = {
        "deck": str(deck.root), "config": str(deck.root / ".loopdeck"), "home": str(home.path), "runs": str(home.runs),
        "state": str(home.state), "worktrees": str(home.worktrees), "caches": str(Outlying(home.path).caches),
    }  # fmt: skip
    if options.json:
        out.document(paths)
    else:
        for name, path in paths.items():
            out.say(f"{name:<10}{path}")
    return 0
