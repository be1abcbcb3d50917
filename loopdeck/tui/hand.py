"""The operator's hand on the run in front of him: the same keys, words and effects on every screen that has one.

Invariant: nothing here changes a run. A command is put into its inbox; what came of it is seen in the next snapshots.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from textual import events

from loopdeck.core import commands as cmd
from loopdeck.deck.decks import Deck
from loopdeck.deck.snapshot import LoopRow
from loopdeck.store.layout import RunPaths
from loopdeck.tui.actions.allowed import why_not
from loopdeck.tui.screens.ask import Confirm, Words

if TYPE_CHECKING:
    from loopdeck.tui.app import Room
    from loopdeck.tui.frame import RoomScreen

    _Base = RoomScreen
else:
    _Base = object


def at() -> str:
    """UTC now, RFC 3339."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def begun(deck: Deck, loop: str, by: str) -> str:
    """Start a run of the loop, beside the room; its id. Raises UsageError, see `launch.readied`."""
    from loopdeck import unpriced
    from loopdeck.deck.launch import readied, start
    from loopdeck.deck.serving import ensure

    specs = readied(deck, [loop])
    unpriced.refuse(deck, specs)
    run = start(deck, specs[0], by).run
    ensure(deck)
    return run


class Hand(_Base):
    """What can be done to `self.subject()`."""

    def on_key(self, event: events.Key) -> None:
        """A key of the hand that does nothing here says why."""
        listed = (one for _, its in self._modal_binding_chain for one in its.key_to_bindings.get(event.key, ()))
        for why in (why_not(one.action, self.subject()) for one in listed if one.action in self.hand_actions()):
            if why:
                event.stop()
                self.room.tell(why, "warning")
                return

    def action_start(self) -> None:
        """A new run of the loop."""
        row = self.subject()
        if row is None:
            return
        room = self.room
        deck = room.deck_of(row)

        def done(run: str) -> None:
            room.tell(f"{row.loop}: {run} started")
            room.reader.poke()

        room.do(lambda: begun(deck, row.loop, room.by), done)

    def action_pause(self) -> None:
        """At the next step."""
        self._carry(cmd.Pause(by=self.room.by, at=at()), "will pause at its next step")

    def action_pause_now(self) -> None:
        """At once, with what runs standing still."""
        self._carry(cmd.Pause(by=self.room.by, at=at(), now=True), "stands still, or will at its next step")

    def action_resume(self) -> None:
        """Go on."""
        self._carry(cmd.Resume(by=self.room.by, at=at()), "goes on")

    def action_hold(self) -> None:
        """Stop before the next iteration; once more: don't."""
        row = self.subject()
        if row is not None and row.held:
            self._carry(cmd.Resume(by=self.room.by, at=at()), "will not be held")
        else:
            self._carry(cmd.Hold(by=self.room.by, at=at()), "will hold before its next iteration")

    def action_nudge(self) -> None:
        """A word for the next iteration."""
        row = self.subject()
        if row is None:
            return

        def said(text: str | None) -> None:
            if text:
                self.carry_to(row, cmd.Nudge(by=self.room.by, at=at(), text=text), "told at its next iteration")

        self.app.push_screen(Words(f"A word to the maker of {row.loop}, for its next iteration:"), said)

    def action_kill(self) -> None:
        """End it, after a question."""
        row = self.subject()
        if row is None:
            return

        def said(why: str | None) -> None:
            if why is not None:
                self.carry_to(
                    row, cmd.Kill(by=self.room.by, at=at(), why=why), "is being stopped; it shows as ended once all of it is gone"
                )

        question = f"End {row.loop} {row.run}? Its work so far stays on its branch."
        self.app.push_screen(Confirm(question, "Kill", reason="why (optional)", danger=True), said)

    def action_set(self) -> None:
        """Change a limit, the model or the strictness."""
        row = self.subject()
        if row is None:
            return
        from loopdeck.core.hand import changed
        from loopdeck.tui.screens.setting import Setting

        screen = Setting(row.loop, row.settings)

        def said(chosen: tuple[str, str] | None) -> None:
            if chosen is not None:
                key, value = chosen
                old, new, _ = changed(row.settings, key, value)
                self.carry_to(row, cmd.Set(by=self.room.by, at=at(), key=key, value=value), f"{key}: {old} → {new}, from now on")

        def told(before: dict[str, str]) -> None:
            if screen.is_attached:
                screen.told(before)

        self.app.push_screen(screen, said)
        paths = self.room.paths_of(row)
        self.room.do(lambda: set_before(paths), told)

    def action_verdict(self) -> None:
        """The verdict a human check waits for."""
        row = self.subject()
        if row is None or row.asking != "verdict":
            return

        def judged(passed: bool, why: str | None) -> None:
            if why is not None:
                command = cmd.Judge(by=self.room.by, at=at(), check=row.asking_for, passed=passed, why=why)
                self.carry_to(row, command, "passed" if passed else "failed, with your reason as a finding")

        question = f"{row.loop}: does '{row.asking_for}' pass? Review it first with v."
        screen = Confirm(question, "Pass", other="Fail", reason="why (a fail takes a reason: its maker is told)")
        self.app.push_screen(screen, lambda why: judged(not screen.other_chosen, why))

    def action_retry(self) -> None:
        """Again from an earlier iteration, as a new run."""
        row = self.subject()
        if row is None:
            return
        room = self.room
        deck, paths = room.deck_of(row), room.paths_of(row)

        def said(text: str | None) -> None:
            from loopdeck.deck.retry import retry

            if text and text.isdecimal():
                room.do(
                    lambda: retry(deck, paths, int(text), room.by).run, lambda run: room.tell(f"{row.loop}: {run} goes on from {text}")
                )
            elif text:
                room.tell(f"{text} is no iteration", "error")

        question = f"Go on with {row.loop} from which iteration (1 to {row.iteration})? The state becomes what it was then."
        self.app.push_screen(Words(question, given=str(max(1, row.iteration - 1))), said)

    def action_edit(self) -> None:
        """The loop's state."""
        self._into("state")

    def action_board(self) -> None:
        """The items of its state."""
        self._into("project")

    def action_why(self) -> None:
        """The evidence."""
        self._into("why")

    def action_trace(self) -> None:
        """Everything it did."""
        self._into("trace")

    def action_review(self) -> None:
        """What it made."""
        self._into("review")

    def open_loop(self, row: LoopRow) -> None:
        """Down into the loop."""
        self.room.down("loop", row)

    def _into(self, place: str) -> None:
        row = self.subject()
        if row is not None:
            self.room.down(place, row)

    def _carry(self, command: cmd.Command, said: str) -> None:
        row = self.subject()
        if row is not None and row.run:
            self.carry_to(row, command, said)

    def carry_to(self, row: LoopRow, command: cmd.Command, said: str) -> None:
        """Bring `command` to the run of `row`, waking its runner if that is gone and the word needs one; then say so."""
        room: Room = self.room
        deck, paths = room.deck_of(row), room.paths_of(row)

        def done(_: str) -> None:
            room.tell(f"{row.loop} {said}")
            room.reader.poke()

        from loopdeck.deck.waking import carry

        room.do(lambda: carry(deck, paths, command), done)


def set_before(paths: RunPaths) -> dict[str, str]:
    """Of each setting that was changed while the run lived, the newest change: old → new, by whom and when. Raises StoreError."""
    from loopdeck.deck.history import HistoryReader

    found = (one for one in HistoryReader(paths).look().touches if one.deed == "set")
    return {one.text.partition(":")[0]: f"{one.text.partition(': ')[2]} by {one.by} at {one.at[11:19]}" for one in found}
