"""What the room shows, kept for the next start: see `loopdeck.deck.frame`."""

from contextlib import suppress
from typing import TYPE_CHECKING

from rich.color import ColorType
from rich.style import Style

from loopdeck.deck import frame
from loopdeck.errors import LoopdeckError
from loopdeck.tui.theme import STYLES
from loopdeck.tui.widgets.bars import TitleBar
from loopdeck.tui.widgets.lines import LineTable

if TYPE_CHECKING:
    from loopdeck.tui.app import Room

_AFTER_S, _EVERY_S = 3.0, 30.0


class LastFrame:
    """Keeps what `room` shows: soon after it is up, now and then, and when it is left."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self._looks: dict[str, str] = {}
        self._width = 0

    def begin(self) -> None:
        """From now on; on the UI thread."""
        self._room.call_after_refresh(self._look)
        self._room.set_timer(_AFTER_S, self._again)
        self._room.set_interval(_EVERY_S, self._again)

    def keep(self) -> None:
        """Keep what was shown last, if anything was. Touches files; what can't be kept is not missed."""
        snapshot = self._room.snapshot
        if not self._looks or not snapshot.number:
            return
        with suppress(LoopdeckError):
            for number, deck in enumerate(self._room.decks[: len(snapshot.decks)]):
                frame.save(deck.home, frame.frame(snapshot, number, self._looks, width=self._width))

    def _again(self) -> None:
        self._look()
        self._room.run_worker(self.keep, thread=True, exclusive=True, group="last-frame", exit_on_error=False)

    def _look(self) -> None:
        for screen in self._room.screen_stack:
            for table in screen.query("#loops").results(LineTable):
                self._looks, self._width = looks(screen.query_one(TitleBar), table), self._room.size.width


def looks(bar: TitleBar, table: LineTable) -> dict[str, str]:
    """SGR parameters of all styles as the theme has them now; to be asked on the UI thread."""
    styles = {name: sgr(table.named_style(name)) for name in STYLES}
    return styles | {"bar": sgr(bar.rich_style), "back": sgr(table.rich_style)}


def sgr(style: Style) -> str:
    """SGR parameters of `style`."""
    codes = [code for flag, code in ((style.bold, "1"), (style.italic, "3"), (style.underline, "4"), (style.reverse, "7")) if flag]
    for color, foreground in ((style.color, True), (style.bgcolor, False)):
        if color is not None and color.type is not ColorType.DEFAULT:
            codes += color.get_ansi_codes(foreground=foreground)
    return ";".join(codes)
