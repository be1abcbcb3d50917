"""The two lines around every screen: what is going on, and what can be done about it here."""

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from loopdeck.core.columns import Cell, cell
from loopdeck.tui.widgets.painted import Painted
from loopdeck.tui.widgets.swift import Swift


class TitleBar(Swift, Painted, Widget):
    """One line on top: what the screen is about on the left, what concerns the whole deck on the right."""

    DEFAULT_CSS = """
    TitleBar { height: 1; background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._left: tuple[Cell, ...] = ()
        self._right: tuple[Cell, ...] = ()
        self._made: Strip | None = None

    def say(self, left: tuple[Cell, ...], right: tuple[Cell, ...] = ()) -> None:
        """Show these; nothing is painted if they are what is shown already."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self._made = None
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line; where both don't fit, the left one is cut."""
        width = self.size.width
        if self._made is not None and self._made.cell_length == width:
            return self._made
        right = sum(len(one.text) for one in self._right)
        room = max(0, width - right - 1) if right else width
        strips = [self.strip((cell(" "), *self._left), room)]
        if right:
            strips.append(self.strip((*self._right, cell(" ")), width - room))
        self._made = Strip.join(strips)
        return self._made

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._made = None


class KeyBar(Swift, Painted, Widget):
    """One line below: the keys that do something here and now; a click on one is as good as pressing it."""

    DEFAULT_CSS = """
    KeyBar { height: 1; background: $panel; dock: bottom; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._spans: list[tuple[int, int, str]] = []
        self._made: Strip | None = None

    def compose(self) -> ComposeResult:
        """It has no parts."""
        yield from ()

    def on_mount(self) -> None:
        """Painted anew whenever other keys apply."""
        self.screen.bindings_updated_signal.subscribe(self, self._again)

    def render_line(self, y: int) -> Strip:
        """The screen's own keys from the left, as many as fit; those of the whole room always, on the right."""
        width = self.size.width
        if self._made is not None and self._made.cell_length == width:
            return self._made
        own: list[Binding] = []
        rooms: list[Binding] = []
        for binding in self._shown():
            (rooms if binding.action.startswith("app.") else own).append(binding)
        self._spans = []
        right, _ = self._row(rooms, max(0, width - sum(self._width(one) for one in rooms)), width)
        edge = self._spans[0][0] if self._spans else width
        left, at = self._row(own, 1, edge)
        self._made = self.strip((cell(" "), *left, cell(" " * (edge - at), limit=1000), *right), width)
        return self._made

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._made = None

    def _row(self, listed: list[Binding], at: int, end: int) -> tuple[list[Cell], int]:
        cells: list[Cell] = []
        for binding in listed:
            width = self._width(binding)
            if at + width > end:
                break
            cells += [cell(self.app.get_key_display(binding), "key"), cell(f" {binding.description}  ", "dim")]
            self._spans.append((at, at + width, binding.key))
            at += width
        return cells, at

    def _width(self, binding: Binding) -> int:
        return len(self.app.get_key_display(binding)) + len(binding.description) + 3

    def on_click(self, event: events.Click) -> None:
        """Press what was clicked."""
        for first, end, key in self._spans:
            if first <= event.x < end:
                self.app.simulate_key(key)

    def _again(self, _screen: Screen[object]) -> None:
        self._made = None
        self.refresh()

    def _shown(self) -> list[Binding]:
        seen: dict[str, Binding] = {}
        listed = self.screen._bindings.key_to_bindings
        for key, active in self.screen.active_bindings.items():
            # A table opens its rows itself; what that means is the screen's to say.
            opens = [one for one in listed.get(key, ()) if active.binding.action == "choose"]
            binding = opens[0] if opens else active.binding
            if opens and not self.screen.check_action(binding.action, ()):
                continue
            if binding.show and active.enabled:
                seen.setdefault(binding.action, binding)
        return list(seen.values())
