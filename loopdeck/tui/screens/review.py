"""What a run made, file by file: read it, mark it as read, then merge, discard or propose it.

Files and diffs are looked up beside the room; keys never wait for git. What wants a second look carries a word, never only a colour.
"""

from textual.app import ComposeResult
from textual.containers import Container
from textual.timer import Timer
from textual.widgets import Static

from loopdeck.core.columns import Cell, Column, Rows, TableRow, cell
from loopdeck.core.plural import some
from loopdeck.core.text import Shown
from loopdeck.deck.pullrequest import has_gh
from loopdeck.deck.review import Changed, FileDiff, Review, file_diff
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.paging import Paging, looked
from loopdeck.tui.reviewing import Reviewing
from loopdeck.tui.text import content
from loopdeck.tui.widgets.bars import TitleBar
from loopdeck.tui.widgets.codediff import CodeDiff
from loopdeck.tui.widgets.lines import LineTable

_COLUMNS = (Column("", 1), Column("file", 0), Column("+", 5, "right"), Column("-", 5, "right"))
_WIDE = 110
_REST_S = 0.03
_WAITING = FileDiff("", note="reading …")


class FileHead(TitleBar):
    """A line over the diff: the file, how much, what to look at."""

    DEFAULT_CSS = "FileHead { height: 1; background: $surface; }"


class ReviewScreen(Reviewing, Paging, RoomScreen):
    """The files of one run, and the change of the one under the cursor."""

    SCOPE = "review"
    CSS = """
    ReviewScreen #files { height: 30%; min-height: 4; max-height: 10; border-bottom: solid $panel; overflow-x: hidden; }
    ReviewScreen.-wide #work { layout: horizontal; }
    ReviewScreen.-wide #files {
        width: 32%; max-width: 60; height: 1fr; max-height: 100%; border-bottom: none; border-right: solid $panel;
    }
    ReviewScreen #change { height: 1fr; width: 1fr; }
    ReviewScreen #progress { height: auto; max-height: 3; background: $surface; color: $warning; padding: 0 1; display: none; }
    ReviewScreen.busy #progress { display: block; }
    """

    def __init__(self, row: LoopRow) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
        self.row = row
        self._diffs: dict[str, FileDiff] = {}
        self._conflicts: frozenset[str] = frozenset()
        self._seen = (row.iteration, row.status, row.unread)
        self._said = "reading …"
        self._soon: Timer | None = None

    def body(self) -> ComposeResult:
        """The files, the change, and a line for what is under way."""
        with Container(id="work"):
            yield LineTable(_COLUMNS, empty="reading …", id="files")
            with Container(id="change"):
                yield FileHead()
                yield CodeDiff(id="diff")
        yield Static("", markup=False, id="progress")

    def title_words(self) -> str:
        """Whose work, how much of it, how much is unread."""
        row, work = self.row, self.work
        if work is None:
            return f"review {row.loop} {row.run}   {self._said}"
        added, removed = sum(one.added for one in work.files), sum(one.removed for one in work.files)
        left = sum(one.lines for one in work.unread)
        unread = f"{some(left, 'line')} in {some(len(work.unread), 'file')} unread" if work.unread else "all read"
        merged = "   merged" if work.merged else ""
        if self.size.width < _WIDE:
            return f"review {row.loop}{merged}   {some(len(work.files), 'file')}   {unread}"
        moved = "   the branch has moved since it ended" if work.moved else ""
        return f"review {row.loop} {row.run}   {some(len(work.files), 'file')} +{added} -{removed}   {unread}{merged}{moved}"

    def on_mount(self) -> None:
        """Begin to read."""
        super().on_mount()
        self.reload()

    def subject(self) -> LoopRow | None:
        """The run whose work this is."""
        return self.row

    def shown(self, snapshot: Snapshot) -> None:
        """A run that goes on makes more: then everything is read anew."""
        now = snapshot.row(self.row.key)
        if now is None or now is self.row or now.run != self.row.run:
            return
        self.row = now
        seen = (now.iteration, now.status, now.unread)
        if seen != self._seen:
            self._seen = seen
            self.reload()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What can't be done with this run now is not offered."""
        ended = self.row.status == "ended" and not self.row.live and not self.under_way
        match action:
            case "merge":
                return ended and self.work is not None and not self.work.merged
            case "discard":
                return ended
            case "propose":
                return ended and self.work is not None and has_gh()
            case "read" | "read_all":
                return self.work is not None and bool(self.work.unread)
            case "next_hunk" | "last_hunk" | "next_file" | "last_file" | "editor":
                return self.work is not None
            case _:
                return True

    # What is read

    def reload(self) -> None:
        """Look everything up, beside the room."""
        deck, paths = self.room.deck_of(self.row), self.room.paths_of(self.row)
        self.room.do(lambda: looked(deck, paths), self.taken)

    def taken(self, found: Review | str) -> None:
        """See `Paging`."""
        if not self.up:
            return
        before, self.work = self.work, None if isinstance(found, str) else found
        self._said = found if isinstance(found, str) else ""
        if self.work is None or before is None or self.work.cargo != before.cargo:
            self._diffs = {}
        self._fill()
        if self.work is None:
            self.diff.show(FileDiff("", note=self._said))
        elif self.work.files and (before is None or not self._diffs):
            self._choose(self.files.cursor)
        self.take(self.room.snapshot)
        self.refresh_bindings()

    def _fill(self) -> None:
        work = self.work
        self.files._empty = self._said
        self.files.fill(Rows(tuple(_row(one, one.path in self._conflicts) for one in work.files) if work else ()))
        one = self.file(self.files.cursor)
        self.query_one(FileHead).say(_head(one, one.path in self._conflicts) if one is not None else ())

    def _choose(self, path: str) -> None:
        """Show the change of that file, as soon as it is known."""
        one = self.file(path)
        if one is None or self.work is None:
            return
        self.query_one(FileHead).say(_head(one, one.path in self._conflicts))
        if path in self._diffs:
            self.diff.show(self._diffs[path])
            return
        self.diff.show(_WAITING)
        if self._soon is not None:
            self._soon.stop()
        # Whoever goes down a list of files fast wants none of those on the way.
        self._soon = self.set_timer(_REST_S, lambda: self._look_up(one))

    def _look_up(self, one: Changed) -> None:
        if self.work is None:
            return
        deck, cargo, path = self.room.deck_of(self.row), self.work.cargo, one.path

        def take(change: FileDiff) -> None:
            if self.up and self.work is not None and self.work.cargo == cargo:
                self._diffs[path] = change
                if self.files.cursor == path:
                    self.diff.show(change)

        self.room.do(lambda: file_diff(deck, cargo, one), take)

    def on_line_table_moved(self, event: LineTable.Moved) -> None:
        """Another file."""
        if event.table.id == "files":
            self._choose(event.key)

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Into the change of the file, or from a line of it to the editor."""
        if event.table.id == "files":
            self.diff.focus()
        else:
            self.action_editor()

    def progress(self, text: str) -> None:
        """See `Reviewing`."""
        self.set_class(bool(text), "busy")
        self.query_one("#progress", Static).update(content(text))

    def conflicts(self, paths: tuple[str, ...]) -> None:
        """See `Reviewing`."""
        self._conflicts = frozenset(paths)
        self._fill()

    @property
    def up(self) -> bool:
        """True while its widgets are there: what is looked up beside the room may come when they are gone."""
        return self.is_mounted and self.is_running and bool(self.query("#files")) and bool(self.query(CodeDiff))


def _row(one: Changed, conflict: bool) -> TableRow:
    """The file's name first, since that is what is left of it in a narrow column."""
    folder, _, name = one.path.rpartition("/")
    flag = cell("✗", "bad") if conflict else cell("!", "warn") if one.mark else cell("✓", "good") if one.read else cell("●", "info")
    words: list[Cell] = [cell(f"{one.kind} ", "dim"), cell(name, "dim" if one.read else "strong" if one.mark else "plain")]
    if conflict:
        words.append(cell(" conflict", "bad"))
    if one.mark:
        words.append(cell(" LOOK", "warn"))
        words.append(cell(" ✓" if one.read else "", "good"))
    if folder:
        words.append(cell(f"  {folder}/", "dim"))
    if one.binary:
        return TableRow(one.path, (flag, tuple(words), cell("bin", "dim"), cell("")))
    added, removed = f"+{one.added}" if one.added else "", f"-{one.removed}" if one.removed else ""
    return TableRow(one.path, (flag, tuple(words), cell(added, "add"), cell(removed, "del")))


def _head(one: Changed, conflict: bool) -> tuple[Cell, ...]:
    size = "binary" if one.binary else f"+{one.added} -{one.removed}"
    cells = [cell(one.path, "strong", 300), Cell(Shown(f"  {size}  "), "dim")]
    if conflict:
        cells.append(cell("conflicts  ", "bad"))
    if one.mark:
        cells.append(cell(f"LOOK: {one.mark}  ", "warn", 300))
    cells.append(cell("read" if one.read else "unread", "good" if one.read else "info"))
    return tuple(cells)
