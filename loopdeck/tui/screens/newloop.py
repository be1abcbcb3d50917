"""A new loop in five steps: task, stop, check, schedule, budget.

The first step's sentence fills in the others, for confirmation. Nothing is written before the last step says so, and what was typed
stays, also when the form is left: it is there again when it is opened the next time.
"""

from typing import ClassVar
from weakref import WeakKeyDictionary

from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Select, Static

from loopdeck import unpriced
from loopdeck.agents import prices
from loopdeck.core.columns import Column, Rows
from loopdeck.core.intent import Facts, Wish, understand
from loopdeck.core.text import clean_line
from loopdeck.deck import newloop
from loopdeck.deck.decks import Deck
from loopdeck.deck.making import Made
from loopdeck.deck.newboard import check_rows, notes
from loopdeck.deck.newloop import AGENTS, STEPS, Draft, Ground, Judged
from loopdeck.deck.snapshot import Snapshot
from loopdeck.tui.beside import Beside
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.text import line
from loopdeck.tui.widgets.choices import Choices
from loopdeck.tui.widgets.facts import FactList
from loopdeck.tui.widgets.field import Field
from loopdeck.tui.widgets.lines import LineTable

_CHECKS = (Column("want", 4), Column("check", 20), Column("what grades the work", 0))
_FIELDS = ("goal", "name", "model", "iterations", "stuck", "wall", "calls", "protect", "schedule", "cost", "tokens")
_LAST = len(STEPS) - 1
_EXAMPLE = "all tests pass and lint is clean, stop after two passes"
_kept: "WeakKeyDictionary[App[None], tuple[Draft, int]]" = WeakKeyDictionary()
"""What was typed into a form that was left, and the deck it was for."""


class NewLoopScreen(RoomScreen):
    """The form."""

    SCOPE = "new"
    AUTO_FOCUS: ClassVar[str | None] = "#sentence"
    CSS = """
    NewLoopScreen .step { height: auto; display: none; padding: 1 0 0 0; }
    NewLoopScreen .step.now { display: block; }
    NewLoopScreen .ask { height: auto; margin: 0 1 1 1; }
    NewLoopScreen Select { width: 1fr; }
    NewLoopScreen .line { height: 1; margin: 0 1; }
    NewLoopScreen .line > Static { width: 22; color: $foreground 70%; }
    NewLoopScreen #checks { height: 6; margin: 0 1; }
    NewLoopScreen #notes { height: 1fr; border-top: solid $panel; }
    NewLoopScreen #buttons { height: 1; margin: 0 1; }
    NewLoopScreen #buttons Button { margin-right: 2; min-width: 10; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.step = 0
        self._deck = 0
        self.draft = Draft()
        self.looked = False
        self._on = Ground(Draft(), Facts(), ())
        self._wish: Wish = understand("", Facts())
        self._judged: Judged | None = None
        self._made: Made | None = None
        self._beside: Beside[Judged] | None = None

    def body(self) -> ComposeResult:
        """The steps' names, the step, what is to be said of it, the buttons."""
        yield Choices(tuple(f"{number} {step}" for number, step in enumerate(STEPS, 1)), id="steps")
        with Vertical(classes="step"):
            yield _ask("What will be true when it is done, and when shall it stop? In plain words:")
            yield Field("the sentence", "sentence", _EXAMPLE)
            yield Field("goal", "goal", "what will be true when it is done")
            yield Field("name of the loop", "name", "a-z, 0-9 and -")
            if len(self.room.decks) > 1:
                yield _choice("deck", "deck", [str(clean_line(deck.name)) for deck in self.room.decks])
            yield _choice("maker", "agent", list(AGENTS))
            yield Field("model", "model", "scripted needs none: it asks no model")
        with Vertical(classes="step"):
            yield _ask("It ends done when every wanted check passes, else at the first of these:")
            yield Field("iterations at most", "iterations", "4")
            yield Field("without progress", "stuck", "3 iterations in a row; 0 for no such end")
            yield Field("time at most", "wall", "30m, 2h; empty for no limit")
            yield Field("tool calls at most", "calls", "in each iteration; empty for no limit")
        with Vertical(classes="step"):
            yield _ask("What grades the work? Never the maker's own word. Space: wanted, or not.")
            yield LineTable(_CHECKS, empty="No check yet: nothing would grade the work.", id="checks")
            yield Field("another command", "command", "one that fails while the goal is not reached; enter adds it")
            yield Field("may not be changed", "protect", "globs with commas between: tests/**, .github/**")
        with Vertical(classes="step"):
            yield _ask("When shall it start by itself? Empty: only when you start it.")
            yield Field("schedule", "schedule", "every weekday at 7:30, every 2h, 0 7 * * 1-5")
        with Vertical(classes="step"):
            yield _ask("What may a run cost? One of the two is needed; a run can't go over it.")
            yield Field("dollars at most", "cost", "2.00")
            yield Field("tokens at most", "tokens", "500k; empty for no limit")
        yield FactList(id="notes")
        with Horizontal(id="buttons"):
            yield Button("back", id="back", compact=True)
            yield Button("next", id="next", compact=True, variant="primary")
            yield Button("write it", id="write", compact=True, variant="success")
            yield Button("start it", id="begin", compact=True, variant="success")

    def title_words(self) -> str:
        """Which step."""
        return f"new loop {self.draft.name}: {STEPS[self.step]}, step {self.step + 1} of {len(STEPS)}"

    def on_mount(self) -> None:
        """What was typed before is there again; the repository is looked at beside the room."""
        self.draft, self._deck = _kept.get(self.app, (self.draft, self._deck))
        self._beside = Beside(self.room, self._weighed)
        super().on_mount()
        self._fill()
        self._go(0)
        self._look()

    def shown(self, snapshot: Snapshot) -> None:
        """Nothing of the runs is shown here."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What can be done in this step."""
        match action:
            case "want":
                return self.step == 2 and bool(self.draft.offered)
            case "write":
                return self.step == _LAST and self._made is None
            case "begin":
                return self._made is not None
            case "next":
                return self.step < _LAST
            case _:
                return super().check_action(action, parameters)

    # The draft

    def _look(self) -> None:
        deck = self.room.decks[self._deck]

        def seen(on: Ground) -> None:
            if self.is_attached:
                fresh = self.draft == Draft()
                self._on, self.looked = on, True
                self._take(on.base if fresh else self.draft)
                self._hear(self.draft.sentence)

        self.room.do(lambda: newloop.ground(deck), seen)

    def _hear(self, sentence: str) -> None:
        draft, self._wish = newloop.heard(self.draft, sentence, self._on)
        self._take(draft)

    def _take(self, draft: Draft) -> None:
        """The draft is another now: the fields show it, and it is kept."""
        self.draft = draft
        self._made = None
        _kept[self.app] = (draft, self._deck)
        self._fill()
        self._weigh()
        self._paint()

    def _fill(self) -> None:
        """Put the draft into the fields; what a hand has just typed is in there already."""
        for name in ("sentence", *_FIELDS):
            field = self.query_one(f"#{name}", Input)
            value = getattr(self.draft, name)
            if field.value != value:
                with self.prevent(Input.Changed):
                    field.value = str(clean_line(value, 2000))
        agent: Select[str] = self.query_one("#agent", Select)
        if agent.value != self.draft.agent:
            with self.prevent(Select.Changed):
                agent.value = self.draft.agent
        self.query_one("#checks", LineTable).fill(Rows(check_rows(self.draft)))

    def _weigh(self) -> None:
        """In the last step: what a linter says, and what a run would take; beside the room, since files are read."""
        if self.step == _LAST and self._beside is not None:
            deck, draft = self.room.decks[self._deck], self.draft
            self._beside.want(lambda: newloop.judged(deck, draft, prices.ordinary, unpriced.problems))

    def _weighed(self, judged: Judged) -> None:
        if self.is_attached:
            self._judged = judged
            self._paint()

    # What is painted

    def _paint(self) -> None:
        sections = notes(self.step, self.draft, self._wish, self._on, self._judged, self._made)
        self.query_one("#notes", FactList).show(sections)
        self.query_one("#next", Button).display = self.step < _LAST
        self.query_one("#write", Button).display = self.step == _LAST and self._made is None
        self.query_one("#begin", Button).display = self._made is not None
        styles = tuple("bad" if at in newloop.wrong_steps(self.draft) else "plain" for at in range(len(STEPS)))
        self.query_one(Choices).choose(self.step, styles)
        self.take(self.room.snapshot)
        self.refresh_bindings()

    def _go(self, step: int) -> None:
        """To another step; its first field has the keys."""
        self.step = step
        for at, box in enumerate(self.query(".step")):
            box.set_class(at == step, "now")
        first = self.query(".step.now Input, .step.now LineTable").first()
        if step != 2 or self.draft.offered:
            first.focus()
        else:
            self.query_one("#command", Input).focus()
        self._weigh()
        self._paint()

    # What the hand does

    def on_input_changed(self, event: Input.Changed) -> None:
        """A letter more or less. What can't be shown is not taken in."""
        name, value = event.input.id or "", event.value
        shown = str(clean_line(value, 2000))
        if shown != value:
            with self.prevent(Input.Changed):
                event.input.value = shown
        if name == "sentence":
            self._hear(shown)
        elif name in _FIELDS:
            self._take(newloop.edited(self.draft, name, shown))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: a command is added; else on to the next field, and from a step's last one to the next step."""
        if event.input.id == "command" and event.value.strip():
            self._take(newloop.with_command(self.draft, event.value))
            event.input.value = ""
            return
        inputs = list(self.query(".step.now Input").results(Input))
        at = inputs.index(event.input)
        if at + 1 < len(inputs):
            inputs[at + 1].focus()
        else:
            self.action_next()

    def on_select_changed(self, event: Select.Changed) -> None:
        """Another maker, or another deck."""
        if event.select.id == "deck":
            self._deck = int(str(event.value))
            self._look()
        elif isinstance(event.value, str):
            self._take(newloop.edited(self.draft, "agent", event.value))

    def on_line_table_chosen(self, _: LineTable.Chosen) -> None:
        """Enter, or a second click, on a check."""
        self.action_want()

    def on_choices_picked(self, message: Choices.Picked) -> None:
        """A click on a step."""
        self._go(message.at)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button."""
        does = {"back": self.action_step_back, "next": self.action_next, "write": self.action_write, "begin": self.action_begin}
        does[event.button.id or "back"]()

    def action_step_back(self) -> None:
        """A step back; from the first one, or when all is written, out."""
        if self.step and self._made is None:
            self._go(self.step - 1)
        else:
            self.room.back()

    def action_next(self) -> None:
        """The next step; from the last field of the last one, to the button."""
        if self.step < _LAST:
            self._go(self.step + 1)
        else:
            self.query_one("#begin" if self._made else "#write", Button).focus()

    def action_want(self) -> None:
        """Want the check, or don't."""
        key = self.query_one("#checks", LineTable).cursor
        if key:
            self._take(newloop.toggled(self.draft, key))

    def action_write(self) -> None:
        """Write the loop, if nothing is wrong with it."""
        wrong = newloop.answers(self.draft)[1]
        if wrong:
            self._go(wrong[0].step)
            self.room.tell(wrong[0].what, "error")
            return
        deck, draft = self.room.decks[self._deck], self.draft
        self.room.do(lambda: newloop.write(deck, draft), self._written)

    def _written(self, made: Made) -> None:
        _kept.pop(self.app, None)
        self.room.reader.poke()
        if self.is_attached:
            self._made = made
            self._paint()
            self.query_one("#begin", Button).focus()

    def action_begin(self) -> None:
        """Start a run of what was written, and go back to see it."""
        if self._made is None:
            return
        room, deck, name = self.room, self.room.decks[self._deck], self.draft.name.strip()

        def started(run: str) -> None:
            room.tell(f"{name}: {run} started")
            room.reader.poke()

        room.do(lambda: begun(deck, name, room.by), started)
        room.back()

    def action_forget(self) -> None:
        """An empty form."""
        self.draft = Draft()
        self._judged = None
        self._take(self._on.base)
        self._hear("")
        self._go(0)


def begun(deck: Deck, loop: str, by: str) -> str:
    """Start a run of the loop; its id. Raises UsageError, see `launch.readied`."""
    from loopdeck.deck.launch import readied, start

    ready = readied(deck, [loop])
    unpriced.refuse(deck, ready)
    return start(deck, ready[0], by).run


def _ask(words: str) -> Static:
    return Static(words, markup=False, classes="ask")


def _choice(label: str, name: str, words: list[str]) -> Horizontal:
    values = [str(at) for at in range(len(words))] if name == "deck" else words
    options = [(line(word), value) for word, value in zip(words, values, strict=True)]
    chosen = Select(options, allow_blank=False, value=values[0], id=name, compact=True)
    return Horizontal(Static(label, markup=False), chosen, classes="line")
