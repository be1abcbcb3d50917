"""A new loop in five steps: task, stop, check, schedule, budget.

The first step's sentence fills in the others, for confirmation. Nothing is written before the last step says so, and what was typed
stays, also when the form is left: it is there again when it is opened the next time.
"""

from typing import ClassVar
from weakref import WeakKeyDictionary

from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button

from loopdeck import unpriced
from loopdeck.agents import prices
from loopdeck.core.intent import Facts, Wish, understand
from loopdeck.deck import newloop
from loopdeck.deck.making import Made
from loopdeck.deck.newboard import notes
from loopdeck.deck.newloop import STEPS, Draft, Ground, Judged
from loopdeck.tui.beside import Beside
from loopdeck.tui.frame import RoomScreen
from loopdeck.tui.hand import begun
from loopdeck.tui.widgets.choices import Choices
from loopdeck.tui.widgets.facts import FactList
from loopdeck.tui.widgets.newform import NewForm

_LAST = len(STEPS) - 1
_CHECK = STEPS.index("check")
_kept: "WeakKeyDictionary[App[None], tuple[Draft, int]]" = WeakKeyDictionary()
"""What was typed into a form that was left, and the deck it was for."""


class NewLoopScreen(RoomScreen):
    """The form. `step` and `deck` count from 0, `looked` says that the repository has been looked at."""

    SCOPE = "new"
    AUTO_FOCUS: ClassVar[str | None] = "#sentence"
    CSS = """
    NewLoopScreen #notes { height: 1fr; border-top: solid $panel; }
    NewLoopScreen #buttons { height: 1; margin: 0 1; }
    NewLoopScreen #buttons Button { margin-right: 2; min-width: 10; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.step = 0
        self.draft = Draft()
        self.looked = False
        self.deck = 0
        self._on = Ground(Draft(), Facts(), ())
        self._wish: Wish = understand("", Facts())
        self._judged: Judged | None = None
        self._made: Made | None = None
        self._beside: Beside[Judged] | None = None

    def body(self) -> ComposeResult:
        """The steps' names, the step, what is to be said of it, the buttons."""
        self.draft, self.deck = _kept.get(self.app, (self.draft, self.deck))
        yield Choices(tuple(f"{number} {step}" for number, step in enumerate(STEPS, 1)), id="steps")
        yield NewForm(tuple(deck.name for deck in self.room.decks), self.deck)
        yield FactList(id="notes")
        with Horizontal(id="buttons"):
            yield Button("back", id="back", compact=True, action="screen.step_back")
            yield Button("next", id="next", compact=True, action="screen.next", variant="primary")
            yield Button("write it", id="write", compact=True, action="screen.write", variant="success")
            yield Button("start it", id="begin", compact=True, action="screen.begin", variant="success")

    def title_words(self) -> str:
        """Which step."""
        return f"{' '.join(('new loop', *self.draft.name.split()))}: {STEPS[self.step]}, step {self.step + 1} of {len(STEPS)}"

    def on_mount(self) -> None:
        """What was typed before is there again; the repository is looked at beside the room."""
        self._beside = Beside(self.room, self._weighed)
        super().on_mount()
        self._take(self.draft)
        self._go(0)
        self._look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What can be done in this step."""
        match action:
            case "want":
                return self.step == _CHECK and bool(self.draft.offered)
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
        deck = self.room.decks[self.deck]

        def seen(on: Ground) -> None:
            if self.is_attached:
                self._on, self.looked = on, True
                base = on.base if self.draft == Draft() else self.draft
                self._hear(base, base.sentence)

        self.room.do(lambda: newloop.ground(deck), seen)

    def _hear(self, draft: Draft, sentence: str) -> None:
        heard, self._wish = newloop.heard(draft, sentence, self._on)
        self._take(heard)

    def _take(self, draft: Draft) -> None:
        """The draft is another now: the fields show it, and it is kept."""
        self.draft = draft
        self._made = None
        _kept[self.app] = (draft, self.deck)
        self.query_one(NewForm).fill(draft)
        self._weigh()
        self._paint()

    def _weigh(self) -> None:
        """In the last step: what a linter says, and what a run would take; beside the room, since files are read."""
        if self.step == _LAST and self._beside is not None:
            deck, draft = self.room.decks[self.deck], self.draft
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
        wrong = newloop.wrong_steps(self.draft)
        self.query_one(Choices).choose(self.step, tuple("bad" if at in wrong else "plain" for at in range(len(STEPS))))
        self.take(self.room.snapshot)
        self.refresh_bindings()

    def _go(self, step: int) -> None:
        """To another step."""
        self.step = step
        self.query_one(NewForm).show(step)
        self._weigh()
        self._paint()

    # What the hand does

    def on_new_form_said(self, message: NewForm.Said) -> None:
        """Something was typed, chosen or done in the form."""
        self.query_one(NewForm).heard(message)
        match message.what:
            case "done":
                self.action_next()
            case "sentence":
                self._hear(self.draft, message.value)
            case "command":
                self._take(newloop.with_command(self.draft, message.value))
            case "want":
                self.action_want()
            case "deck":
                if int(message.value) != self.deck:
                    self.deck = int(message.value)
                    self._look()
            case field if getattr(self.draft, field) != message.value:
                self._take(newloop.edited(self.draft, field, message.value))

    def on_choices_picked(self, message: Choices.Picked) -> None:
        """A click on a step."""
        self._go(message.at)

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
        """Want the check under the cursor, or don't."""
        if check := self.query_one(NewForm).check:
            self._take(newloop.toggled(self.draft, check))

    def action_write(self) -> None:
        """Write the loop, if nothing is wrong with it."""
        wrong = newloop.answers(self.draft)[1]
        if wrong:
            self._go(wrong[0].step)
            self.room.tell(wrong[0].what, "error")
            return
        room, deck, draft = self.room, self.room.decks[self.deck], self.draft

        def written(made: Made) -> None:
            _kept.pop(self.app, None)
            room.reader.poke()
            if self.is_attached:
                self._made = made
                self._paint()
                self.query_one("#begin", Button).focus()

        room.do(lambda: newloop.write(deck, draft), written)

    def action_begin(self) -> None:
        """Start a run of what was written, and go back to see it."""
        if self._made is None:
            return
        number = self.deck
        room, deck, name = self.room, self.room.decks[number], self.draft.name.strip()

        def started(run: str) -> None:
            room.sought = (number, name)
            room.tell(f"{name}: {run} started")
            room.reader.poke()

        room.do(lambda: begun(deck, name, room.by), started)
        room.back()

    def action_forget(self) -> None:
        """An empty form."""
        self._judged = None
        self._hear(self._on.base, "")
        self._go(0)
