"""`loopdeck serve`: the deck's supervisor in the foreground, a line for each thing it does."""

import argparse
import sys
import time

from loopdeck.cli import here, out
from loopdeck.deck.tending import supervisor
from loopdeck.errors import UsageError


def run(options: argparse.Namespace) -> int:
    """Supervise until told to go. Interrupting it stops no run; doing so twice ends it at once."""
    from loopdeck.supervisor.serving import serve

    deck = here.deck()
    if not serve(deck.home, deck.root, _tell, for_ever=True, warm_after_s=0.0):
        pid = supervisor(deck.home).pid
        remedy = f"Its words are in {deck.home.supervisor_log}. `kill {pid}` ends it; its runs go on."
        raise UsageError(f"the deck has a supervisor already: process {pid}", where=str(deck.home.path), remedy=remedy)
    return 0


def _tell(text: str) -> None:
    out.say(f"{time.strftime('%H:%M:%S')} {text}")
    sys.stdout.flush()
