"""How the room looks: its themes, and the styles by the names that cells carry.

Colour never says anything alone: each status has a glyph and a word as well (`loopdeck.deck.board`).
"""

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

LINES_CSS = """
.lines--plain { color: $foreground; }
.lines--dim { color: $secondary; }
.lines--good { color: $success; }
.lines--bad { color: $error; text-style: bold; }
.lines--warn { color: $warning; }
.lines--info { color: $primary; }
.lines--ask { color: $warning; text-style: bold; }
.lines--accent { color: $accent; }
.lines--head { color: $secondary; text-style: bold; }
.lines--key { color: $primary; text-style: bold; }
.lines--add { color: $success; }
.lines--del { color: $error; }
.lines--mark { text-style: reverse; }
.lines--strong { text-style: bold; }
.lines--cursor { background: $primary-muted; }
.lines--cursor-idle { background: $panel; }
Widget:ansi .lines--plain { color: ansi_default; }
Widget:ansi .lines--dim { color: ansi_bright_black; }
Widget:ansi .lines--good { color: ansi_green; }
Widget:ansi .lines--bad { color: ansi_red; text-style: bold; }
Widget:ansi .lines--warn { color: ansi_yellow; }
Widget:ansi .lines--info { color: ansi_blue; }
Widget:ansi .lines--ask { color: ansi_yellow; text-style: bold; }
Widget:ansi .lines--accent { color: ansi_magenta; }
Widget:ansi .lines--head { color: ansi_default; text-style: bold; }
Widget:ansi .lines--key { color: ansi_cyan; text-style: bold; }
Widget:ansi .lines--add { color: ansi_green; }
Widget:ansi .lines--del { color: ansi_red; }
Widget:ansi .lines--cursor { background: ansi_default; text-style: reverse; }
Widget:ansi .lines--cursor-idle { background: ansi_default; text-style: underline; }
"""
"""For the app: what the named styles look like, in whatever widget paints with them."""
