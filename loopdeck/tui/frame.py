"""What every screen of the room is: a title line, a body, a footer with the keys that apply, and the newest snapshot."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from loopdeck.core.columns import cell
from loopdeck.deck.headline import headline
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.tui.actions import bindings
from loopdeck.tui.widgets.bars import KeyBar, TitleBar
from loopdeck.tui.widgets.swift import Ground

if TYPE_CHECKING:
    from loopdeck.tui.app import Room


class RoomScreen(Ground, Screen[None]):
    """A place in the room. A subclass names its `SCOPE`, yields its `body`, and shows snapshots in `shown`."""

    SCOPE: ClassVar[str] = "help"
    AUTO_FOCUS: ClassVar[str | None] = "LineTable"

    def __init_subclass__(cls, **options: object) -> None:
        """The keys of a screen are those the registry has for its scope."""
        if "SCOPE" in cls.__dict__:
            own: list[BindingType] = bindings(cls.SCOPE)
            cls.BINDINGS = [*own, *cls.__dict__.get("BINDINGS", ())]
        super().__init_subclass__()

    @property
    def room(self) -> "Room":
        """The app, by its own type."""
        return cast("Room", self.app)

    def compose(self) -> ComposeResult:
        """Title, body, keys."""
        yield TitleBar()
        yield from self.body()
        yield KeyBar()

    def body(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    def title_words(self) -> str:
        """What the screen is about, for the title line."""
        return ""

    def shown(self, snapshot: Snapshot) -> None:
        """The newest snapshot, whenever there is one and the screen can be seen. On the UI thread: no waiting, no files."""

    def take(self, snapshot: Snapshot) -> None:
        """Called by the room; the title line is for all screens the same."""
        words = self.title_words()
        # What the screen is about comes before what concerns the whole deck.
        left, right = headline(snapshot, self.size.width - 2 * len(words))
        while words and len(right) > 1 and len(words) + sum(len(one.text) for one in right) + 4 > self.size.width:
            # What is spent and what waits for a person go last.
            right = (right[0], *right[2:]) if len(right) > 2 else right[1:]
        self.query_one(TitleBar).say((cell(words, "strong", 400),) if words else left, right)
        self.shown(snapshot)

    def on_mount(self) -> None:
        """Show what is known at once."""
        self.take(self.room.snapshot)

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was in front."""
        if self.is_mounted:
            self.take(self.room.snapshot)

    def subject(self) -> LoopRow | None:
        """The row that the hand acts on here; None if there is none."""
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing here are not offered."""
        from loopdeck.tui.actions.allowed import allowed

        return allowed(action, self.subject()) if action in self.hand_actions() else True

    def hand_actions(self) -> frozenset[str]:
        """Names of the actions that need a run which allows them."""
        return frozenset()

    def action_back(self) -> None:
        """Go up."""
        self.room.back()
