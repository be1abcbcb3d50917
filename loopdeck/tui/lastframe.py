"""What the room shows, kept for the next start: see `loopdeck.deck.frame`."""

from rich.color import Color, ColorType
from rich.style import Style

from loopdeck.deck import frame
from loopdeck.deck.decks import Deck
from loopdeck.deck.snapshot import Snapshot
from loopdeck.tui.theme import STYLES
from loopdeck.tui.widgets.bars import TitleBar
from loopdeck.tui.widgets.lines import LineTable


def looks(bar: TitleBar, table: LineTable) -> dict[str, str]:
    """SGR parameters of all styles as the theme has them now; to be asked on the UI thread."""
    styles = {name: sgr(table.named_style(name)) for name in STYLES}
    return styles | {"bar": sgr(bar.rich_style), "back": sgr(table.rich_style)}


def sgr(style: Style) -> str:
    """SGR parameters of `style`."""
    codes = [code for flag, code in ((style.bold, "1"), (style.italic, "3"), (style.underline, "4"), (style.reverse, "7")) if flag]
    for color, foreground in ((style.color, True), (style.bgcolor, False)):
        if color is not None and color.type is not ColorType.DEFAULT:
            codes += _codes(color, foreground=foreground)
    return ";".join(codes)


def keep(decks: tuple[Deck, ...], snapshot: Snapshot, styles: dict[str, str], width: int) -> None:
    """Keep what each of `decks` shows now. Touches files, so not on the UI thread. Raises StoreError."""
    for number, deck in enumerate(decks[: len(snapshot.decks)]):
        frame.save(deck.home, frame.frame(snapshot, number, styles, width=width))


def _codes(color: Color, *, foreground: bool) -> tuple[str, ...]:
    return color.get_ansi_codes(foreground=foreground)
