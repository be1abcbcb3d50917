"""Every key that works on the screen one came from, by group, from the registry."""

from textual.app import ComposeResult
from textual.binding import Binding

from loopdeck.core.columns import Column, Rows, TableRow, cell
from loopdeck.tui.actions import actions
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.widgets.lines import LineTable

_GROUPS = {
    "hand": "the run in front of you", "answer": "answering", "look": "looking", "edit": "editing", "view": "this view", "go": "going",
    "room": "the room",
}  # fmt: skip
_MOVES = (
    ("↑ ↓ PgUp PgDn Home End", "move; j k g G do too"),
    ("enter, or a second click", "open"),
    ("ctrl+p", "everything by its name"),
)


class HelpScreen(RoomScreen):
    """A table of keys."""

    SCOPE = "help"

    def __init__(self, of: str) -> None:
        super().__init__()
        self._of = of

    def body(self) -> ComposeResult:
        """The table."""
        yield LineTable((Column("key", 26), Column("what it does", 0)), id="keys")

    def title_words(self) -> str:
        """Of which screen."""
        return f"keys of the {self._of} screen"

    def on_mount(self) -> None:
        """They don't change while one reads."""
        super().on_mount()
        listed = [(one.group, self.app.get_key_display(Binding(one.key.partition(",")[0], "")), one.help) for one in actions(self._of)]
        rows = [TableRow("moving", (cell("moving", "head"), cell("")))]
        rows += [TableRow(f"moving {key}", (cell(key, "key"), cell(what))) for key, what in _MOVES]
        for group, title in _GROUPS.items():
            found = [(key, what) for its, key, what in listed if its == group]
            if found:
                rows += [TableRow(f"{group} blank", (cell(""), cell(""))), TableRow(group, (cell(title, "head"), cell("")))]
                rows += [TableRow(f"{group} {key}", (cell(key, "key"), cell(what, limit=400))) for key, what in found]
        self.query_one(LineTable).fill(Rows(tuple(rows)))
