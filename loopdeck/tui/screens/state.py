"""A loop's STATE.md, edited in place or in the operator's own editor, also while its maker works.

What would be saved is shown as a diff before it is. What others wrote meanwhile is merged in; where both changed the same lines,
nothing is overwritten: both are kept, and the screen shows the one against the other.
"""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static, TextArea

from loopdeck.core import commands as cmd
from loopdeck.core.columns import Column, Rows, TableRow, cell
from loopdeck.core.text import clean
from loopdeck.deck import stating
from loopdeck.deck.board import age, mark
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.errors import UsageError
from loopdeck.store.state import Version
from loopdeck.tui.editor import edited
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.hand import Hand, at
from loopdeck.tui.screens.ask import Confirm
from loopdeck.tui.text import content
from loopdeck.tui.widgets.diffview import DiffView
from loopdeck.tui.widgets.lines import LineTable

_COLUMNS = (Column("n", 4, "right"), Column("who", 8), Column("when", 20), Column("note", 0))
_LONGEST = 1 << 20
_Then = Callable[[str, tuple[str, ...]], None]


class StateScreen(Hand, RoomScreen):
    """The editor, what would change, and the history."""

    SCOPE = "state"
    AUTO_FOCUS: ClassVar[str | None] = "TextArea"
    CSS = """
    StateScreen #said { height: auto; max-height: 3; background: $surface; color: $warning; padding: 0 1; }
    StateScreen TextArea { height: 2fr; border: none; padding: 0; }
    StateScreen #change { height: 1fr; border-top: solid $panel; }
    StateScreen #versions { width: 44%; max-width: 70; border-left: solid $panel; display: none; }
    StateScreen.history #versions { display: block; }
    """

    def __init__(self, row: LoopRow) -> None:
        super().__init__()
        self._row = row
        self._opened: stating.Opened | None = None
        self._versions: tuple[Version, ...] = ()
        self._symbols_shown = False

    def body(self) -> ComposeResult:
        """Words on top, the text and its change, the history beside them."""
        yield Static("", markup=False, id="said")
        with Horizontal():
            with Vertical():
                yield TextArea("", show_line_numbers=False, soft_wrap=True)
                yield DiffView(empty="Nothing changed yet: what you type is shown here as a diff before it is saved.", id="change")
            yield LineTable(_COLUMNS, empty="No versions yet.", id="versions")

    def title_words(self) -> str:
        """Whose state, and what the run does meanwhile."""
        row = self.room.snapshot.row(self._row.key) or self._row
        glyph, word = mark(row)
        return f"state of {row.loop}   {glyph.text} {word.text}{' held' if row.held else ''} {row.iteration or ''}"

    def on_mount(self) -> None:
        """The text comes as soon as it is read."""
        super().on_mount()
        deck = self.room.deck_of(self._row)

        def read(found: stating.Opened) -> None:
            self._take(found)
            self.query_one(TextArea).load_text(clean(found.now.text, max_line=_LONGEST))
            self._symbols_shown = clean(found.now.text, max_line=_LONGEST) != found.now.text
            if self._symbols_shown:
                self.say("Some characters can't be shown: symbols stand for them, and would be saved. f4 opens it as it is.")

        self.room.do(lambda: stating.opened(deck, self._row.loop), read)

    def shown(self, snapshot: Snapshot) -> None:
        """Only what the run does; the text is the operator's until it is saved."""
        self._row = snapshot.row(self._row.key) or self._row
        if not self._symbols_shown and not self._typed_something():
            self.say(_standing(self._row))

    def subject(self) -> LoopRow | None:
        """The run whose state it is."""
        return self._row

    def say(self, words: str) -> None:
        """Above the text."""
        self.query_one("#said", Static).update(content(words))

    # Reading

    def _take(self, found: stating.Opened) -> None:
        self._opened, self._versions = found, found.versions
        now = self.room.now()
        rows = [_version_row(one, now) for one in reversed(found.versions)]
        self.query_one("#versions", LineTable).fill(Rows(tuple(rows)))

    def _typed_something(self) -> bool:
        return self._opened is not None and self.query_one(TextArea).text != clean(self._opened.now.text, max_line=_LONGEST)

    # Editing

    def on_text_area_changed(self) -> None:
        """What would be saved, as a diff."""
        if self._opened is not None:
            old = clean(self._opened.now.text, max_line=_LONGEST)
            self.query_one(DiffView).show(stating.difference(old, self.query_one(TextArea).text, before="on disk", now="yours"))

    def action_save(self) -> None:
        """Save; stay."""
        self._save(go=False)

    def action_go(self) -> None:
        """Save; let the run go on; leave."""
        self._save(go=True)

    def _save(self, *, go: bool) -> None:
        opened = self._opened
        if opened is None:
            return
        if not self._typed_something():
            self._saved(go=go, merged=False, changed=False)
            return
        typed, deck, loop, by = self.query_one(TextArea).text, self.room.deck_of(self._row), self._row.loop, self.room.by

        def done(came: tuple[stating.Saved | stating.Clashed, stating.Opened]) -> None:
            result, now = came
            self._take(now)
            match result:
                case stating.Saved(new=new, merged=merged):
                    if new.text != typed:
                        self.query_one(TextArea).load_text(clean(new.text, max_line=_LONGEST))
                    self.on_text_area_changed()
                    self._saved(go=go, merged=merged, changed=True)
                case stating.Clashed(version=version):
                    self.on_text_area_changed()
                    kept = f"; yours is kept as {version}" if version else ""
                    self.say(f"NOT saved: somebody changed the same lines. Below: theirs (-), yours (+){kept}. Mend it and save again.")

        self.room.do(lambda: (stating.save_or_keep(deck, loop, opened, typed, by), stating.opened(deck, loop)), done)

    def _saved(self, *, go: bool, merged: bool, changed: bool) -> None:
        if changed:
            self.room.tell(f"state of {self._row.loop} saved{', with what others wrote meanwhile' if merged else ''}")
        if go:
            if self._row.live:
                self.carry_to(self._row, cmd.Resume(by=self.room.by, at=at()), "goes on")
            self.room.back()

    def action_editor(self) -> None:
        """The text, as it stands here, in the operator's own editor; what comes back stands here, not yet saved."""
        if self._opened is None:
            return
        typed = self.query_one(TextArea).text if self._typed_something() else self._opened.now.text
        try:
            came = edited(self.app, typed, "STATE.md")
        except UsageError as error:
            self.room.tell(str(error), "error")
            return
        self.query_one(TextArea).load_text(clean(came, max_line=_LONGEST))

    def action_history(self) -> None:
        """Open or close it; the keys go there."""
        opens = self.toggle_class("history").has_class("history")
        (self.query_one("#versions") if opens else self.query_one(TextArea)).focus()
        if not opens:
            self.on_text_area_changed()

    def on_line_table_moved(self, message: LineTable.Moved) -> None:
        """What the version under the cursor changed."""
        if message.table.id == "versions" and message.by_hand:
            self._look_at(message.key, lambda _, change: self.query_one(DiffView).show(change))

    def on_line_table_chosen(self, message: LineTable.Chosen) -> None:
        """Take a version up again; it is not saved yet."""

        def taken(text: str, _: tuple[str, ...]) -> None:
            self.query_one(TextArea).load_text(clean(text, max_line=_LONGEST))
            self.query_one(TextArea).focus()
            self.say(f"Version {message.key} stands here again, not yet saved.")

        if message.table.id == "versions":
            self._look_at(message.key, taken)

    def _look_at(self, key: str, then: _Then) -> None:
        found = [one for one in self._versions if str(one.number) == key]
        if found:
            deck, loop, versions = self.room.deck_of(self._row), self._row.loop, self._versions
            self.room.do(lambda: stating.change_of(deck, loop, versions, found[0]), lambda came: then(came[0], came[1]))

    def action_back(self) -> None:
        """Up; what was typed and not saved is asked for first."""
        if not self._typed_something():
            self.room.back()
            return
        question = "You have changed the state and not saved it."

        def said(leave: str | None) -> None:
            if leave is not None:
                self.room.back()

        self.app.push_screen(Confirm(question, "Leave it unsaved", danger=True), said)


def _standing(row: LoopRow) -> str:
    """What the run does while the state is being edited."""
    if row.status == "asking" and row.asking == "state":
        return "The run waits for this: its maker and a person changed the same lines; both are kept (ctrl+t). ctrl+g saves, goes on."
    if row.status == "paused":
        return "The run stands still. ctrl+g saves and lets it go on."
    if row.live and row.status not in ("ended", "idle"):
        return "The run goes on meanwhile and reads this at its next iteration; ctrl+o holds it before that."
    return "No run is at work: the next one begins with this."


def _version_row(one: Version, now: float) -> TableRow:
    when = datetime.fromisoformat(one.at)
    note = f"{one.note} (never was the state)" if one.kept else one.note
    who = {"maker": "info", "check": "accent", "operator": "ask"}[one.author]
    cells = (cell(one.number, "dim"), cell(one.author, who), cell(f"{one.at[5:16]} {age(now - when.timestamp())}"), cell(note, "dim"))
    return TableRow(str(one.number), cells)
