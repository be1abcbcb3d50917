"""Where one can go in the room: each place by its name, the palette of all that can be done, and back up again.

A place's screen is loaded when it is first wanted.
"""

from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import Any

from textual.app import SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from loopdeck.deck.snapshot import LoopRow
from loopdeck.tui.actions import actions
from loopdeck.tui.errands import Errands
from loopdeck.tui.frame import RoomScreen

PLACES = {
    "loop": ("loop", "LoopScreen"), "why": ("why", "WhyScreen"), "trace": ("trace", "TraceScreen"),
    "review": ("review", "ReviewScreen"), "state": ("state", "StateScreen"),
    "approvals": ("approvals", "ApprovalsScreen"), "money": ("money", "MoneyScreen"), "new": ("newloop", "NewLoopScreen"),
    "harness": ("harness", "HarnessScreen"), "project": ("project", "ProjectScreen"),
    "attached": ("attached", "AttachedScreen"),
}  # fmt: skip
"""The module and class of each place's screen. Those about one run take its row."""


class Doors(Errands):
    """An app whose screens are places. `looked_at` are the loops that somebody has asked why of.

    `sought` is the number of a deck and the loop that the cursor is to go to once its run is there.
    """

    looked_at: frozenset[str] = frozenset()
    sought: tuple[int, str] | None = None

    def open(self, screen: Screen[Any]) -> None:
        """Go down into `screen`; escape comes back."""
        self.push_screen(screen)

    def back(self) -> None:
        """Go up, as far as the deck."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: what can be done on the screen it was opened on, each with its key, and the themes."""
        if isinstance(screen, RoomScreen):
            # As they are now, the operator's own among them.
            keys = {each.binding.id: self.get_key_display(each.binding) for each in screen.active_bindings.values()}
            for one in actions(screen.SCOPE):
                if screen.check_action(one.does, ()):
                    key = keys.get(one.id) or self.get_key_display(Binding(one.key.partition(",")[0], ""))
                    yield SystemCommand(f"{one.title}  ·  {key}", one.more, partial(self.call_later, screen.run_action, one.runs))
        yield SystemCommand("Theme", "Change how the room looks", self.action_change_theme)

    def action_approvals(self) -> None:
        """Everything that waits for a person."""
        self.down("approvals")

    def action_money(self) -> None:
        """What it costs."""
        self.down("money")

    def action_attached(self) -> None:
        """Who works here without having been started here."""
        self.down("attached")

    def action_new(self) -> None:
        """A new loop."""
        self.down("new")

    def action_help(self) -> None:
        """Every key that works on the screen in front."""
        from loopdeck.tui.screens.help import HelpScreen

        scope = self.screen.SCOPE if isinstance(self.screen, RoomScreen) else "help"
        self.open(HelpScreen(scope))

    def down(self, place: str, *about: LoopRow) -> None:
        """Go down to a place of the room by its name; its screen is loaded when it is first wanted."""
        if place == "why":
            self.looked_at |= {row.loop for row in about}
        module, name = PLACES[place]
        kind = getattr(import_module(f"loopdeck.tui.screens.{module}"), name)
        if not (isinstance(self.screen, kind) and not about):
            self.open(kind(*about))
