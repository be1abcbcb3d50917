"""What may make a noise: a loop that has come to wait for its operator, once for each time it does so, and never what was there before.

Invariant: only the room's own words and clean text of one line go out, in whole sequences; several at once are one ring; and no
question is rung for twice, whatever its run does in between.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from loopdeck.core.plural import some
from loopdeck.core.text import clean_line
from loopdeck.deck.board import mark
from loopdeck.deck.snapshot import LoopRow, Snapshot

if TYPE_CHECKING:
    from loopdeck.tui.app import Room

Way = Literal["notify-send", "osc 777", "osc 9", ""]
_LONGEST = 160
_PATIENCE_S = 5.0


class Ring(Struct, frozen=True):
    """A loop that has come to need its operator. `what` names the question or the state, and is never the same for two questions."""

    deck: int
    loop: str
    what: str
    words: str


class Wishes(Struct, frozen=True):
    """How the operator of a deck wants to be told, as its deck.toml says."""

    bell: bool = True
    desktop: bool = True


def what_rings(before: Snapshot, now: Snapshot) -> tuple[Ring, ...]:
    """What of `now` has come to wait for the operator since `before`; nothing if there was no snapshot before."""
    if not before.number:
        return ()
    known = {row.key: row for row in before.rows}
    found = []
    for row in now.rows:
        earlier = known.get(row.key)
        if earlier is row:
            continue
        what = _waits(row)
        if what and (earlier is None or what != _waits(earlier)):
            found.append(Ring(row.deck, row.loop, f"{row.key} {what}", _words(row)))
    return tuple(found)


def _waits(row: LoopRow) -> str:
    """For what a row needs its operator; empty if it doesn't. What merely has ended, or has work to be read, can wait."""
    if row.status == "asking":
        return " ".join(("asking", row.asking, row.asking_for, *(one.id for one in row.approvals)))
    if row.status == "hung":
        return "hung"
    if row.status == "paused" and row.attention == "broken":
        return f"stalled {row.last_at}"
    if row.status == "ended" and row.reason in ("lost", "error"):
        return row.reason
    return ""


def _words(row: LoopRow) -> str:
    if row.approvals:
        return f"{row.loop} asks: {row.approvals[0].tool} {row.approvals[0].summary}"
    return f"{row.loop} {mark(row)[1].text}: {row.why}" if row.why else f"{row.loop} {mark(row)[1].text}"


def way(environ: Mapping[str, str]) -> Way:
    """How a desktop is reached from here: by its own program, else through the terminal, if that may know how."""
    remote = environ.get("SSH_CONNECTION") or environ.get("SSH_TTY")
    desktop = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    if desktop and not remote and shutil.which("notify-send", path=environ.get("PATH")):
        return "notify-send"
    term = environ.get("TERM", "")
    if term in ("", "dumb", "linux", "unknown") or term.startswith("vt"):
        return ""
    return "osc 777" if term.startswith(("rxvt", "foot")) else "osc 9"


def sequence(by: Way, words: str) -> str:
    """What a terminal is to be sent so that the desktop shows `words`; empty if not by a terminal."""
    text = clean_line(words, _LONGEST)
    match by:
        case "osc 9":
            return f"\x1b]9;loopdeck: {text}\x1b\\"
        case "osc 777":
            return f"\x1b]777;notify;loopdeck;{text.replace(';', ',')}\x1b\\"
        case _:
            return ""


class Ringer:
    """Told of every snapshot, on the UI thread; looks up the operator's wishes beside it, and then rings."""

    def __init__(self, room: "Room", environ: Mapping[str, str] = os.environ) -> None:
        self._room = room
        self._environ = environ
        self._rung: set[str] = set()

    def look(self, before: Snapshot, now: Snapshot) -> None:
        """Ring for what is new."""
        if not before.number:
            self._rung |= {f"{row.key} {_waits(row)}" for row in now.rows if row.status == "asking"}
            return
        rings = tuple(one for one in what_rings(before, now) if one.what not in self._rung)
        if not rings:
            return
        # A question has a name of its own; to be hung or lost can happen to a run again.
        self._rung |= {one.what for one in rings if " asking " in one.what}
        roots = {one.deck: self._room.decks[one.deck].root for one in rings}
        self._room.do(lambda: {deck: wishes(root) for deck, root in roots.items()}, lambda said: self._ring(rings, said))

    def _ring(self, rings: tuple[Ring, ...], said: Mapping[int, Wishes]) -> None:
        if any(said[one.deck].bell for one in rings):
            self._room.bell()
        told = [one for one in rings if said[one.deck].desktop]
        if not told:
            return
        words = told[0].words if len(told) == 1 else f"{some(len(told), 'loop')} need you: {', '.join(one.loop for one in told)}"
        by = way(self._environ)
        if by == "notify-send":
            self._room.do(lambda: _send(words, self._environ))
        elif by:
            _write(self._room, sequence(by, words))


def _write(room: "Room", text: str) -> None:
    """Through what writes everything else, between two frames. Textual has a public way for the bell only."""
    driver = room._driver
    if driver is not None and not room.is_headless:
        driver.write(text)


def wishes(root: Path) -> Wishes:
    """What the deck.toml at `root` says of notifications; what can't be read there says nothing. Reads a file."""
    from loopdeck.store.specs import load_deck

    deck = load_deck(root).deck
    return Wishes(deck.bell, deck.desktop)


def _send(words: str, environ: Mapping[str, str]) -> None:
    """By the desktop's own program, which reads a little markup."""
    import subprocess

    text = clean_line(words, _LONGEST).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    program = shutil.which("notify-send", path=environ.get("PATH"))
    if program is None:
        return
    try:
        subprocess.run(
            [program, "--app-name=loopdeck", "--", "loopdeck", text], env=dict(environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_PATIENCE_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return
