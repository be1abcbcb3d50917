"""The trace of a run: everything it did, to be read, searched, filtered and followed while it grows.

What takes time is done in slices between two frames, only while the screen is in front; no key waits for it.
"""

from pathlib import Path

from textual.app import ComposeResult
from textual.widgets import Input

from loopdeck.core.columns import Cell, cell
from loopdeck.deck import traceexport, tracelinks
from loopdeck.deck.asides import Aside, Asides
from loopdeck.deck.snapshot import LoopRow, Snapshot
from loopdeck.deck.traceboard import word
from loopdeck.deck.tracepick import Choice
from loopdeck.deck.tracing import Tracing
from loopdeck.store.state import LoopState
from loopdeck.tui.beside import Beside
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.traceasks import TraceAsks
from loopdeck.tui.tracekeys import TraceKeys, is_failing_check
from loopdeck.tui.widgets.tracebar import TraceBar
from loopdeck.tui.widgets.tracelist import TraceList

_FAILED = ("max_iterations", "budget", "no_progress", "error")


class TraceScreen(TraceAsks, TraceKeys, RoomScreen):
    """The trace of `row`'s run, at its end; at the beginning of `iteration`, if one is given; at what failed first, if it failed."""

    SCOPE = "trace"
    AUTO_FOCUS = "TraceList"
    CSS = """
    TraceScreen Input { height: 1; border: none; padding: 0 1; background: $panel; display: none; }
    """

    def __init__(self, row: LoopRow, iteration: int | None = None) -> None:
        super().__init__()
        self.row = row
        self._iteration = iteration
        self._read = 0
        self._shift = 0
        self._generation = 0
        self._asides: Asides | None = None
        self._beside: Beside[tuple[Aside, ...]] | None = None

    def body(self) -> ComposeResult:
        """Where one is, the lines, the line for words."""
        self.tracing = Tracing(self.room.paths_of(self.row).trace)
        yield TraceBar()
        yield TraceList(self.tracing)
        yield Input(id="words", compact=True)

    def on_mount(self) -> None:
        """At the end, following if somebody is at work; or where the operator wants to begin."""
        super().on_mount()
        deck = self.room.deck_of(self.row)
        self._asides = Asides(self.room.paths_of(self.row), LoopState(deck.home.state_dir(self.row.loop)))
        self._beside = Beside(self.room, self._woven)
        self.begin()
        self._read = self.tracing.total()
        self.following = self.row.live and self._iteration is None
        self.lines.renew()
        self.lines.go(self.tracing.count() - 1)
        if self._iteration is not None:
            self.jump(self._to_iteration)
        elif self.row.status == "ended" and self.row.reason in _FAILED:
            self.jump(self._to_failing)
        self.renewed()

    def shown(self, snapshot: Snapshot) -> None:
        """The journal may have grown: see what stands beside the trace."""
        asides = self._asides
        if asides is not None and self._beside is not None:
            self._beside.want(asides.look)

    def _woven(self, asides: tuple[Aside, ...]) -> None:
        """Put asides between the lines."""
        if self.is_attached:
            self.tracing.places.put(asides)
            self.kick()
            self.renewed()

    def on_unmount(self) -> None:
        """Give the file back."""
        self.tracing.close()

    def on_screen_suspend(self) -> None:
        """Nothing is done behind another screen."""
        self.rest()

    def on_screen_resume(self) -> None:
        """Catch up."""
        super().on_screen_resume()
        if self.is_mounted:
            self.wake()

    def title_words(self) -> str:
        """Whose trace it is."""
        return f"trace · {self.row.loop} {self.row.run}"

    def renewed(self) -> None:
        """What has become known: more lines, other numbers, hits."""
        tracing, lines = self.tracing, self.lines
        if tracing.window.generation != self._generation or tracing.shift != self._shift:
            # The last lines don't have the numbers that were foreseen for them, or another file stands there.
            by = tracing.shift - self._shift
            self._read += by
            self._generation, self._shift = tracing.window.generation, tracing.shift
            moved = by if lines.at > tracing.total() // 2 else 0
            lines.at += moved
            lines.on += moved if lines.on >= 0 else 0
            lines.renew(afresh=True)
        lines.renew()
        if self.following:
            lines.go(tracing.count() - 1)
        if self.following or lines.at >= tracing.count() - 1:
            self._read = tracing.total()
        self.query_one(TraceBar).say(tracing, lines.at, self._state())

    def on_trace_list_moved(self, message: TraceList.Moved) -> None:
        """A hand that moves the cursor knows where it wants to be."""
        if message.by_hand:
            self.following = False
            self.forget_jump()
        self.renewed()

    def on_trace_list_chosen(self) -> None:
        """Enter, or a second click."""
        self.action_open()

    def action_open(self) -> None:
        """The event in full."""
        from loopdeck.tui.screens.event import EventScreen

        if self.tracing.places.aside(self.lines.at) is not None:
            self.action_unfold()
        elif self.tracing.count():
            self.room.open(EventScreen(self.row, self.at(), self))

    def action_export(self) -> None:
        """What is shown, as a file."""
        shown = [self.row.loop, self.row.run, *sorted(word(kind) for kind in self.tracing.choice.kinds)]
        shown += [f"i{self.tracing.choice.iteration}"] if self.tracing.choice.iteration else []
        name, path, numbers = "-".join(shown), self.tracing.path, self.tracing.numbers()
        self.room.do(lambda: traceexport.export(path, Path.cwd(), name, numbers), lambda file: self.room.tell(f"Written to {file}"))

    def action_back(self) -> None:
        """Out of the words, out of the search, out of the filter, up."""
        if self.asking:
            self.close_words()
        elif self.tracing.search is not None:
            self.search("")
        elif not self.tracing.choice.everything:
            self.choose(Choice())
        else:
            super().action_back()

    def _to_iteration(self) -> bool:
        """Where the iteration begins, as soon as all lines are counted."""
        tracing = self.tracing
        if not tracing.settled:
            return False
        found = tracelinks.iteration_start(tracing.window, self._iteration or 1, tracing.total())
        self.go_to(found, f"Iteration {self._iteration} is not in the trace yet.")
        return True

    def _to_failing(self) -> bool:
        """The first check that failed; where the cursor is, if none did."""
        failing = self.tracing.marked("failing", is_failing_check)
        if failing.numbers:
            self.go_to(int(failing.numbers[0]))
        return bool(failing.numbers) or not self.tracing.task()

    def _state(self) -> tuple[Cell, ...]:
        """Whether it follows, and what is new where one does not look."""
        if self.trouble:
            return (cell(self.trouble.splitlines()[0], "bad", 80),)
        if self.waits():
            return (cell("… looking for it", "info"),)
        if self.following:
            return (cell("▼ following", "good"),)
        new = self.tracing.total() - self._read
        return (cell(f"↓ {new:,} new", "ask"),) if new > 0 else ()
