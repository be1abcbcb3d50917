"""How the room looks: its themes, and the styles by the names that cells carry.

Styles are made here and not in a style sheet: of a sheet's styles Textual keeps one more for each widget that may use it, and works all
of them out again whenever such a widget is put up, gets the keys or loses them.

Colour never says anything alone: each status has a glyph and a word as well (`loopdeck.deck.board`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

STYLES = (
    "plain", "dim", "good", "bad", "warn", "info", "ask", "accent", "head", "key", "add", "del", "mark", "strong",
)  # fmt: skip
"""The names a cell's style may have."""

DARK = Theme(
    name="loopdeck",
    primary="#6ea8fe", secondary="#8b9bb4", accent="#c792ea", foreground="#d7dce5", background="#10141b", surface="#151b24",
    panel="#1c2430", success="#7fd88f", warning="#ffcb6b", error="#ff6b7d", dark=True,
    variables={"ask": "#ffb454", "block-cursor-text-style": "none"},
)  # fmt: skip
LIGHT = Theme(
    name="loopdeck-light",
    primary="#1f5fbf", secondary="#5b6b82", accent="#8a3fb0", foreground="#1d2430", background="#fbfbf9", surface="#f2f3f1",
    panel="#e5e8ea", success="#1b7a34", warning="#8a5a00", error="#b3202c", dark=False,
    variables={"ask": "#a04f00", "block-cursor-text-style": "none"},
)  # fmt: skip
THEMES = (DARK, LIGHT)


class _Paint(NamedTuple):
    """A colour of the theme for the text, one for what is behind it, and attributes of the text; each may be empty."""

    text: str = ""
    ground: str = ""
    more: str = ""


_PAINTS = {
    "plain": _Paint("foreground"), "dim": _Paint("secondary"), "good": _Paint("success"), "bad": _Paint("error", more="bold"),
    "warn": _Paint("warning"), "info": _Paint("primary"), "ask": _Paint("warning", more="bold"), "accent": _Paint("accent"),
    "head": _Paint("secondary", more="bold"), "key": _Paint("primary", more="bold"), "add": _Paint("success"), "del": _Paint("error"),
    "mark": _Paint(more="reverse"), "strong": _Paint(more="bold"), "cursor": _Paint(ground="primary-muted"),
    "cursor-idle": _Paint(ground="panel"), "added": _Paint(ground="success-muted"), "taken": _Paint(ground="error-muted"),
}  # fmt: skip
_ANSI_PAINTS = _PAINTS | {
    "plain": _Paint("ansi_default"), "dim": _Paint("ansi_bright_black"), "good": _Paint("ansi_green"),
    "bad": _Paint("ansi_red", more="bold"), "warn": _Paint("ansi_yellow"), "info": _Paint("ansi_blue"),
    "ask": _Paint("ansi_yellow", more="bold"), "accent": _Paint("ansi_magenta"), "head": _Paint("ansi_default", more="bold"),
    "key": _Paint("ansi_cyan", more="bold"), "add": _Paint("ansi_green"), "del": _Paint("ansi_red"),
    "cursor": _Paint(ground="ansi_default", more="reverse"), "cursor-idle": _Paint(ground="ansi_default", more="underline"),
    "added": _Paint(ground="ansi_default"), "taken": _Paint(ground="ansi_default"),
}  # fmt: skip
"""Where the terminal's own sixteen colours are used."""


def paint(name: str, variables: Mapping[str, str], *, ansi: bool) -> Style:
    """The style of that name under the theme that has these `variables` (names of colours → colours).

    Beside `STYLES` there are what a line lies on: `cursor`, `cursor-idle` (in a table without the keys), `added` and `taken` (out).
    """
    one = (_ANSI_PAINTS if ansi else _PAINTS)[name]
    text, ground = (Color.parse(variables.get(colour, colour)).rich_color if colour else None for colour in (one.text, one.ground))
    return Style.parse(one.more) + Style(color=text, bgcolor=ground)
