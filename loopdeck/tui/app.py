"""The room: one app on one or more decks. It takes snapshots from the reader's thread, gives them to the screen in front, and carries
words to the decks. It owns no run: closing or killing it changes nothing but what is on the terminal.
"""

import gc
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from textual import constants, events
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.message import Message
from textual.screen import Screen
from textual.widget import AwaitMount

from loopdeck.deck.decks import Deck
from loopdeck.deck.serving import ensure
from loopdeck.deck.snapshot import NOTHING, LoopRow, Snapshot, Watcher
from loopdeck.store.layout import RunPaths
from loopdeck.store.taste import Taste
from loopdeck.tui.doors import Doors
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.lastframe import LastFrame
from loopdeck.tui.lead import Lead
from loopdeck.tui.notices import Ringer
from loopdeck.tui.screens.deck import DeckScreen
from loopdeck.tui.screens.small import LEAST, SmallScreen
from loopdeck.tui.theme import THEMES

_MADE = 20_000
"""So many objects are made before the collector looks for cycles among them: a frame makes thousands, hardly any in one."""

Make = Callable[[Callable[[Snapshot], None]], Watcher]
"""Makes the reader, given where its snapshots go."""


class Room(Doors):
    """The app. Screens reach it as `self.room`."""

    TITLE = "loopdeck"
    CSS = "Toast { padding: 0 1; margin: 0; width: 64; } ToastRack { margin-bottom: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "quit", show=False, priority=True)]
    ENABLE_COMMAND_PALETTE = True

    class Taken(Message):
        """The reader has seen something new."""

        def __init__(self, snapshot: Snapshot) -> None:
            self.snapshot = snapshot
            super().__init__()

    def __init__(self, decks: tuple[Deck, ...], watcher: Make, *, by: str, lead: Lead | None = None) -> None:
        super().__init__(driver_class=_waiting_driver())
        self.decks = decks
        self.by = by
        self.lead = lead
        self.broke: Exception | None = None
        self.snapshot = NOTHING
        self.last_frame = LastFrame(self)
        self.ringer = Ringer(self)

        def post(snapshot: Snapshot) -> None:
            """Called by the reader in its own thread; the one thing it does to the app."""
            self.post_message(self.Taken(snapshot))

        self.reader = watcher(post)
        self.animation_level = "none"
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "loopdeck"

    def get_default_screen(self) -> Screen[Any]:
        """The deck lies under everything else."""
        return DeckScreen()

    async def on_mount(self) -> None:
        """The reader starts to look. Keys that were typed until now wait until there is somebody to take them."""
        await AwaitMount(self.screen, [self.screen])
        self.reader.start()
        self.set_timer(1.0, self._settle)
        self.last_frame.begin()

    def on_resize(self, event: events.Resize) -> None:
        """A terminal too small for anything has one screen that says so, and no key does what can't be seen."""
        small = event.size.width < LEAST[0] or event.size.height < LEAST[1]
        there = isinstance(self.screen, SmallScreen)
        if small and not there:
            self.push_screen(SmallScreen())
        elif there and not small:
            self.pop_screen()

    def _settle(self) -> None:
        """What start-up has made is here to stay: the collector need not look at it again. A deck with runs gets its supervisor."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(_MADE)
        gc.enable()
        for deck in self.decks:
            if deck.home.loops():
                self.do(partial(ensure, deck))

    def on_unmount(self) -> None:
        """Nothing of ours looks at files any more."""
        self.reader.stop()

    def _fatal_error(self) -> None:
        """Our own defect. Textual would print a traceback with the values of all variables, outside text among them, raw."""
        self.broke = self._exception
        self._close_messages_no_wait()

    def now(self) -> float:
        """Seconds since the epoch; frozen in pictures."""
        return time.time()

    def on_room_taken(self, message: Taken) -> None:
        """Give it to the screen in front, then let the reader make the next."""
        before, self.snapshot = self.snapshot, message.snapshot
        if not self.is_running:
            return  # it is closing: the screens are being taken apart
        self.ringer.look(before, message.snapshot)
        for screen in reversed(self.screen_stack):
            if isinstance(screen, RoomScreen):
                if screen.is_mounted:
                    screen.take(message.snapshot)
                break
        self.reader.taken()

    def wear(self, taste: Taste) -> None:
        """The operator's own keys and theme."""
        self.set_keymap(taste.keys)
        if taste.theme:
            self.theme = taste.theme

    # What screens ask of the room

    def deck_of(self, row: LoopRow) -> Deck:
        """The deck that a row is of."""
        return self.decks[row.deck]

    def paths_of(self, row: LoopRow) -> RunPaths:
        """Where the files of a row's run are."""
        return self.deck_of(row).home.run_dir(row.loop, row.run)


def _waiting_driver() -> type[Driver] | None:
    """A driver that waits for keys and doesn't look for them, where that is known to work; None for Textual's own choice."""
    if constants.DRIVER is not None or not sys.platform.startswith("linux"):
        return None
    from loopdeck.tui.driver import WaitingDriver

    return WaitingDriver
