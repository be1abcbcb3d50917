"""The approvals inbox: every call of all loops that waits for a person, answered without going to its loop.

Invariant: it never opens by itself, and a key answers only what could have been read (see `deck.approving.Guard`). Of two who answer
one call the first counts; the other is told who that was.
"""

from functools import partial
from typing import ClassVar

from loopdeck import deciding
from loopdeck.core import gate
from loopdeck.deck.approving import Waiting, outcome_of
from loopdeck.errors import LoopdeckError
from loopdeck.proposal import shown
from loopdeck.tui.dossier import edit_lines, equal_lines
from loopdeck.tui.hand import at
from loopdeck.tui.screens.answering import LONGEST, EditCall, RuleFor, Sure
from loopdeck.tui.screens.ask import Words
from loopdeck.tui.screens.calls import CallList
from loopdeck.tui.widgets.pages import Line

_ANSWERS = frozenset({"approve", "confirm", "deny", "edit", "rule", "batch"})
_READS = frozenset({"page", "read", "why", "open"})
_Told = tuple[Waiting, deciding.Given | str]


class ApprovalsScreen(CallList):
    """The inbox with its keys."""

    SCOPE = "approvals"
    CSS = """
    ApprovalsScreen #calls { height: auto; min-height: 3; max-height: 30%; }
    ApprovalsScreen Pages { border-top: solid $panel; }
    """
    AUTO_FOCUS: ClassVar[str | None] = "#calls"

    def __init__(self) -> None:
        super().__init__()
        self._sending: frozenset[str] = frozenset()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What an answered call can't take any more is not offered."""
        if action in _READS:
            return self.entry is not None
        if action not in _ANSWERS:
            return super().check_action(action, parameters)
        open_ = self.entry is not None and self.entry.open
        return open_ and (action != "batch" or len(self.inbox.equals(self.front)) > 1)

    # Reading

    def on_line_table_chosen(self) -> None:
        """Enter."""
        self.action_read()

    def action_read(self) -> None:
        """The keys go to the call."""
        self.pages.focus()

    def action_page(self) -> None:
        """What has not been on the screen yet."""
        self.pages.page_to(self.guard.read)

    def action_back(self) -> None:
        """Out of the call, then up."""
        if self.pages.has_focus:
            self.table.focus()
        else:
            self.room.back()

    def action_why(self) -> None:
        """The evidence."""
        if (row := self.subject()) is not None:
            self.room.down("why", row)

    def action_open(self) -> None:
        """The loop."""
        if (row := self.subject()) is not None:
            self.room.down("loop", row)

    # Answering

    def action_approve(self) -> None:
        """This call, once; of a dangerous one this is the first of two keys."""
        one = self._may(allows=True)
        if one is None:
            return
        if one.approval.tier == "dangerous":
            self.guard.arm(self.room.now())
            self.say()
        else:
            self._give((one,), deciding.Answer(approved=True))

    def action_confirm(self) -> None:
        """The second."""
        one = self._may(allows=True)
        if one is None:
            return
        if one.approval.tier == "dangerous" and self.guard.armed(self.room.now()):
            self._give((one,), deciding.Answer(approved=True))
        else:
            self.say("Y is the second key for what is dangerous: first y")

    def action_deny(self) -> None:
        """With a reason."""
        one = self._may(allows=False)
        if one is not None:
            self._deny((one,))

    def action_edit(self) -> None:
        """Other arguments; what was changed is shown before they run."""
        one = self._may(allows=False)
        if one is None:
            return
        if len(one.approval.arguments) > LONGEST:
            self.room.tell(f"too long to be edited here: `loopdeck approve {one.approval.id} --edit JSON` takes all of it", "warning")
        else:
            self._edit(one, one.approval.arguments)

    def action_rule(self) -> None:
        """This call, and what a rule says to the end of its run."""
        one = self._may(allows=True)
        if one is None:
            return
        call, row = one.approval, one.row
        question = (
            f"Approve this call, and to the end of {row.loop} {row.run} all that this rule covers"
            " (with ` for 2h` behind it, for so long at most):"
        )
        check = partial(deciding.timed_complaint, call)

        def said(rule: str | None) -> None:
            if rule is None:
                return
            text, lasting = deciding.timed(rule)
            answer = deciding.Answer(approved=True, always=text, lasting=lasting)
            if call.tier != "dangerous":
                self._give((one,), answer)
                return
            sure = Sure("A dangerous call, and all others that this rule covers, unasked:", shown(rule), self.room.now, danger=True)
            self.app.push_screen(sure, lambda word: self._give((one,), answer) if word == "yes" else None)

        self.app.push_screen(RuleFor(question, deciding.proposed_rule(call), check), said)

    def action_batch(self) -> None:
        """All that are equal to this one; each gets an answer of its own."""
        one = self._may(allows=True)
        if one is None:
            return
        equals = self.inbox.equals(one.key)
        danger = any(each.approval.tier == "dangerous" for each in equals)
        question = f"{len(equals)} calls are equal: {one.approval.tool}, with the arguments that you have read. For all of them:"
        sure = Sure(question, equal_lines(equals), self.room.now, other="denies all of them, with a reason", danger=danger)

        def said(word: str | None) -> None:
            if word == "yes":
                self._give(equals, deciding.Answer(approved=True))
            elif word == "no":
                self._deny(equals)

        self.app.push_screen(sure, said)

    def _may(self, *, allows: bool) -> Waiting | None:
        """The call in front, if a key may answer it now; else it is said why not."""
        entry = self.entry
        if entry is None or not entry.open or entry.waiting.key in self._sending:
            return None
        why = self.guard.refusal(self.room.now(), allows=allows)
        if not why and allows and entry.waiting.expired(self.room.now()):
            why = f"it expired at {entry.waiting.approval.expires}: it can only be denied"
        self.say(why)
        return None if why else entry.waiting

    def _deny(self, ones: tuple[Waiting, ...]) -> None:
        first = ones[0].approval
        many = f"{len(ones)} calls" if len(ones) > 1 else f"{first.tool} {first.summary[:120]}"

        def said(why: str | None) -> None:
            if why:
                self._give(ones, deciding.Answer(approved=False, why=why))

        self.app.push_screen(Words(f"Deny {many}. Why? Its maker is told:", needed="a reason, which its maker is told"), said)

    def _edit(self, one: Waiting, arguments: str) -> None:
        call = one.approval

        def check(text: str) -> str:
            try:
                deciding.edited(call.tool, text)
            except LoopdeckError as error:
                return str(error)
            return ""

        def said(text: str | None) -> None:
            if text is not None:
                self.room.do(lambda: edit_lines(call, text), lambda lines: self._confirm_edit(one, text, lines))

        self.app.push_screen(EditCall(call, arguments, check), said)

    def _confirm_edit(self, one: Waiting, arguments: str, lines: tuple[Line, ...]) -> None:
        if not self.is_current:
            return
        danger = "dangerous" in (one.approval.tier, gate.tier(one.approval.tool, arguments))

        def said(word: str | None) -> None:
            if word == "yes":
                self._give((one,), deciding.Answer(approved=True, arguments=arguments))
            else:
                self._edit(one, arguments)

        self.app.push_screen(Sure("Approve the call as you have edited it:", lines, self.room.now, danger=danger), said)

    def _give(self, ones: tuple[Waiting, ...], answer: deciding.Answer) -> None:
        """Carry the answer to each run, beside the room."""
        room, stamp = self.room, at()
        self._sending |= {one.key for one in ones}

        def given(one: Waiting) -> _Told:
            try:
                command = deciding.decided(one.approval, answer, by=room.by, at=stamp)
                return one, deciding.put(room.deck_of(one.row), room.paths_of(one.row), command)
            except LoopdeckError as error:
                return one, str(error)

        room.do(lambda: [given(one) for one in ones], self._given)

    def _given(self, told: list[_Told]) -> None:
        ours = 0
        for one, came in told:
            self._sending -= {one.key}
            if isinstance(came, str):
                self.room.tell(came, "error")
                continue
            ours += came.ours
            if came.counts is not None:
                self.inbox.tell(one.key, outcome_of(came.counts))
            if not came.ours:
                self.room.tell(f"{one.row.loop}: {deciding.said(came.counts)}", "warning")
        if len(told) > 1:
            self.room.tell(f"{ours} of {len(told)} answered")
        self.room.reader.poke()
        if self.is_mounted:
            if any(self.front == one.key for one, _ in told):
                self.table.move_to(self.inbox.after(self.front))
            self.shown(self.room.snapshot)
