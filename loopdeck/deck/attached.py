"""Agent sessions that somebody started elsewhere: kept up to date for the room, told of in a line, braked and let go.

Invariant: what a session may do is decided by its own hook alone; all that is done from here is the brake, a file that the hook reads.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from loopdeck.core.plural import some
from loopdeck.deck.board import age
from loopdeck.deck.lookout import CONTENTS, GROWS, Lookout
from loopdeck.deck.snapshot import DeckFacts
from loopdeck.store import sessions
from loopdeck.store.layout import DeckHome, sessions_of
from loopdeck.store.sessions import Session

SHORT = 8
"""So much of a session's id is shown where there is little room."""

_RECENT_S = 60.0


class Attending:
    """The sessions of one deck. `whom` is told by `lookout` when there is more of one."""

    def __init__(self, home: DeckHome, lookout: Lookout[object], whom: object) -> None:
        self._folder = sessions_of(home)
        self._attached = sessions.Attached(self._folder)
        self._lookout = lookout
        self._whom = whom
        self._files: set[Path] = set()

    @property
    def seen(self) -> tuple[Session, ...]:
        """Those of the last day that have not ended, the newest last."""
        return self._attached.seen

    def look(self) -> bool:
        """Look; True if there is something new."""
        changed = self._attached.look()
        self._lookout.want(self._whom, self._folder, CONTENTS)
        before, self._files = self._files, set(self._attached.files())
        for gone in before - self._files:
            self._lookout.forget(gone)
        for file in self._files:
            self._lookout.want(self._whom, file, GROWS)
        return changed


def line(decks: Sequence[DeckFacts], now: float) -> str:
    """All of them in one line, for below the loops; empty if there are none."""
    found = sorted((one for deck in decks for one in deck.sessions), key=lambda one: one.last)
    if not found:
        return ""
    newest = found[-1]
    braked = sum(1 for one in found if one.braked)
    held = f", {braked} braked" if braked else ""
    since = now - heard_at(newest)
    # By the second it would be a new line at each.
    ago = f" {age(since)} ago" if since >= _RECENT_S else ""
    doing = f"; {newest.agent}{ago}: {' '.join(newest.doing.split())[:60]}" if newest.doing else ""
    return f"{some(len(found), 'session')} not started here{held}, A shows{doing}"


def brake(home: DeckHome, one: Session, by: str) -> str:
    """Let none of its calls through from now on; what became of it, in words. Raises StoreError."""
    sessions.brake(sessions_of(home), one.session, f"by {by}")
    return f"{one.agent} {one.session[:SHORT]} is braked: none of its calls is let through from now on"


def release(home: DeckHome, one: Session) -> str:
    """Let its calls through again; what became of it, in words. Raises StoreError."""
    there = sessions.release(sessions_of(home), one.session)
    return f"{one.agent} {one.session[:SHORT]} goes on" if there else f"nothing held {one.agent} {one.session[:SHORT]}"


def heard_at(one: Session) -> float:
    """When it was heard of last, in seconds since the epoch; whatever no clock can have said is long ago."""
    try:
        return datetime.fromisoformat(one.last).timestamp()
    except (ValueError, OverflowError):
        return 0.0
