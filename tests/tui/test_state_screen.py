"""The state editor in the room: nothing typed is lost, nobody is overwritten, pause → edit → go is quick."""

import asyncio

import pytest
from textual.widgets import TextArea

from loopdeck.core import commands as cmd
from loopdeck.store.state import LoopState
from loopdeck.tui.screens.ask import Confirm
from loopdeck.tui.screens.deck import DeckScreen
from loopdeck.tui.screens.state import StateScreen
from tests.kit.room import a_deck, in_room, loop_row, made_run, screen_text, sent, until

BEGINNING = "# State\n\n## Done\n- one\n\n## Open\n- two\n"


@pytest.fixture
def deck(tmp_path):
    return a_deck(tmp_path)


@pytest.fixture
def state(deck):
    state = LoopState(deck.home.state_dir("one"), initial=BEGINNING)
    state.read()
    return state


def editing(deck, act, row=None, size=(120, 32)):
    """Open the editor on the row and run `act(app, pilot, text)`."""
    shown = row or loop_row("one", "paused")

    async def go():
        async with in_room(deck, shown, size=size) as (app, pilot, still):
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, StateScreen) and "Done" in app.screen.query_one(TextArea).text)
            await act(app, pilot, app.screen.query_one(TextArea))
            assert still.watched is None

    asyncio.run(go())


def test_what_is_typed_is_shown_as_a_diff_and_saved(deck, state):
    async def act(app, pilot, text):
        text.load_text(text.text.replace("- two", "- three"))
        await until(pilot, lambda: "-- two" in screen_text(app) and "+- three" in screen_text(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: state.peek().text.endswith("- three\n"))

    editing(deck, act)
    assert [(one.author, one.note) for one in state.history()][-1] == ("operator", "tester-here")


def test_what_others_wrote_meanwhile_is_merged_in(deck, state):
    async def act(app, pilot, text):
        text.load_text(text.text.replace("- two", "- three"))
        before = state.peek()
        state.write(before.text.replace("- one", "- one\n- zero"), "maker", "run-i1", before.hash)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "- three" in state.peek().text)
        await until(pilot, lambda: "- zero" in text.text)

    editing(deck, act)
    assert "- zero" in state.peek().text


def test_a_clash_keeps_both_and_overwrites_nothing(deck, state):
    async def act(app, pilot, text):
        text.load_text(text.text.replace("- two", "- mine"))
        before = state.peek()
        state.write(before.text.replace("- two", "- the maker's"), "maker", "run-i1", before.hash)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "NOT saved" in screen_text(app))
        assert "- the maker's" in state.peek().text
        assert "- mine" in text.text
        await until(pilot, lambda: "-- the maker's" in screen_text(app) and "+- mine" in screen_text(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "- mine" in state.peek().text)

    editing(deck, act)
    kept = [state.version(one.path.name) for one in state.history() if one.kept]
    assert any("- mine" in text for text in kept)
    assert any("- the maker's" in state.version(one.path.name) for one in state.history())


def test_pause_edit_go_is_three_keys(deck, state):
    row = loop_row("one")
    lease = made_run(deck, row)

    async def go():
        async with in_room(deck, row) as (app, pilot, still):
            await pilot.press("p")
            await until(pilot, lambda: still.looked == 1)
            still.show(loop_row("one", "paused"))
            await until(pilot, lambda: app.snapshot.rows[0].status == "paused")
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, StateScreen) and app.screen.query_one(TextArea).text)
            app.screen.query_one(TextArea).load_text("# all new\n")
            await pilot.press("ctrl+g")
            await until(pilot, lambda: still.looked == 2)
            assert isinstance(app.screen, DeckScreen)

    try:
        asyncio.run(go())
    finally:
        lease.release()
    assert sorted(type(one).__name__ for one in sent(deck, row)) == ["Pause", "Resume"]
    assert state.peek().text == "# all new\n"


def test_a_hold_before_the_next_iteration_is_one_key_in_the_editor(deck, state):
    row = loop_row("one")
    lease = made_run(deck, row)

    async def act(app, pilot, _):
        await pilot.press("ctrl+o")
        await until(pilot, lambda: sent(deck, row))

    try:
        editing(deck, act, row)
    finally:
        lease.release()
    assert [type(one) for one in sent(deck, row)] == [cmd.Hold]


def test_the_history_says_who_and_takes_a_version_up_again(deck, state):
    before = state.peek()
    state.write("# by the maker\n", "maker", "run-i1", before.hash)

    async def go():
        async with in_room(deck, loop_row("one")) as (app, pilot, _):
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, StateScreen) and app.screen.query_one(TextArea).text)
            await pilot.press("ctrl+t")
            await until(pilot, lambda: "maker" in screen_text(app) and "operator" in screen_text(app))
            await pilot.press("end")
            await pilot.press("enter")
            await until(pilot, lambda: "- two" in app.screen.query_one(TextArea).text)
            assert state.peek().text == "# by the maker\n"

    asyncio.run(go())


def test_escape_asks_before_it_forgets_what_was_typed(deck, state):
    async def act(app, pilot, text):
        text.load_text("changed\n")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("escape")
        assert isinstance(app.screen, StateScreen)
        assert text.text == "changed\n"

    editing(deck, act)
    assert state.peek().text == BEGINNING


def test_a_state_that_a_terminal_would_act_on_is_shown_as_symbols(deck, state):
    before = state.peek()
    state.write("# Done \x1b]0;owned\x07 \u202e\n", "maker", "run-i1", before.hash)

    async def act(app, pilot, text):
        assert "\x1b" not in text.text
        assert "␛]0;owned␇" in text.text
        await until(pilot, lambda: "symbols stand for them" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, DeckScreen))

    editing(deck, act, size=(80, 24))
    assert "\x1b]0;owned" in state.peek().text


def test_an_editor_of_ones_own_that_can_not_be_lent_the_terminal_is_named(deck, state, monkeypatch):
    monkeypatch.setenv("EDITOR", "true")

    async def act(app, pilot, _):
        await pilot.press("f4")
        await until(pilot, lambda: "can't be lent to an editor" in screen_text(app))

    editing(deck, act)
