"""The approvals inbox under Pilot: what each key sends, and that none sends anything too early, too easily, or for another call."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from msgspec import structs
from textual.widgets import Input, TextArea

from loopdeck.core import asking as asking_of
from loopdeck.core.commands import Decide
from loopdeck.deck.approving import FADE_S
from loopdeck.store import inbox
from loopdeck.tui.screens.answering import EditCall, RuleFor, Sure
from loopdeck.tui.screens.approvals import ApprovalsScreen
from loopdeck.tui.screens.ask import Words
from loopdeck.tui.screens.deck import DeckScreen
from tests.kit.hostile import ALL, FAMILIES, harm_in
from tests.kit.room import a_deck, approval, in_room, loop_row, made_run, screen_text, sent, until


def asking(loop, command="touch asked", n=1, **facts):
    """A row whose run asks one thing."""
    status = facts.pop("status", "asking")
    facts = {"since": f"2026-11-21T07:{10 + n}:00Z", "tier": "medium", **facts}
    one = approval(command, id=f"20261121-0715-a3f9-{n}", **facts)
    reason = "lost" if status == "ended" else None
    return loop_row(loop, status, reason=reason, approvals=(one,), asking="approval", asking_for=one.id)


class Desk:
    """The inbox as a test sees it; its clock stands still unless it is stepped."""

    def __init__(self, deck, app, pilot, still):
        self.deck, self.app, self.pilot, self.still = deck, app, pilot, still
        self.clock = datetime(2026, 11, 21, 7, 40, tzinfo=UTC).timestamp()

    @property
    def screen(self) -> ApprovalsScreen:
        return next(one for one in self.app.screen_stack if isinstance(one, ApprovalsScreen))

    @property
    def text(self):
        return screen_text(self.app)

    async def read(self):
        """Wait until the call in front is on the screen, and half a second more has gone by."""
        await until(self.pilot, lambda: not self.screen.guard.hidden)
        await self.pilot.pause()
        self.clock += 1.0

    async def until(self, holds):
        await until(self.pilot, holds)

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def modal(self, kind):
        await self.until(lambda: isinstance(self.app.screen, kind))
        return self.app.screen

    async def sure(self, *keys):
        """Read what is asked for the last time, and press these."""
        asked = await self.modal(Sure)
        await self.until(lambda: not asked._guard.hidden)
        await self.pilot.pause()
        self.clock += 1.0
        await self.press(*keys)

    def sent(self, row):
        return sent(self.deck, row)

    async def answered(self, row):
        await self.until(lambda: self.sent(row))
        (one,) = self.sent(row)
        assert isinstance(one, Decide)
        return one


@asynccontextmanager
async def desk(tmp_path, *rows, size=(120, 32)):
    deck = a_deck(tmp_path)
    leases = [made_run(deck, row) for row in {row.key: row for row in rows}.values()]
    try:
        async with in_room(deck, *rows, size=size) as (app, pilot, still):
            one = Desk(deck, app, pilot, still)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(app, "now", lambda: one.clock)
                await pilot.press("a")
                await until(pilot, lambda: isinstance(app.screen, ApprovalsScreen))
                yield one
    finally:
        for lease in leases:
            lease.release()


def go(coroutine):
    asyncio.run(coroutine)


@pytest.mark.req("S2-050")
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_it_shows_what_an_answer_binds_to(tmp_path, size):
    async def run():
        row = asking("fixer", "git push origin main", rule="bash(git push)", reason="the rule asks", cwd="/work/tree", tier="high")
        async with desk(tmp_path, row, asking("other", n=2), size=size) as one:
            await one.read()
            for words in ("fixer", "git push origin main", "bash(git push): the rule asks", "/work/tree", "! high", "unsandboxed",
                          "expires never", "approvals: 2 wait for you", "2 for you", "y approve"):  # fmt: skip
                assert words in one.text, words

    go(run())


def test_y_approves_and_the_next_one_comes_to_the_front(tmp_path):
    async def run():
        first, second = asking("one", "touch first"), asking("two", "touch second", n=2)
        async with desk(tmp_path, first, second) as one:
            await one.read()
            await one.press("y")
            command = await one.answered(first)
            assert (command.approved, command.by, command.arguments, command.always) == (True, "tester@here", "", "")
            assert inbox.look(one.deck.home.run_dir("one", first.run).inbox, f"decision-{first.approvals[0].id}")
            await one.until(lambda: "touch second" in one.text.split("── ")[-1])
            assert "✓ approved by tester@here" in one.text
            await one.press("y")
            await one.pilot.pause(0.05)
            assert one.sent(second) == []
            await one.read()
            await one.press("y")
            assert (await one.answered(second)).approved

    go(run())


def test_keys_that_come_in_the_first_half_second_do_nothing(tmp_path):
    async def run():
        row = asking("one")
        async with desk(tmp_path, row) as one:
            await one.until(lambda: not one.screen.guard.hidden)
            for clock in (0.0, 0.2, 0.29):
                one.clock += clock
                await one.press("y", "d", "E", "A", "b")
                assert isinstance(one.app.screen, ApprovalsScreen)
            assert "not yet" in one.text
            assert one.sent(row) == []
            one.clock += 0.02
            await one.press("y")
            assert (await one.answered(row)).approved

    go(run())


def test_a_key_pressed_with_the_one_that_opens_it_does_nothing(tmp_path):
    async def run():
        row = asking("one")
        async with desk(tmp_path, row) as one:
            await one.read()
            await one.press("escape")
            await one.until(lambda: isinstance(one.app.screen, DeckScreen))
            await one.press("a", "y", "y")
            await one.pilot.pause(0.05)
            assert one.sent(row) == []

    go(run())


def test_one_that_comes_under_the_cursor_by_anothers_answer_takes_no_key_at_once(tmp_path):
    async def run():
        first, second = asking("one", "touch first"), asking("two", "touch second", n=2)
        async with desk(tmp_path, first, second) as one:
            await one.read()
            one.still.show(loop_row("one"), second)
            await one.until(lambda: "answered" in one.text or "no longer" in one.text)
            await one.press("y")
            one.clock += FADE_S
            one.still.show(loop_row("one"), second)
            await one.until(lambda: one.screen.table.source.count() == 1)
            await one.press("y")
            await one.pilot.pause(0.05)
            assert one.sent(second) == []
            assert one.sent(first) == []
            await one.read()
            await one.press("y")
            await one.answered(second)

    go(run())


def test_it_never_opens_by_itself_and_takes_no_key_from_elsewhere(tmp_path):
    async def run():
        deck = a_deck(tmp_path)
        row = asking("one")
        lease = made_run(deck, row)
        async with in_room(deck, loop_row("one")) as (app, pilot, still):
            await pilot.press("slash", "t", "r")
            still.show(row)
            await until(pilot, lambda: app.snapshot.number == still.number)
            await pilot.press("y", "y")
            await pilot.pause(0.05)
            assert isinstance(app.screen, DeckScreen)
            assert app.screen.query_one(Input).value == "tryy"
            assert sent(deck, row) == []
        lease.release()

    go(run())


def test_all_of_it_has_to_be_on_the_screen_before_y(tmp_path):
    async def run():
        row = asking("one", "\n".join(f"echo line {n}" for n in range(60)))
        async with desk(tmp_path, row, size=(80, 24)) as one:
            await one.read()
            assert "more lines" in one.text
            await one.press("y")
            assert "have not been on the screen" in one.text
            await one.press("enter", "end")
            one.clock += 1.0
            await one.press("y")
            await one.pilot.pause(0.05)
            assert one.sent(row) == []
            await one.press("home", "escape")
            while one.screen.guard.unread:
                await one.press("space")
            assert "echo line 59" in one.text
            await one.press("y")
            assert (await one.answered(row)).approved

    go(run())


def test_another_width_has_to_be_read_anew(tmp_path):
    async def run():
        row = asking("one", "echo " + "x" * 3000)
        async with desk(tmp_path, row, size=(200, 60)) as one:
            await one.read()
            assert one.screen.guard.unread == 0
            await one.pilot.resize_terminal(80, 24)
            await one.until(lambda: one.screen.guard.unread > 0)
            one.clock += 1.0
            await one.press("y")
            await one.pilot.pause(0.05)
            assert one.sent(row) == []

    go(run())


def test_a_megabyte_can_be_read_and_answered(tmp_path):
    async def run():
        row = asking("one", "echo " + "x" * 1_000_000)
        async with desk(tmp_path, row) as one:
            await one.read()
            assert one.screen.guard.unread > 8_000
            await one.press("y")
            await one.press("E")
            assert isinstance(one.app.screen, ApprovalsScreen)
            await one.press("d")
            (await one.modal(Words)).query_one(Input).value = "far too long"
            await one.press("enter")
            assert (await one.answered(row)).why == "far too long"

    go(run())


def test_what_is_dangerous_takes_two_keys(tmp_path):
    async def run():
        row = asking("one", "git push --force", tier="dangerous")
        async with desk(tmp_path, row) as one:
            await one.read()
            await one.press("Y")
            await one.press("y", "y")
            await one.pilot.pause(0.05)
            assert one.sent(row) == []
            one.clock += 6.0
            await one.press("Y")
            await one.pilot.pause(0.05)
            assert one.sent(row) == []
            await one.press("y")
            assert "Y now approves it" in one.text
            await one.press("Y")
            assert (await one.answered(row)).approved

    go(run())


def test_deny_takes_a_reason(tmp_path):
    async def run():
        row = asking("one")
        async with desk(tmp_path, row) as one:
            await one.read()
            await one.press("d")
            await one.modal(Words)
            await one.press("enter", "space", "enter")
            assert isinstance(one.app.screen, Words)
            await one.press("escape")
            assert one.sent(row) == []
            await one.read()
            await one.press("d", *"no", "enter")
            command = await one.answered(row)
            assert (command.approved, command.why) == (False, "no")
            await one.until(lambda: "✗ denied by tester@here" in one.text)

    go(run())


def test_edit_shows_what_was_changed_before_it_runs(tmp_path):
    async def run():
        row = asking("one", "touch asked")
        async with desk(tmp_path, row) as one:
            await one.read()
            await one.press("E")
            editor = await one.modal(EditCall)
            assert editor.query_one(TextArea).text == "touch asked"
            editor.query_one(TextArea).load_text("touch other")
            await one.press("ctrl+s")
            await one.modal(Sure)
            await one.until(lambda: "-touch asked" in one.text and "+touch other" in one.text)
            await one.press("y")
            assert one.sent(row) == []
            await one.press("escape")
            await one.modal(EditCall)
            assert one.app.screen.query_one(TextArea).text == "touch other"
            await one.press("ctrl+s")
            await one.sure("y")
            command = await one.answered(row)
            assert (command.approved, json.loads(command.arguments)) == (True, {"command": "touch other"})

    go(run())


def test_a_question_of_an_agent_is_answered_in_its_own_words(tmp_path):
    async def run():
        row = asking("one", "Which port?", tool=asking_of.TOOL, arguments=asking_of.arguments_of("Which port?"), tier="low")
        async with desk(tmp_path, row) as one:
            assert "Which port?" in one.text
            await one.read()
            await one.press("E")
            editor = await one.modal(EditCall)
            assert "your answer to its question" in one.text
            assert editor.query_one(TextArea).text == ""
            editor.query_one(TextArea).load_text('Port "8080".')
            await one.press("ctrl+s")
            await one.sure("y")
            command = await one.answered(row)
            assert (command.approved, asking_of.answer_in(command.arguments)) == (True, 'Port "8080".')

    go(run())


def test_an_edit_that_the_tool_cant_take_stays_in_the_editor(tmp_path):
    async def run():
        row = asking("one", tool="write_file", arguments='{"path": "a", "content": "b"}')
        async with desk(tmp_path, row) as one:
            await one.read()
            await one.press("E")
            editor = await one.modal(EditCall)
            for bad in ("{", '{"path": 1}', "[]"):
                editor.query_one(TextArea).load_text(bad)
                await one.press("ctrl+s")
                assert one.app.screen is editor
                assert "JSON" in one.text or "make no sense" in one.text
            await one.press("escape")
            await one.until(lambda: isinstance(one.app.screen, ApprovalsScreen))
            assert one.sent(row) == []

    go(run())


def test_a_call_edited_into_a_dangerous_one_takes_two_keys(tmp_path):
    async def run():
        row = asking("one", "touch asked")
        async with desk(tmp_path, row) as one:
            await one.read()
            await one.press("E")
            (await one.modal(EditCall)).query_one(TextArea).load_text("sudo rm -rf /")
            await one.press("ctrl+s")
            await one.sure("y")
            assert isinstance(one.app.screen, Sure)
            assert one.sent(row) == []
            await one.press("Y")
            assert json.loads((await one.answered(row)).arguments) == {"command": "sudo rm -rf /"}

    go(run())


def test_a_rule_is_shown_first_and_has_to_cover_the_call(tmp_path):
    async def run():
        row = asking("one", "touch asked")
        async with desk(tmp_path, row) as one:
            await one.read()
            await one.press("A")
            asked = await one.modal(RuleFor)
            assert asked.query_one(Input).value == "bash(touch asked)"
            asked.query_one(Input).value = "bash(git push)"
            await one.press("enter")
            assert one.app.screen is asked
            await one.until(lambda: "does not cover" in one.text)
            asked.query_one(Input).value = "bash(touch *)"
            await one.press("enter")
            command = await one.answered(row)
            assert (command.approved, command.always) == (True, "bash(touch *)")

    go(run())


def test_a_rule_may_be_given_for_a_time(tmp_path):
    async def run():
        row = asking("one", "touch asked")
        async with desk(tmp_path, row) as one:
            await one.read()
            await one.press("A")
            asked = await one.modal(RuleFor)
            asked.query_one(Input).value = "bash(touch *) for 0s"
            await one.press("enter")
            assert one.app.screen is asked
            await one.until(lambda: "no time for a rule" in one.text)
            asked.query_one(Input).value = "bash(touch *) for 1h30m"
            await one.press("enter")
            command = await one.answered(row)
            assert (command.approved, command.always, command.for_s) == (True, "bash(touch *)", 5400.0)
            assert command.digest == row.approvals[0].digest
            assert "process " in command.where

    go(run())


def test_a_rule_for_what_is_dangerous_takes_two_keys_more(tmp_path):
    async def run():
        row = asking("one", "git push", tier="dangerous")
        async with desk(tmp_path, row) as one:
            await one.read()
            await one.press("A")
            await one.modal(RuleFor)
            await one.press("enter")
            await one.sure("y")
            assert one.sent(row) == []
            await one.press("Y")
            assert (await one.answered(row)).always == "bash(git push)"

    go(run())


def test_equal_ones_are_answered_at_once_each_with_an_answer_of_its_own(tmp_path):
    async def run():
        rows = [asking("one", "make", n=1), asking("two", "make", n=2), asking("three", "make all", n=3), asking("four", "make", n=4)]
        async with desk(tmp_path, *rows) as one:
            await one.read()
            assert "equal ones" in one.text
            await one.press("b")
            await one.modal(Sure)
            await one.until(lambda: "3 calls are equal" in one.text and "four" in one.text)
            await one.sure("y")
            for row in (rows[0], rows[1], rows[3]):
                command = await one.answered(row)
                assert (command.approval, command.approved) == (row.approvals[0].id, True)
            assert one.sent(rows[2]) == []
            await one.until(lambda: "3 of 3 answered" in one.text)
            assert one.screen.front.endswith(rows[2].approvals[0].id)

    go(run())


def test_equal_ones_can_be_denied_at_once(tmp_path):
    async def run():
        rows = [asking("one", "make", n=1), asking("two", "make", n=2, tier="dangerous")]
        async with desk(tmp_path, *rows) as one:
            await one.read()
            await one.press("b")
            await one.sure("y", "d")
            (await one.modal(Words)).query_one(Input).value = "both wrong"
            await one.press("enter")
            for row in rows:
                assert (await one.answered(row)).why == "both wrong"

    go(run())


def test_who_comes_second_is_told_who_was_first_and_when(tmp_path):
    async def run():
        row = asking("one")
        async with desk(tmp_path, row) as one:
            await one.read()
            other = Decide(by="her@there", at="2026-11-21T07:30:05.000Z", approval=row.approvals[0].id, approved=False, why="mine")
            assert one.deck.send(one.deck.home.run_dir("one", row.run), other, name=f"decision-{other.approval}")
            await one.press("y")
            words = "one: her@there answered first: denied at 2026-11-21T07:30:05.000Z: mine"
            await one.until(lambda: words in [each.message for each in one.app._notifications])
            await one.until(lambda: "✗ denied by her@there at 07:30:05: mine" in one.text)
            assert [structs.replace(each, where="") for each in one.sent(row)] == [other]

    go(run())


def test_two_rooms_that_answer_at_once_are_one_answer(tmp_path, monkeypatch):
    async def run():
        row = asking("one")
        async with desk(tmp_path, row) as one, in_room(one.deck, row) as (app, pilot, _):
            app.by = "second@here"
            monkeypatch.setattr(app, "now", lambda: one.clock)
            await pilot.press("a")
            await until(pilot, lambda: isinstance(app.screen, ApprovalsScreen) and not app.screen.guard.hidden)
            await pilot.pause()
            await one.read()
            await asyncio.gather(one.pilot.press("y"), pilot.press("y"))
            (command,) = [await one.answered(row)]
            words = f"✓ approved by {command.by}"
            await one.until(lambda: words in one.text)
            await until(pilot, lambda: words in screen_text(app))
            assert one.sent(row) == [command]

    go(run())


def test_an_answer_that_others_gave_fades_with_what_it_was(tmp_path):
    async def run():
        first, second = asking("one"), asking("two", n=2)
        async with desk(tmp_path, first, second) as one:
            await one.read()
            other = Decide(by="her@there", at="2026-11-21T07:30:05.000Z", approval=first.approvals[0].id, approved=True)
            one.deck.send(one.deck.home.run_dir("one", first.run), other, name=f"decision-{other.approval}")
            one.still.show(loop_row("one"), second)
            await one.until(lambda: "✓ approved by her@there at 07:30:05" in one.text)
            assert one.screen.table.source.count() == 2
            one.clock += FADE_S
            one.still.show(loop_row("one"), second)
            await one.until(lambda: one.screen.table.source.count() == 1)

    go(run())


def test_one_that_has_expired_can_only_be_denied(tmp_path):
    async def run():
        row = asking("one", expires="2026-11-20T00:00:00Z")
        async with desk(tmp_path, row) as one:
            await one.read()
            assert "expired" in one.text
            await one.press("y", "A", "b")
            await one.pilot.pause(0.05)
            assert one.sent(row) == []
            await one.press("d", *"late", "enter")
            assert (await one.answered(row)).why == "late"

    go(run())


def test_a_run_without_a_runner_keeps_the_answer(tmp_path):
    async def run():
        row = asking("one", status="ended")
        async with desk(tmp_path, row) as one:
            await one.read()
            assert "gone: an answer is kept" in one.text
            assert "approvals: 1 of a run whose runner is gone or silent" in one.text
            await one.press("y")
            await one.answered(row)
            await one.until(lambda: "its runner is gone: o, then r" in one.text)
            one.clock += 2 * FADE_S
            one.still.show(row)
            await one.pilot.pause(0.05)
            assert one.screen.table.source.count() == 1
            await one.press("y", "d", "E")
            assert isinstance(one.app.screen, ApprovalsScreen)

    go(run())


def test_nothing_waits_is_said(tmp_path):
    async def run():
        async with desk(tmp_path, loop_row("one")) as one:
            assert "Nothing waits for you" in one.text
            await one.press("y", "Y", "d", "E", "A", "b", "space", "w", "o")
            assert isinstance(one.app.screen, ApprovalsScreen)
            assert "y approve" not in one.text
            await one.press("escape")
            await one.until(lambda: isinstance(one.app.screen, DeckScreen))

    go(run())


@pytest.mark.parametrize(("key", "name"), [("w", "WhyScreen"), ("o", "LoopScreen")])
def test_one_key_leads_to_the_evidence_and_one_to_the_loop(tmp_path, key, name):
    async def run():
        async with desk(tmp_path, asking("one")) as one:
            await one.read()
            await one.press(key)
            await one.until(lambda: type(one.app.screen).__name__ == name)
            await one.press("escape")
            await one.until(lambda: isinstance(one.app.screen, ApprovalsScreen))

    go(run())


def test_enter_gives_the_keys_to_the_call_and_escape_takes_them_back(tmp_path):
    async def run():
        async with desk(tmp_path, asking("one")) as one:
            await one.read()
            await one.press("enter")
            assert one.screen.pages.has_focus
            await one.press("escape")
            assert one.screen.table.has_focus
            assert isinstance(one.app.screen, ApprovalsScreen)

    go(run())


def test_no_hostile_text_does_anything(tmp_path):
    nasty = [*FAMILIES.values(), ALL, "[@click=app.quit]x[/] [/none] [bold"]

    def row(n, text):
        if n % 2:
            return asking(f"loop-{n}", text, n=n, cwd=text, rule=text, reason=text)
        arguments = json.dumps({"path": text, "content": text})
        return asking(f"loop-{n}", text, n=n, cwd=text, tool=text if n % 4 else "write_file", arguments=arguments)

    async def run():
        async with desk(tmp_path, *(row(n, text) for n, text in enumerate(nasty, 1)), size=(60, 16)) as one:
            for n in range(len(nasty)):
                await one.until(lambda: one.screen._lines)
                assert harm_in(one.text) == ""
                assert one.screen.table.at == n
                await one.press("down")
            assert one.app.is_running

    go(run())


@pytest.mark.parametrize("text", ["[@click=app.quit]x[/] [/none] [bold", "x" * 300 + ALL])
def test_no_question_lets_hostile_text_through(tmp_path, text):
    async def run():
        async with desk(tmp_path, asking("one", text), asking("two", text, n=2)) as one:
            for key, kind in (("E", EditCall), ("A", RuleFor), ("d", Words), ("b", Sure)):
                await one.read()
                while one.screen.guard.unread:
                    await one.press("space")
                await one.press(key)
                await one.modal(kind)
                await one.pilot.pause()
                assert harm_in(one.text) == ""
                await one.press("escape")

    go(run())


def test_what_is_pasted_can_be_seen(tmp_path):
    async def run():
        row = asking("one")
        async with desk(tmp_path, row) as one:
            await one.read()
            await one.press("d")
            line = (await one.modal(Words)).query_one(Input)
            line.insert_text_at_cursor(ALL)
            await one.pilot.pause()
            assert harm_in(one.text) == ""
            await one.press("escape")
            await one.read()
            await one.press("E")
            area = (await one.modal(EditCall)).query_one(TextArea)
            area.insert(ALL)
            await one.pilot.pause()
            assert harm_in(one.text) == ""

    go(run())
