"""The line for words on a trace's screen: what to search, where to jump, which kinds or iteration to show."""

from typing import TYPE_CHECKING

from textual import events
from textual.widgets import Input

from loopdeck.deck import tracelinks
from loopdeck.deck.asides import ASIDES
from loopdeck.deck.traceboard import KINDS, word
from loopdeck.deck.tracepick import Choice

if TYPE_CHECKING:
    from loopdeck.tui.frame import RoomScreen
    from loopdeck.tui.tracekeys import TraceKeys

    class _Base(TraceKeys, RoomScreen):
        """What it is mixed into."""
else:
    _Base = object

_NAMES = " ".join(dict.fromkeys(word(kind) for kind in KINDS if kind not in ASIDES)) + " beside"
_ASKS = {
    "search": "search: lines that hold this text; capitals count only if there are any",
    "jump": "jump: a line's number, i3 for iteration 3, or a time such as 07:15:30",
    "kind": f"only these kinds: {_NAMES}",
    "iteration": "only this iteration: its number",
}


def kinds_of(words: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The kinds whose names begin with one of `words`, and those words that begin none."""
    found: set[str] = set()
    unknown: list[str] = []
    for one in words.replace(",", " ").split():
        fits = {kind for kind in KINDS if kind not in ASIDES and (word(kind).startswith(one) or kind.startswith(one))}
        fits = fits or set(ASIDES if "beside".startswith(one) else (kind for kind in ASIDES if kind.startswith(one)))
        found |= fits
        unknown += [] if fits else [one]
    return frozenset(found), tuple(unknown)


class TraceAsks(_Base):
    """Asks for words and does what they say."""

    asking = ""
    """What the words are for; empty if there is no line for them."""

    def action_search(self) -> None:
        """A text to look for."""
        self.ask("search", self.tracing.search.text if self.tracing.search is not None else "")

    def action_jump(self) -> None:
        """A place to go to."""
        self.ask("jump", "")

    def action_kind(self) -> None:
        """Only some kinds; all, if it is only some."""
        if self.tracing.choice.kinds:
            self.choose(Choice(iteration=self.tracing.choice.iteration, calls=self.tracing.choice.calls))
            return
        here = self.lines.line(self.lines.at)
        self.ask("kind", word(here.told.kind) if here is not None and here.told is not None else "")

    def action_iteration(self) -> None:
        """Only one iteration; all, if it is only one."""
        choice, here = self.tracing.choice, self.lines.line(self.lines.at)
        if choice.iteration:
            self.choose(Choice(choice.kinds, 0, choice.calls))
            return
        self.ask("iteration", str(here.told.iteration) if here is not None and here.told is not None else "")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: do what was asked for."""
        asked, words = self.asking, event.value.strip()
        self.close_words()
        match asked:
            case "search":
                self.search(event.value)
            case "jump" if words:
                window, near, count = self.tracing.window, self.at(), self.tracing.total()
                otherwise = f"There is no line {words!r}: give a line's number, i3 for an iteration, or a time."
                self.go_by(lambda: tracelinks.target(window, words, near, count), otherwise)
            case "kind":
                self._kinds(words)
            case "iteration" if words.isdecimal():
                self.choose(Choice(self.tracing.choice.kinds, int(words[:9]), self.tracing.choice.calls))
            case _:
                pass

    def on_key(self, event: events.Key) -> None:
        """Escape out of the words, whatever has the keys."""
        if event.key == "escape" and self.asking:
            event.stop()
            self.close_words()

    def ask(self, what: str, value: str) -> None:
        """Open the line for words."""
        self.asking = what
        words = self.query_one("#words", Input)
        words.placeholder = _ASKS[what]
        words.value = value
        # At once, not at the next idle moment: what is typed next belongs into it.
        words.display = True
        self.set_focus(words)
        words.action_select_all()

    def close_words(self) -> None:
        """Back to the lines."""
        self.asking = ""
        self.query_one("#words", Input).display = False
        self.set_focus(self.lines)

    def search(self, text: str) -> None:
        """Look for a text from the cursor on, and go to the first hit; no text ends the search."""
        number = self.at()
        self.tracing.look_for(text, number)
        self.lines.renew(afresh=True)
        if text:
            self.walk(1, number - 1)
        self.renewed()

    def _kinds(self, words: str) -> None:
        kinds, unknown = kinds_of(words)
        if unknown:
            self.room.tell(f"There is no kind {' or '.join(repr(one) for one in unknown)} in a trace. There are: {_NAMES}.", "warning")
        else:
            self.choose(Choice(kinds, self.tracing.choice.iteration, self.tracing.choice.calls))
