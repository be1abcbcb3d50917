"""A glance at one loop without leaving the deck: its question, why it is as it is, the last lines of its trace."""

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from loopdeck.core.plural import some
from loopdeck.core.text import clean_line
from loopdeck.deck.board import age, money
from loopdeck.deck.glance import glance
from loopdeck.deck.snapshot import LoopRow
from loopdeck.tui.text import content

if TYPE_CHECKING:
    from loopdeck.tui.app import Room


_WIDE = 110


class Peek(VerticalScroll, can_focus=False):
    """The pane; hidden until it is asked for."""

    DEFAULT_CSS = """
    Peek { height: auto; max-height: 40%; background: $surface; border-top: solid $panel; padding: 0 1; display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._of = ("", 0.0)

    def compose(self) -> ComposeResult:
        """Its text."""
        yield Static("", markup=False)

    def show(self, row: LoopRow | None, room: "Room") -> None:
        """Show `row`; its trace is read beside the room, once for each change."""
        if row is None:
            self.query_one(Static).update("")
            return
        if self._of == (row.key, row.last_at):
            return
        self._of = (row.key, row.last_at)
        paths = room.paths_of(row) if row.run else None
        head = _head(row, room.now())

        def done(lines: tuple[str, ...]) -> None:
            if self._of == (row.key, row.last_at):
                self.query_one(Static).update(content("\n".join((head, *lines))))

        if paths is None:
            done(())
        else:
            room.do(lambda: glance(paths), done)


def _head(row: LoopRow, now: float) -> str:
    lines: list[str] = [clean_line(f"{row.loop} {row.run}  {row.level}  {row.agent} {row.model}", _WIDE)]
    for one in row.approvals:
        lines.append(clean_line(f"waits for you: {one.tool} {one.summary}", 3 * _WIDE))
        lines.append(clean_line(f"  {one.tier}; {one.reason or one.rule}", _WIDE))
    if row.why and not row.approvals:
        lines.append(clean_line(row.why, 3 * _WIDE))
    if row.run:
        since = f"last event {age(now - row.last_at)} ago" if row.last_at else "nothing yet"
        spent = f"{money(row.cost)} spent, {money(row.since_progress)} since it last got better"
        lines.append(f"{since}; {spent}; {some(row.open_findings, 'open finding')}")
    return "\n".join(lines)
