"""Reading a run's work: from hunk to hunk and file to file, marking what was read, into the operator's own editor."""

from pathlib import Path
from typing import TYPE_CHECKING

from loopdeck.deck.decks import Deck
from loopdeck.deck.review import Changed, Review, review
from loopdeck.deck.snapshot import LoopRow
from loopdeck.deck.unread import Unread
from loopdeck.errors import LoopdeckError, UsageError
from loopdeck.store.layout import RunPaths
from loopdeck.tui.editor import open_file
from loopdeck.tui.widgets.codediff import CodeDiff
from loopdeck.tui.widgets.lines import LineTable

if TYPE_CHECKING:
    from loopdeck.tui.frame import RoomScreen

    _Base = RoomScreen
else:
    _Base = object


class Paging(_Base):
    """What the keys do that read. The screen has a list `#files` and a `CodeDiff` of the file under its cursor."""

    work: Review | None = None
    row: LoopRow

    def taken(self, found: Review | str) -> None:
        """The work as it is after something was marked."""

    @property
    def files(self) -> LineTable:
        """The list."""
        return self.query_one("#files", LineTable)

    @property
    def diff(self) -> CodeDiff:
        """The change."""
        return self.query_one(CodeDiff)

    def file(self, path: str) -> Changed | None:
        """The file of that name."""
        return next((one for one in self.work.files if one.path == path), None) if self.work is not None else None

    def action_next_hunk(self) -> None:
        """On, also into the next file."""
        if not self.diff.to_hunk(1):
            self.action_next_file()

    def action_last_hunk(self) -> None:
        """Back, also into the file before."""
        if not self.diff.to_hunk(-1):
            self.action_last_file()

    def action_next_file(self) -> None:
        """The next file."""
        self.files.action_step(1)

    def action_last_file(self) -> None:
        """The file before."""
        self.files.action_step(-1)

    def action_read(self) -> None:
        """This file is read; on to the next that isn't."""
        work, path = self.work, self.files.cursor
        if work is None or not path:
            return
        self._mark((path,))
        places = [one.path for one in work.files]
        at = places.index(path) if path in places else 0
        ahead = [one.path for one in (*work.files[at + 1 :], *work.files[:at]) if not one.read]
        if ahead:
            self.files.move_to(ahead[0], by_hand=True)

    def action_read_all(self) -> None:
        """All of it is read."""
        self._mark(())

    def action_editor(self) -> None:
        """The file as the run left it, at the line under the cursor."""
        one, line = self.file(self.files.cursor), self.diff.line
        try:
            if one is not None:
                open_file(self.app, _on_disk(self.row, one.path), line.new or line.old if line is not None else 0)
        except UsageError as error:
            self.room.tell(str(error), "error")

    def _mark(self, paths: tuple[str, ...]) -> None:
        work = self.work
        if work is None:
            return
        deck, run = self.room.deck_of(self.row), self.room.paths_of(self.row)

        def marked() -> Review | str:
            unread = Unread(deck)
            unread.mark(work.cargo, paths)
            return looked(deck, run)

        self.room.do(marked, self.taken)
        self.room.reader.poke()


def looked(deck: Deck, paths: RunPaths) -> Review | str:
    """The run's work, or why there is none."""
    try:
        return review(deck, paths)
    except LoopdeckError as error:
        return error.what


def _on_disk(row: LoopRow, path: str) -> Path:
    """The file in the run's worktree. Raises UsageError if it is not there, or is a link to somewhere else."""
    root = Path(row.worktree).resolve()
    file = root / path
    if not row.worktree or not file.is_file():
        raise UsageError("the file is not in the run's worktree any more", where=path, remedy=f"`git show {row.branch}:<path>` has it.")
    if file.resolve() != file:
        raise UsageError("it is a link, or lies behind one, so it is not opened", where=str(file))
    return file
