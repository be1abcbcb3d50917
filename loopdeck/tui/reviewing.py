"""What becomes of a run in front of the operator: merged, discarded, proposed; each after a question, by the verb that does it.

Invariant: one at a time, and nothing of it happens in the room itself: closing it ends no merge half-way.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from loopdeck.core.plural import some
from loopdeck.core.text import clean_line
from loopdeck.deck.errand import Outcome, errand
from loopdeck.deck.pullrequest import Proposal, propose
from loopdeck.deck.review import Outlook, Review, outlook
from loopdeck.deck.snapshot import LoopRow
from loopdeck.deck.unread import Unread, cap
from loopdeck.errors import LoopdeckError
from loopdeck.tui.screens.ask import Confirm

if TYPE_CHECKING:
    from loopdeck.tui.frame import RoomScreen

    _Base = RoomScreen
else:
    _Base = object

_NAMED = 5
_SHOWN = 5
_COLUMNS = 66


class Reviewing(_Base):
    """The verbs of a review. The screen has a `work` (None until it is read), a `row`, and shows `progress` and `conflicts`."""

    work: Review | None = None
    row: LoopRow
    under_way = ""

    @property
    def up(self) -> bool:
        """True while its widgets are there."""
        return False

    def progress(self, text: str) -> None:
        """Show how far it is; empty: nothing is under way."""

    def conflicts(self, paths: tuple[str, ...]) -> None:
        """Mark the files that conflict."""

    def reload(self) -> None:
        """Read everything anew."""

    def action_merge(self) -> None:
        """Look what it would come to, ask, merge."""
        room, work = self.room, self.work
        if work is None or self.under_way:
            return
        deck = room.deck_of(self.row)

        def looked() -> tuple[Outlook, int, int]:
            return outlook(deck, work.cargo), Unread(deck).look().lines, cap(deck)

        def asked(found: tuple[Outlook, int, int]) -> None:
            if not self.up or not self.is_current:
                return
            plan, unread, most = found
            self.conflicts(plan.conflicts)
            refusal = _refusal(plan, unread, most)
            if refusal:
                room.tell(f"{self.row.loop} {refusal}", "error")
                return
            question = _merge_question(self.row, work, plan)
            self.app.push_screen(Confirm(question, "Merge", warning=_not_read(work)), lambda said: self._go("merge", "merging", said))

        room.do(looked, asked)

    def action_discard(self) -> None:
        """Ask, discard."""
        if self.under_way:
            return
        row = self.row
        question = (
            f"Discard the work of {row.loop} {row.run}?\nIts worktree and branch go; its commits stay reachable below "
            "refs/loopdeck/discarded, its journal, trace and report stay as they are."
        )
        self.app.push_screen(Confirm(question, "Discard", danger=True), lambda said: self._go("discard", "discarding", said))

    def action_propose(self) -> None:
        """Show what would leave the machine, ask, push and open."""
        if self.under_way:
            return
        room, row = self.room, self.row
        deck, paths = room.deck_of(row), room.paths_of(row)

        def asked(wanted: Proposal) -> None:
            if not self.is_current:
                return
            screen = Confirm(_proposal_question(wanted), "Push and open", danger=True)
            self.app.push_screen(screen, lambda said: self._go("pr", "pushing", said, "--yes"))

        room.do(lambda: propose(deck, deck.view(paths), paths), asked)

    def _go(self, verb: str, doing: str, said: str | None, *more: str) -> None:
        """Carry out the verb, if it was agreed to, and say what came of it."""
        if said is None or self.under_way:
            return
        room, row = self.room, self.row
        deck = room.deck_of(row)
        self.under_way = doing
        self.progress(f"{doing} {row.loop} {row.run} …")
        self.refresh_bindings()

        def on_screen(then: Callable[[], None]) -> None:
            if room.is_running:
                room.post_message(room.Done(then))

        def done(came: Outcome) -> None:
            self.under_way = ""
            last = (came.said.strip().splitlines() or [""])[-1]
            room.tell(f"{row.loop}: {last if came.code == 0 else came.complaint}", "information" if came.code == 0 else "error")
            room.reader.poke()
            if self.up:
                self.progress("")
                self.refresh_bindings()
                self.reload()

        def told(line: str) -> None:
            on_screen(lambda: self.progress(f"{doing} {row.loop}: {line.strip()}") if self.up and self.under_way else None)

        def work() -> None:
            try:
                came = errand(deck, (verb, row.run, *more), told)
            except LoopdeckError as error:
                came = Outcome(error.exit_code, "", str(error))
            on_screen(lambda: done(came))

        # Not one of the app's workers: those are waited for when the room is closed.
        threading.Thread(target=work, name=verb, daemon=True).start()


def _refusal(plan: Outlook, unread: int, most: int) -> str:
    """What stands in the way of merging, in words; empty if nothing does."""
    if plan.conflicts:
        more = f" and {len(plan.conflicts) - _NAMED} more" if len(plan.conflicts) > _NAMED else ""
        return f"conflicts with {plan.into} in {', '.join(plan.conflicts[:_NAMED])}{more}: merge by hand, or start the loop again"
    if plan.refusal:
        return f"can't be merged: {plan.refusal}"
    if unread > most:
        much = some(unread, "line is", "lines are")
        return f"can't be merged yet: {much} unread, more than the {most:,} of max_unread_lines; read some (r) first"
    return ""


def _not_read(work: Review) -> str:
    """What a merge would bring in that nobody has read; empty if there is nothing."""
    left = work.unread
    lines = some(sum(one.lines for one in left), "line")
    return f"{some(len(left), 'file')} with {lines} not read yet: esc, then r marks what you have read." if left else ""


def _merge_question(row: LoopRow, work: Review, plan: Outlook) -> str:
    read = "" if work.unread else "You have marked all of it as read.\n"
    change = f"{some(plan.files, 'file')} +{plan.added} -{plan.removed}"
    return (
        f"Merge {row.loop} {row.run} into {plan.into}? {change}, no conflicts.\n{read}"
        f"Its checks run first, on the merged files; only if they pass is {plan.into} changed, by one merge commit."
    )


def _proposal_question(wanted: Proposal) -> str:
    lines = wanted.body.splitlines()
    # The buttons must be on the screen too, however small that is.
    text = "\n".join(f"  {clean_line(line, _COLUMNS)}" for line in [line for line in lines if line.strip()][:_SHOWN])
    more = f"\n  … and {some(len(lines) - _SHOWN, 'line')} more, its whole report" if len(lines) > _SHOWN else ""
    return (
        f"This leaves your machine:\nbranch {wanted.branch}: {some(wanted.files, 'file')} +{wanted.added} -{wanted.removed}\n"
        f"to {wanted.remote.name} {wanted.remote.shown}\ninto {wanted.into or 'its default branch'}\n"
        f"title {wanted.title}\n\n{text}{more}"
    )
