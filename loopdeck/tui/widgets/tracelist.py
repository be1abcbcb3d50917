"""The list of a trace's lines: any number of them for the price of those on the screen.

Invariant: nothing is kept but the lines and strips painted last; the cursor is on a place, and only a hand, a jump or following moves
it. Reading the few lines on the screen takes a fraction of a millisecond, so that is done when they are painted; all else is `work`.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from loopdeck.core.columns import cell
from loopdeck.core.text import Shown
from loopdeck.deck.traceboard import Look
from loopdeck.deck.tracing import Line, Tracing
from loopdeck.errors import StoreError
from loopdeck.tui.widgets.folds import Folds
from loopdeck.tui.widgets.painted import Painted
from loopdeck.tui.widgets.swift import Swift

_KEPT = 1024
"""Lines and strips remembered: a few screens."""
_UNKNOWN = "…"


class TraceList(Swift, Painted, ScrollView, can_focus=True):
    """The lines of a `Tracing`, with a cursor."""

    DEFAULT_CSS = """
    TraceList { height: 1fr; background: $background; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", "up", show=False),
        Binding("down,j", "step(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "step(-1000000000)", "first", show=False),
        Binding("end,G", "step(1000000000)", "last", show=False),
        Binding("enter", "choose", "open", show=False),
    ]

    class Moved(Message):
        """The cursor is on another line now; `by_hand` if a person moved it."""

        def __init__(self, by_hand: bool) -> None:
            self.by_hand = by_hand
            super().__init__()

    class Chosen(Message):
        """A line was opened."""

    def __init__(self, tracing: Tracing, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.tracing = tracing
        self.at = 0
        self.on = 0
        self._woven = tracing.places.version
        self.folds = Folds()
        self._known: tuple[int, int, bool, int] | None = None
        self._look: Look | None = None
        self._lines: LRUCache[int, Line] = LRUCache(_KEPT)
        self._strips: LRUCache[tuple[int, str, bool], Strip] = LRUCache(_KEPT)

    def renew(self, *, afresh: bool = False) -> None:
        """Show what has become known since; `afresh` if lines stand elsewhere or look different now."""
        search = self.tracing.search
        if self.tracing.places.version != self._woven:
            # Asides stand elsewhere: the cursor stays on what it is on.
            self._woven = self.tracing.places.version
            self.at = self.tracing.places.place_of(self.on)
            afresh = True
        known = (self.tracing.count(), self.tracing.total(), self.tracing.settled, search.count() if search is not None else -1)
        if known == self._known and not afresh:
            return
        self._known = known
        if afresh:
            self.folds.clear()
            self._forget()
        self.at = max(0, min(self.at, self.tracing.count() - 1))
        self._resize()
        self.refresh()

    def go(self, place: int, *, by_hand: bool = False, middle: bool = False) -> None:
        """Put the cursor on the line at `place`, or the nearest there is; in the `middle` of the screen if it was out of sight."""
        before, self.at = self.at, max(0, min(place, self.tracing.count() - 1))
        self.on = self.tracing.places.key(self.at)
        if not self._show_cursor(middle=middle) and before != self.at:
            for row in {self.folds.row_of(before), self.folds.row_of(self.at)}:
                self.refresh(Region(0, row - self.scroll_offset.y, self.size.width, 1))
        if by_hand or before != self.at:
            self.post_message(self.Moved(by_hand))

    def unfold(self, text: Sequence[Shown]) -> None:
        """Put `text` below the line under the cursor, or take it away again."""
        self.folds.toggle(self.at, text)
        self._resize()
        self._show_cursor()
        self.refresh()

    def in_sight(self) -> range:
        """The places on the screen."""
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        first, last = self.folds.at(top)[0], self.folds.at(top + max(0, height - 1))[0]
        return range(first, min(last + 1, self.tracing.count()))

    def render_line(self, y: int) -> Strip:
        """One row of the terminal."""
        width = self.scrollable_content_region.width
        place, part = self.folds.at(self.scroll_offset.y + y)
        if place >= self.tracing.count():
            return self.strip((), width)
        if part:
            return self.strip((cell("      │ ", "dim"), cell(self.folds.text(place, part), "plain", 4000)), width)
        line = self.line(place)
        if line is None:
            return self.strip((cell(_UNKNOWN, "dim"),), width)
        kind = "" if place != self.at else ("cursor" if self.has_focus else "cursor-idle")
        search = self.tracing.search
        key = (line.number, kind, search is not None and line.number >= 0 and search.holds(line.number))
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._painted(line, width, kind, hit=key[2])
        return strip

    def action_step(self, by: int) -> None:
        """Up or down by so many lines."""
        self.go(self.at + by, by_hand=True)

    def action_page(self, by: int) -> None:
        """Up or down by a screen."""
        self.go(self.at + by * max(1, self.scrollable_content_region.height - 1), by_hand=True)

    def action_choose(self) -> None:
        """Open the line under the cursor."""
        if self.tracing.count():
            self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a second one opens."""
        place, _ = self.folds.at(self.scroll_offset.y + event.y)
        if place < self.tracing.count():
            again = place == self.at and event.chain > 1
            self.go(place, by_hand=True)
            if again:
                self.action_choose()

    def on_mouse_scroll_up(self) -> None:
        """A wheel that turns away from the newest line means as much as a key."""
        self.post_message(self.Moved(by_hand=True))

    def watch_has_focus(self, has_focus: bool) -> None:
        """The cursor looks different in the list that has the keys."""
        super().watch_has_focus(has_focus)
        self.refresh()

    def on_resize(self) -> None:
        """Another size; the cursor stays in sight."""
        if self._look is not None and self._look.width != self.scrollable_content_region.width:
            self._forget()
        self._resize()
        self._show_cursor()

    def notify_style_update(self) -> None:
        """Another theme: every strip is made anew."""
        super().notify_style_update()
        self._strips.clear()

    def _forget(self) -> None:
        self._lines.clear()
        self._strips.clear()
        self._look = None

    def _painted(self, line: Line, width: int, kind: str, *, hit: bool) -> Strip:
        tracing = self.tracing
        if self._look is None:
            found = tracing.search.text if tracing.search is not None else ""
            self._look = Look(width, len(str(tracing.total())), tree=tracing.choice.calls, found=found)
        brush = self.brush(kind) if kind else self.brush()
        left, right = self._look.cells(line, hit=hit)
        edge = sum(len(one.text) for one in right)
        if not right or edge >= width:
            return self.strip(left, width, brush=brush)
        return Strip.join([self.strip(left, width - edge, brush=brush), self.strip(right, edge, brush=brush)])

    def line(self, place: int) -> Line | None:
        """The line at `place`, if it is known; with it all those on the screen are read that are not known yet."""
        if not 0 <= place < self.tracing.count():
            return None
        known = self._lines.get(self.tracing.places.key(place))
        if known is not None:
            return known
        missing = [one for one in self.in_sight() if self._lines.get(self.tracing.places.key(one)) is None]
        self._fetch(missing if place in missing else [place])
        return self._lines.get(self.tracing.places.key(place))

    def _fetch(self, places: Sequence[int]) -> list[Line]:
        try:
            lines = [line for line in self.tracing.lines(places) if line is not None]
        except StoreError:
            # What is wrong with the file is said by the screen, whose work meets it as well.
            return []
        for line in lines:
            self._lines[line.number] = line
        return lines

    def _show_cursor(self, *, middle: bool = False) -> bool:
        """Scroll to the cursor; False if it is in sight already."""
        height, top = self.scrollable_content_region.height, self.scroll_offset.y
        row = self.folds.row_of(self.at)
        if height <= 0 or top <= row < top + height:
            return False
        away = row - height // 2 if middle else row if row < top else row - height + 1
        self.scroll_to(y=max(0, away), animate=False, force=True, immediate=True)
        return True

    def _resize(self) -> None:
        size = Size(self.scrollable_content_region.width, self.folds.rows(self.tracing.count()))
        if self.virtual_size != size:
            self.virtual_size = size
