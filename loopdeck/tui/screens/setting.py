"""What can be changed in a live run: each setting with its value now, and who changed it before; then its new value, shown old → new.

Opened only by a key. Gives back the key and the value as typed, or None; nothing is changed in here.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from loopdeck.core.columns import Column, Rows, TableRow, cell
from loopdeck.core.hand import KEYS, changed, worded
from loopdeck.core.happening import Settings
from loopdeck.errors import LoopdeckError
from loopdeck.tui.text import content
from loopdeck.tui.widgets.entry import Entry
from loopdeck.tui.widgets.lines import LineTable

_COLUMNS = (Column("setting", 15), Column("now", 12, "right"), Column("what it is", 0))
_WHAT = {
    "max_iterations": "passes at most", "max_cost_usd": "dollars at most", "max_tokens": "tokens at most",
    "max_wall": "active time at most, such as 30m", "max_tool_calls": "tool calls at most, in an iteration",
    "no_progress": "iterations without progress; false: none",
    "severity_floor": "blocker, major, minor: what must be mended",
    "final_pass": "true: one more turn to tidy up at the end",
    "model": "the maker's model, from its next call on",
}  # fmt: skip


class Setting(ModalScreen[tuple[str, str] | None]):
    """The settings of a run of `loop`. `before` are changes made earlier, by setting: old → new, and by whom."""

    DEFAULT_CSS = """
    Setting { align: center middle; background: $background 60%; }
    Setting > Vertical { width: 76; max-width: 96%; height: auto; background: $panel; padding: 1 2; border: round $primary; }
    Setting LineTable { height: 11; margin-top: 1; background: $panel; }
    Setting Input { display: none; }
    Setting #said { color: $warning; text-style: bold; margin-top: 1; height: auto; }
    Setting .keys { color: $secondary; }
    """
    AUTO_FOCUS: ClassVar[str | None] = "LineTable"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back")]

    def __init__(self, loop: str, settings: Settings) -> None:
        super().__init__()
        self._loop = loop
        self._settings = settings
        self._before: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """The settings, the new value, what it would come to."""
        with Vertical():
            yield Static(content(f"Set for this run of {self._loop}, from now on; loop.toml stays as it is:"), markup=False)
            yield LineTable(_COLUMNS)
            yield Entry()
            yield Static("", id="said", markup=False)
            yield Static("", classes="keys", markup=False)

    def on_mount(self) -> None:
        """As they are now."""
        self._fill()
        self._say()

    def told(self, before: dict[str, str]) -> None:
        """The changes made earlier, as the journal has them."""
        self._before = before
        self._fill()
        self._say()

    @property
    def _key(self) -> str:
        return self.query_one(LineTable).cursor

    def _fill(self) -> None:
        rows = (
            TableRow(key, (cell(key, "strong"), cell(worded(self._settings, key), "info"), cell(_WHAT[key], "dim"))) for key in KEYS
        )
        self.query_one(LineTable).fill(Rows(tuple(rows)))

    def on_line_table_moved(self) -> None:
        """Another setting."""
        self._say()

    def on_line_table_chosen(self) -> None:
        """Its new value is asked for."""
        entry = self.query_one(Entry)
        entry.display = True
        entry.value = (
            "" if (now := worded(self._settings, self._key)) == "none" else now.removesuffix("s") if now[:-1].isdecimal() else now
        )
        entry.focus()

    def on_input_changed(self) -> None:
        """What it would come to."""
        self._say()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter; what makes no sense stays."""
        if self._comes_to()[1]:
            self.dismiss((self._key, event.value.strip()))

    def action_leave(self) -> None:
        """Out of the value, out of the screen."""
        entry = self.query_one(Entry)
        if entry.display:
            entry.display = False
            self.query_one(LineTable).focus()
            self._say()
        else:
            self.dismiss(None)

    def _comes_to(self) -> tuple[str, bool]:
        """The change in words, and whether there is one."""
        key, value = self._key, self.query_one(Entry).value.strip()
        try:
            old, new, _ = changed(self._settings, key, value)
        except LoopdeckError as error:
            return (
                f"{key} {worded(self._settings, key)} → ?   {error}" if value else f"{key} {worded(self._settings, key)} → ?"
            ), False
        return f"{key} {old} → {new}" + ("   (as it is)" if old == new else ""), old != new

    def _say(self) -> None:
        asked = self.query_one(Entry).display
        earlier = self._before.get(self._key, "")
        said = self._comes_to()[0] if asked else f"set before: {earlier}" if earlier else ""
        self.query_one("#said", Static).update(content(said))
        keys = "enter sets it, esc: back to the list" if asked else "enter changes the lit one, esc: back"
        self.query_one(".keys", Static).update(keys)
