"""The fields of the new-loop form, step by step. They hold what was typed and say what a hand did; what it means is the screen's.

Invariant: what can't be shown on a terminal is not taken in, filling a field from a draft is not taken for a hand's doing, and no field
is filled in which a hand has typed something that the screen has not heard yet: fast fingers are ahead of messages.
"""

from collections import Counter

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Select, Static

from loopdeck.core.columns import Column, Rows
from loopdeck.core.text import clean_line
from loopdeck.deck.newboard import check_rows
from loopdeck.deck.newloop import Draft
from loopdeck.shipped import AGENTS
from loopdeck.tui.text import line
from loopdeck.tui.widgets.field import Field
from loopdeck.tui.widgets.lines import LineTable

_CHECKS = (Column("want", 4), Column("check", 20), Column("what grades the work", 0))
FIELDS = ("goal", "name", "model", "iterations", "stuck", "wall", "calls", "protect", "schedule", "cost", "tokens")
"""Those that a draft holds under the same name, besides the sentence and the agent."""
_LONGEST = 2000
_EXAMPLE = "all tests pass and lint is clean, stop after two passes"


class NewForm(Vertical):
    """All steps' fields, of which one step's are shown."""

    DEFAULT_CSS = """
    NewForm { height: auto; }
    NewForm .step { height: auto; display: none; padding: 1 0 0 0; }
    NewForm .step.now { display: block; }
    NewForm .ask { height: auto; margin: 0 1 1 1; }
    NewForm Select { width: 1fr; }
    NewForm .line { height: 1; margin: 0 1; }
    NewForm .line > Static { width: 22; color: $foreground 70%; }
    NewForm #checks { height: 6; margin: 0 1; }
    """

    class Said(Message):
        """A hand did something: a field of that name was changed; or a `command` is to be added, a check `want`ed or not.

        `deck` says that another deck was taken, `done` that enter was pressed in a step's last field.
        """

        def __init__(self, what: str, value: str = "") -> None:
            self.what = what
            self.value = value
            super().__init__()

    def __init__(self, decks: tuple[str, ...], deck: int = 0) -> None:
        super().__init__()
        self._decks = decks
        self._deck = deck
        self._known: dict[str, str] = {}
        self._unheard: Counter[str] = Counter()

    def compose(self) -> ComposeResult:
        """The five steps."""
        with Vertical(classes="step"):
            yield _ask("What will be true when it is done, and when shall it stop? In plain words:")
            yield Field("", "sentence", _EXAMPLE)
            yield Field("goal", "goal", "what will be true when it is done")
            yield Field("name of the loop", "name", "a-z, 0-9 and -")
            if len(self._decks) > 1:
                yield _choice("deck", "deck", {str(at): name for at, name in enumerate(self._decks)}, str(self._deck))
            yield _choice("maker", "agent", {agent: agent for agent in AGENTS}, AGENTS[0])
            yield Field("model", "model", "claude and codex choose one themselves; scripted asks none")
        with Vertical(classes="step"):
            yield _ask("It ends done when every wanted check passes, else at the first of these:")
            yield Field("iterations at most", "iterations", "4")
            yield Field("without progress", "stuck", "3 iterations in a row; 0 for no such end")
            yield Field("time at most", "wall", "30m, 2h; empty for no limit")
            yield Field("tool calls at most", "calls", "in each iteration; empty for no limit")
        with Vertical(classes="step"):
            yield _ask("What grades the work? Never the maker's own word. Space: wanted, or not.")
            yield LineTable(_CHECKS, empty="No check yet: nothing would grade the work.", id="checks")
            yield Field("another command", "command", "one that fails until it is done; enter adds it")
            yield Field("may not be changed", "protect", "globs with commas between: tests/**, .github/**")
        with Vertical(classes="step"):
            yield _ask("When shall it start by itself? Empty: only when you start it.")
            yield Field("schedule", "schedule", "every weekday at 7:30, every 2h, 0 7 * * 1-5")
        with Vertical(classes="step"):
            yield _ask("What may a run cost? One of the two is needed; a run can't go over it.")
            yield Field("dollars at most", "cost", "2.00")
            yield Field("tokens at most", "tokens", "500k; empty for no limit")

    def show(self, step: int) -> None:
        """Show a step's fields; its first one has the keys, among checks only if there are any."""
        for at, box in enumerate(self.query(".step")):
            box.set_class(at == step, "now")
        nothing = not self.query_one("#checks", LineTable).source.count()
        first = "Input" if nothing else "Input, .step.now LineTable"
        self.query(f".step.now {first}").first().focus()

    def fill(self, draft: Draft) -> None:
        """Put the draft into the fields, but for those in which a hand is ahead of it."""
        for name in ("sentence", *FIELDS):
            field = self.query_one(f"#{name}", Input)
            value = str(clean_line(getattr(draft, name), _LONGEST))
            ahead = self._unheard[name] or field.value != self._known.get(name, "")
            if field.value != value and not ahead:
                self._known[name] = value
                with self.prevent(Input.Changed):
                    field.value = value
        agent: Select[str] = self.query_one("#agent", Select)
        if agent.value != draft.agent:
            with self.prevent(Select.Changed):
                agent.value = draft.agent
        self.query_one("#checks", LineTable).fill(Rows(check_rows(draft)))

    def heard(self, message: Said) -> None:
        """The screen has taken in what `message` says."""
        self._unheard[message.what] -= 1

    @property
    def check(self) -> str:
        """The name of the check under the cursor."""
        return self.query_one("#checks", LineTable).cursor

    def on_input_changed(self, event: Input.Changed) -> None:
        """A letter more or less."""
        event.stop()
        name, value = event.input.id or "", event.value
        shown = str(clean_line(value, _LONGEST))
        if shown != value and event.input.value == value:
            with self.prevent(Input.Changed):
                event.input.value = shown
        self._known[name] = shown if event.input.value == shown else value
        if name != "command":
            self._say(name, shown)

    def _say(self, what: str, value: str = "") -> None:
        self._unheard[what] += 1
        self.post_message(self.Said(what, value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: a command is added; else on to the next field, and from a step's last one to the next step."""
        event.stop()
        if event.input.id == "command" and event.value.strip():
            event.input.value = ""
            self._say("command", event.value)
            return
        inputs = list(self.query(".step.now Input").results(Input))
        at = inputs.index(event.input)
        if at + 1 < len(inputs):
            inputs[at + 1].focus()
        else:
            self._say("done")

    def on_select_changed(self, event: Select.Changed) -> None:
        """Another maker, or another deck."""
        event.stop()
        self._say(event.select.id or "", str(event.value))

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Enter, or a second click, on a check."""
        event.stop()
        self._say("want", event.key)


def _ask(words: str) -> Static:
    return Static(words, markup=False, classes="ask")


def _choice(label: str, name: str, words: dict[str, str], value: str) -> Horizontal:
    options = [(line(word), each) for each, word in words.items()]
    chosen = Select(options, allow_blank=False, value=value, id=name, compact=True)
    return Horizontal(Static(label, markup=False), chosen, classes="line")
