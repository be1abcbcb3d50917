"""What the keys of a trace's screen do: going through it, filtering, unfolding, copying.

A jump whose end isn't known yet is made as soon as it is, unless a hand moves the cursor before.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable

from loopdeck.core.text import clean
from loopdeck.core.traceline import line
from loopdeck.deck import tracelinks
from loopdeck.deck.tracehits import Search
from loopdeck.deck.tracepick import Choice, Picked
from loopdeck.errors import StoreError
from loopdeck.store.glances import Glance
from loopdeck.store.trace import TraceEntry
from loopdeck.tui.tracework import TraceWork
from loopdeck.tui.unfolding import unfolded, unfolded_text
from loopdeck.tui.widgets.tracelist import TraceList

_UNFOLDED = 200
"""Rows of a text that are unfolded in the list; all of it is in the event's own screen."""


def is_trouble(glance: Glance) -> bool:
    """What `n` stops at: a tool or check that failed, a failed call, output nobody could read, a damaged line."""
    return glance.trouble


def is_failing_check(glance: Glance) -> bool:
    """A check that did not pass."""
    return glance.trouble and glance.kind == "check_ran"


class TraceKeys(TraceWork):
    """What the keys of the trace do."""

    following = False

    @property
    def lines(self) -> TraceList:
        """The lines."""
        return self.query_one(TraceList)

    def at(self) -> int:
        """The number of the line under the cursor."""
        return self.tracing.number(self.lines.at) if self.tracing.count() else 0

    def go_to(self, number: int | None, otherwise: str = "") -> None:
        """Put the cursor on line `number`; if the choice hides it, that is given up. None: say why nothing was done."""
        if number is None:
            self.room.tell(otherwise)
            return
        self.following = False
        if not self.tracing.choice.everything and not self.tracing.shows(number):
            self.tracing.choose(Choice())
            self.lines.renew(afresh=True)
        self.lines.go(self.tracing.place(number), middle=True)

    def go_by(self, find: Callable[[], int | None], otherwise: str) -> None:
        """Go to the line that `find` gives."""
        try:
            found = find()
        except StoreError as error:
            self.room.tell(str(error), "error")
            return
        self.go_to(found, otherwise)

    def step(self, by: int) -> None:
        """Up or down by so many of the lines shown."""
        self.following = False
        to = self.lines.at + by
        while self.tracing.places.aside(to) is not None and 0 < to < self.tracing.count() - 1:
            to += by
        self.lines.go(to)

    def action_follow(self) -> None:
        """Stay on the newest line, or stop that."""
        self.following = not self.following
        if self.following:
            self.lines.go(self.tracing.count() - 1)
        self.renewed()

    def action_next(self) -> None:
        """The next problem or hit."""
        self.walk(1, self.at())

    def action_previous(self) -> None:
        """The one before."""
        self.walk(-1, self.at())

    def action_calls(self) -> None:
        """The tree of calls, or everything."""
        self.choose(Choice(iteration=self.tracing.choice.iteration, calls=not self.tracing.choice.calls))

    def action_effect(self) -> None:
        """What came of it."""
        self.go_by(lambda: tracelinks.effect(self.tracing.window, self.at()), "Nothing came of it, as far as the trace says.")

    def action_cause(self) -> None:
        """What led to it."""
        self.go_by(lambda: tracelinks.cause(self.tracing.window, self.at()), "No earlier event of this iteration led to it.")

    def action_unfold(self) -> None:
        """The text of the line below it, or away again."""
        width = self.lines.scrollable_content_region.width
        if self.lines.folds.is_open(self.lines.at):
            self.lines.unfold(())
        elif (aside := self.tracing.places.aside(self.lines.at)) is not None:
            text = "\n".join(part for part in (f"{aside.at}  {aside.kind} {aside.head}", aside.said) if part)
            self.lines.unfold(tuple(unfolded_text(text, width, _UNFOLDED)))
        elif (entry := self._entry()) is not None:
            self.lines.unfold(unfolded(entry, width, _UNFOLDED))

    def action_copy(self) -> None:
        """The line, to the clipboard of the operator's terminal."""
        aside, entry = self.tracing.places.aside(self.lines.at), self._entry()
        said = f"{aside.at} {aside.kind} {aside.head} {aside.said}".rstrip() if aside else line(entry.at, entry.event) if entry else ""
        if said:
            self.app.copy_to_clipboard(clean(said))
            self.room.tell("The line was handed to the terminal's clipboard.")

    def choose(self, choice: Choice) -> None:
        """Show other lines; the cursor stays on its line, or goes to the next one shown, as soon as that is known."""
        number = self.at()
        self.tracing.choose(choice)
        self.lines.renew(afresh=True)

        def back() -> bool:
            known = choice.everything or self.tracing.looked_at() > number or not self.tracing.task()
            if known and self.tracing.count():
                self.lines.go(self.tracing.place(number), middle=True)
            return known

        self.jump(back)
        self.renewed()

    def _entry(self) -> TraceEntry | None:
        """The line under the cursor, whole, if it can be read."""
        try:
            return self.tracing.entry(self.at()) if self.tracing.count() else None
        except StoreError as error:
            self.room.tell(str(error), "error")
            return None

    def walk(self, way: int, number: int) -> None:
        """To the next hit or problem after (1) or before (-1) line `number`, as soon as it is known which that is."""
        self.jump(lambda: self._walked(number, way))
        self.renewed()

    def _walked(self, number: int, way: int) -> bool:
        """Go to the next hit or problem from `number` on; False if it isn't known yet."""
        tracing = self.tracing
        if not tracing.choice.everything and tracing.task():
            return False
        if tracing.search is not None:
            found, known, what = self._hit(tracing.search, number, way), tracing.task() not in ("index", "search"), "hit"
        else:
            marks = tracing.marked("trouble", is_trouble)
            found, known, what = self._near(marks, number, way), not tracing.task() or (way < 0 and marks.upto > number), "problem"
            found = found if way > 0 or known else None
        if found is None and not known:
            return False
        self.go_to(found, f"No {'further' if way > 0 else 'earlier'} {what}.")
        return True

    def _hit(self, search: Search, number: int, way: int) -> int | None:
        """The next hit; behind the last one it is the first again."""
        for start in (number, -1 if way > 0 else self.tracing.total()):
            found = search.after(start) if way > 0 else search.before(start)
            while found is not None and not self._shown(found):
                found = search.after(found) if way > 0 else search.before(found)
            if found is not None or not search.turned:
                return found
        return None

    def _near(self, marks: Picked, number: int, way: int) -> int | None:
        place = bisect_right(marks.numbers, number) if way > 0 else bisect_left(marks.numbers, number) - 1
        while 0 <= place < len(marks.numbers):
            if self._shown(marks.numbers[place]):
                return int(marks.numbers[place])
            place += way
        return None

    def _shown(self, number: int) -> bool:
        glance = self.tracing.glances.of(number)
        return self.tracing.choice.everything or (glance is not None and self.tracing.choice.takes(glance))
