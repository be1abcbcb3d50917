"""Braking a session that was started elsewhere: none of its calls is let through until it is released."""

import argparse

from loopdeck.cli import here, out
from loopdeck.deck.decks import Deck
from loopdeck.errors import UsageError
from loopdeck.store import sessions
from loopdeck.store.layout import sessions_of


def run(options: argparse.Namespace) -> int:
    """`--brake` or `--release`."""
    deck = here.deck()
    session = _named(deck, options.brake or options.release)
    if options.brake:
        sessions.brake(sessions_of(deck.home), session, options.why or f"by {here.operator()}")
        out.say(f"{session} is braked: none of its calls is let through. `loopdeck hook --release {session}` lets it go on.")
    elif sessions.release(sessions_of(deck.home), session):
        out.say(f"{session} goes on.")
    else:
        raise UsageError("nothing holds this session", where=session)
    return 0


def _named(deck: Deck, reference: str) -> str:
    """The session whose id is, or begins with, `reference`. Raises UsageError."""
    known = [one.session for one in sessions.sessions(sessions_of(deck.home), sessions.KEPT_S)]
    found = [one for one in known if one == reference] or [one for one in known if one.startswith(reference)]
    if len(found) == 1:
        return found[0]
    there = f"There are: {', '.join(known[-5:])}." if known else "None has told of itself; see `loopdeck hook --install claude`."
    raise UsageError(
        f"{len(found)} sessions are called '{reference}…'" if found else f"there is no session '{reference}'", remedy=there
    )
