"""`loopdeck` alone, or with the paths of repositories: the room is opened on their decks.

Loads Textual, so nothing else may load this.
"""

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from loopdeck.cli import firstpaint, here, out
from loopdeck.core.plural import some
from loopdeck.deck.decks import Deck
from loopdeck.errors import LoopdeckError, UsageError
from loopdeck.store.files import make_dir, write_atomic

if TYPE_CHECKING:
    from loopdeck.tui.app import Room
    from loopdeck.tui.lead import Lead


def run(paths: Sequence[str]) -> int:
    """Open the room on the decks of `paths`, or on the one around the current folder; stays until the operator leaves."""
    _refuse_without_terminal()
    decks = tuple(Deck.open(Path(one), os.environ) for one in paths) if paths else (here.deck(),)
    return stay(_each_once(decks))


def stay(decks: tuple[Deck, ...], lead: "Lead | None" = None) -> int:
    """The room itself, until it is left. A defect of ours is told in a sentence; its traceback is in a file of the deck."""
    # Several decks, or a demo's, look like no frame that was kept.
    alone = len(decks) == 1 and lead is None
    # Most of what is made until the room is up is there to stay: to look through it again and again takes a sixth of the start.
    gc.disable()
    with firstpaint.painted(decks[0].home.frame, os.environ) if alone else contextlib.nullcontext():
        # Snapshots come at a pace of their own; this is how long a key's effect may have to wait for the next frame.
        os.environ.setdefault("TEXTUAL_FPS", "120")
        from loopdeck.deck.reader import Reader
        from loopdeck.tui.app import Room

        _paint_on_the_terminal()
        room = Room(decks, lambda post: Reader(decks, post), by=here.operator(), lead=lead)
        _dress(room)
        room.run()
    gc.enable()
    room.last_frame.keep()
    if room.broke is not None:
        _tell(room.broke, decks[0])
        return 70
    live = sum(1 for row in room.snapshot.rows if row.live)
    if live:
        whose = some(live, "loop goes", "loops go")
        out.say(f"{whose} on without the room; `loopdeck` comes back, `loopdeck status` lists what there is.")
    return 0


def _refuse_without_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        remedy = "`loopdeck status --watch` prints what the room would show; `loopdeck --help` lists the verbs."
        raise UsageError("the room needs a terminal to be in", remedy=remedy)


def _paint_on_the_terminal() -> None:
    """Textual paints on the standard error; if that leads into a file, it paints where the standard output does."""
    if not os.isatty(2):
        painted = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
        sys.__stderr__ = painted  # type: ignore[misc]  # it is where Textual looks


def _dress(room: "Room") -> None:
    """The operator's own keys and theme, if there is a file of them. Raises UsageError."""
    from loopdeck.store.taste import read_taste, taste_file

    if taste_file(os.environ).exists():
        from loopdeck.tui.actions import ids

        room.wear(read_taste(os.environ, actions=ids(), themes=sorted(room.available_themes)))


def _each_once(decks: tuple[Deck, ...]) -> tuple[Deck, ...]:
    return tuple({deck.home.path: deck for deck in decks}.values())


def _tell(error: BaseException, deck: Deck) -> None:
    """The traceback holds what agents said, so it goes into a file and not onto the terminal."""
    import traceback

    text = "".join(traceback.format_exception(error))
    file = deck.home.path / "room" / f"defect-{datetime.now(UTC):%Y%m%dT%H%M%S}.txt"
    try:
        make_dir(file.parent)
        write_atomic(file, text.encode("utf-8", "backslashreplace"))
        where = str(file)
    except LoopdeckError:
        where = "(it could not be written down)"
    what = f"the room broke: {type(error).__name__}. That is our mistake; the loops go on. The traceback is in {where}"
    out.warn(what)
