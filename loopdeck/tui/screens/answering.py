"""Questions on the way to an answer: the last look before several or edited calls run, the editor of a call, the rule from now on.

Opened only by a key; each gives back what was said, or None if it was left. None of them answers by itself.
"""

import json
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from loopdeck.core import asking
from loopdeck.core.columns import cell
from loopdeck.core.plural import some
from loopdeck.core.run import Approval
from loopdeck.core.text import clean_line
from loopdeck.deck.approving import Guard
from loopdeck.tui.text import content
from loopdeck.tui.widgets.area import Area
from loopdeck.tui.widgets.block import Block
from loopdeck.tui.widgets.entry import Entry
from loopdeck.tui.widgets.pages import Line, Pages, wrapped

LONGEST = 100_000
"""Characters of a call that can be edited in here."""
_PLAIN = {"bash": ("command", "the command line"), asking.TOOL: ("answer", "your answer to its question")}
"""Tools of which one argument is edited as it is: its name, and what it is to a person."""

_CSS = """
{0} {{ align: center middle; background: $background 60%; }}
{0} > Vertical {{ width: 96%; max-width: 130; height: 90%; background: $panel; padding: 0 1; border: round $primary; }}
{0} Static {{ margin: 0 0 1 0; }}
{0} Pages, {0} TextArea {{ height: 1fr; }}
{0} Input {{ margin: 0 0 1 0; }}
{0} #said {{ height: auto; max-height: 6; color: $warning; margin: 0; }}
"""


class Sure(ModalScreen[str | None]):
    """A last look: `y` gives "yes", and where there is danger `y` and then `Y`; `d` gives "no" where `other` names that.

    Nothing is given before all lines have been on the screen, and for half a second after they came.
    """

    DEFAULT_CSS = _CSS.format("Sure")
    AUTO_FOCUS: ClassVar[str | None] = "Pages"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes"), Binding("Y", "confirm", "confirm"), Binding("d", "other", "other"),
        Binding("space", "page", "page"), Binding("escape", "leave", "back"),
    ]  # fmt: skip

    def __init__(
        self, question: str, lines: tuple[Line, ...], now: Callable[[], float], *, other: str = "", danger: bool = False
    ) -> None:
        super().__init__()
        self._question, self._given, self._now, self._other, self._danger = question, lines, now, other, danger
        self._guard = Guard()

    def compose(self) -> ComposeResult:
        """The question, the lines, the keys."""
        with Vertical():
            yield Static(content(self._question), markup=False)
            yield Pages()
            yield Block()

    def on_pages_rewrap(self, message: Pages.Rewrap) -> None:
        """At first, and at another width."""
        self._guard.hide()
        message.pages.show(wrapped(self._given, message.pages.columns))

    def on_pages_read(self, message: Pages.Read) -> None:
        """They are on the screen."""
        if self._guard.hidden:
            self._guard.face(self._now())
        self._guard.on_screen(message.first, message.end, message.total)
        self._say("")

    def action_page(self) -> None:
        """The next lines."""
        self.query_one(Pages).page_to(self._guard.read)

    def action_yes(self) -> None:
        """The answer, or, where there is danger, its first half."""
        if self._refused(allows=True):
            return
        if self._danger:
            self._guard.arm(self._now())
            self._say("")
        else:
            self.dismiss("yes")

    def action_confirm(self) -> None:
        """Its second half."""
        if self._danger and not self._refused(allows=True) and self._guard.armed(self._now()):
            self.dismiss("yes")

    def action_other(self) -> None:
        """The other answer."""
        if self._other and not self._refused(allows=False):
            self.dismiss("no")

    def action_leave(self) -> None:
        """Neither."""
        self.dismiss(None)

    def _refused(self, *, allows: bool) -> bool:
        why = self._guard.refusal(self._now(), allows=allows)
        self._say(why)
        return bool(why)

    def _say(self, why: str) -> None:
        keys = "dangerous: y, and then Y, approves" if self._danger else "y approves"
        if self._danger and self._guard.armed(self._now()):
            keys = "now Y approves it"
        other = f"   d: {self._other}" if self._other else ""
        more = f"   {some(self._guard.unread, 'more line')}: space" if self._guard.unread else ""
        line = cell(f"not yet: {why}", "warn") if why else cell(f"{keys}{other}   escape: back{more}", "ask")
        self.query_one(Block).say(((line,),))


class EditCall(ModalScreen[str | None]):
    """The arguments of a call, to be changed: of a command line its text, of a question its answer, of all else JSON.

    Gives back all arguments as JSON text.
    """

    DEFAULT_CSS = _CSS.format("EditCall")
    AUTO_FOCUS: ClassVar[str | None] = "Area"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "done", "done", priority=True), Binding("escape", "leave", "back")]

    def __init__(self, call: Approval, arguments: str, check: Callable[[str], str]) -> None:
        super().__init__()
        self._call = call
        self._arguments = arguments
        self._check = check
        self._plain = plain_of(call.tool, arguments)

    def compose(self) -> ComposeResult:
        """What it is, the text, what is wrong with it."""
        what = "all arguments, as JSON" if self._plain is None else _PLAIN[self._call.tool][1]
        with Vertical():
            yield Static(content(f"{self._call.tool}: {what}. ctrl+s shows what you changed; nothing runs before that."), markup=False)
            yield Area(
                self._plain if self._plain is not None else pretty(self._arguments), soft_wrap=True, show_line_numbers=True,
            )  # fmt: skip
            yield Static("", markup=False, id="said")

    def action_done(self) -> None:
        """Give it back, if the tool can make sense of it."""
        text = self.query_one(Area).text
        arguments = text if self._plain is None else _with(self._call.tool, self._arguments, text)
        wrong = self._check(arguments)
        if wrong:
            self.query_one("#said", Static).update(content(wrong))
        else:
            self.dismiss(arguments)

    def action_leave(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)


class RuleFor(ModalScreen[str | None]):
    """The rule to allow from now on, shown and editable; given back only if it covers the call."""

    DEFAULT_CSS = _CSS.format("RuleFor") + "\nRuleFor > Vertical { height: auto; }\n"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back")]

    def __init__(self, question: str, proposed: str, check: Callable[[str], str]) -> None:
        super().__init__()
        self._question, self._proposed, self._check = question, proposed, check

    def on_mount(self) -> None:
        """What the proposed rule is worth."""
        self._judge(self._proposed)

    def compose(self) -> ComposeResult:
        """The question, the rule, what is wrong with it."""
        with Vertical():
            yield Static(content(self._question), markup=False)
            yield Entry(value=self._proposed, placeholder="tool(pattern)", select_on_focus=False)
            yield Static("", markup=False, id="said")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say at once what the rule is worth."""
        self._judge(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take it, if it covers the call."""
        text = event.value.strip()
        if text and not self._check(text):
            self.dismiss(text)

    def action_leave(self) -> None:
        """No rule, and no answer."""
        self.dismiss(None)

    def _judge(self, text: str) -> None:
        wrong = self._check(text.strip()) if text.strip() else "A rule is a tool's name, or tool(pattern): bash(git push)."
        self.query_one("#said", Static).update(content(wrong or "It covers this call. enter approves it, and all that it covers."))


def plain_of(tool: str, arguments: str) -> str | None:
    """The one argument of a call that a person edits as it is, if all of it can be shown in an editor; else None."""
    if tool not in _PLAIN:
        return None
    try:
        command = json.loads(arguments)[_PLAIN[tool][0]]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    if not isinstance(command, str):
        return None
    bare = command.replace("\n", "").replace("\t", "")
    return command if clean_line(bare, len(bare) + 40) == bare else None


def pretty(arguments: str) -> str:
    """Arguments as JSON that is plain ASCII, so that nothing in it can hide; as they are if they are no JSON."""
    try:
        return json.dumps(json.loads(arguments), indent=2)
    except (ValueError, RecursionError):
        return json.dumps(arguments)


def _with(tool: str, arguments: str, text: str) -> str:
    return json.dumps({**json.loads(arguments), _PLAIN[tool][0]: text})
