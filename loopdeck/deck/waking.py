"""A word carried to a run, and a runner started where none is left to hear it.

Invariant: what is sent is in the run's inbox before anybody is woken, so whoever wakes first takes it up, once.
"""

from loopdeck.core import commands as cmd
from loopdeck.deck.decks import Deck
from loopdeck.deck.launch import launch
from loopdeck.deck.view import RunView
from loopdeck.errors import LoopdeckError
from loopdeck.store.layout import RunPaths

PATIENCE_S = 20.0
"""How long a runner is given to take a run in hand."""


def carry(deck: Deck, paths: RunPaths, command: cmd.Command) -> str:
    """Send `command`; its id in the inbox. `Resume` and `Kill` wake a run whose runner is gone. Raises LoopdeckError."""
    one = deck.view(paths)
    if isinstance(command, cmd.Resume) and not one.live and not stands_still(one):
        awake(deck, paths, one.run.life)
        return ""
    name = deck.send(paths, command)
    if not one.live and isinstance(command, cmd.Resume | cmd.Kill):
        awake(deck, paths, one.run.life)
    return name


def stands_still(one: RunView) -> bool:
    """True if a word is needed for it to go on, besides somebody who runs it."""
    run = one.run
    return run.status == "paused" or bool(run.pause_wanted or run.hold) or run.asking == "state"


def awake(deck: Deck, paths: RunPaths, life: int) -> RunView:
    """Start a runner on a run that has lost the one of `life`, and wait until it has it. Raises LoopdeckError with its last words.

    To hold the lease is not enough: a runner that can't read the run gives it back.
    """
    runner = launch(paths)

    def there(seen: RunView) -> bool:
        return seen.run.status == "ended" or (seen.live and seen.run.life > life)

    def settled(seen: RunView) -> bool:
        # One that has ended may have found another at work: looked at after its end, the run then has a runner.
        return there(seen) or (runner.gone() and not deck.view(paths).live)

    now = deck.wait_until(paths, settled, PATIENCE_S)
    if now is not None and not there(now):
        now = deck.view(paths)
    if now is None or not there(now):
        raise LoopdeckError(f"its runner did not start{_last_words(paths)}", where=paths.run, remedy=f"See {paths.runner_log}.")
    return now


def _last_words(paths: RunPaths) -> str:
    try:
        said = paths.runner_log.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return ": " + " ".join(line.strip() for line in said[-2:]) if said else ""
