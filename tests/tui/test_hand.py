"""The operator's hand in the room: each key leaves the right command in the run's inbox, and none by accident."""

import asyncio

import pytest
from textual.widgets import Button, Input

from loopdeck.core import commands as cmd
from loopdeck.tui.screens.ask import Confirm, Words
from tests.kit.room import a_deck, in_room, loop_row, made_run, screen_text, sent, until


def acting(tmp_path, row, act):
    """Run `act(app, pilot, still)` in a room that shows `row`; gives what came into its inbox."""
    deck = a_deck(tmp_path)
    lease = made_run(deck, row)

    async def go():
        async with in_room(deck, row) as (app, pilot, still):
            await act(app, pilot, still)
            await pilot.pause(0.05)

    try:
        asyncio.run(go())
    finally:
        lease.release()
    return sent(deck, row)


def pressing(*keys, until_sent=True):
    async def act(app, pilot, still):
        await pilot.press(*keys)
        if until_sent:
            await until(pilot, lambda: still.looked)

    return act


@pytest.mark.parametrize(
    ("key", "row", "kind"),
    [("p", loop_row("one"), cmd.Pause), ("h", loop_row("one"), cmd.Hold), ("h", loop_row("one", held=True), cmd.Resume)],
)
def test_a_key_sends_its_command_in_the_operators_name(tmp_path, key, row, kind):
    (command,) = acting(tmp_path, row, pressing(key))
    assert type(command) is kind
    assert command.by == "tester@here"
    assert command.at.endswith("Z")


def test_a_nudge_carries_its_words(tmp_path):
    (command,) = acting(tmp_path, loop_row("one"), pressing("n", *"look", "space", *"here", "enter"))
    assert isinstance(command, cmd.Nudge)
    assert command.text == "look here"


def test_a_nudge_left_with_escape_says_nothing(tmp_path):
    assert acting(tmp_path, loop_row("one"), pressing("n", *"look", "escape", until_sent=False)) == []


def test_kill_asks_first_and_its_safe_button_has_the_keys(tmp_path):
    async def act(app, pilot, _):
        await pilot.press("K")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert app.focused is app.screen.query_one("#no", Button)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, Confirm))

    assert acting(tmp_path, loop_row("one"), act) == []


def test_kill_sends_its_reason(tmp_path):
    async def act(app, pilot, still):
        await pilot.press("K")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        app.screen.query_one("#reason", Input).value = "goes in circles"
        await pilot.click("#yes")
        await until(pilot, lambda: still.looked)

    commands = acting(tmp_path, loop_row("one"), act)
    assert [type(one) for one in commands][:1] == [cmd.Kill]
    assert commands[0].why == "goes in circles"


def test_set_is_refused_before_it_is_sent_if_it_makes_no_sense(tmp_path):
    async def act(app, pilot, _):
        await pilot.press("plus", *"max_iterations", "equals_sign", *"many", "enter")
        await until(pilot, lambda: not isinstance(app.screen, Words) and "many" in screen_text(app))

    assert acting(tmp_path, loop_row("one"), act) == []


def test_set_sends_key_and_value(tmp_path):
    (command,) = acting(tmp_path, loop_row("one"), pressing("plus", *"max_iterations", "equals_sign", "9", "enter"))
    assert (command.key, command.value) == ("max_iterations", "9")


def test_keys_that_make_no_sense_for_the_row_send_nothing(tmp_path):
    assert acting(tmp_path, loop_row("one", "ended"), pressing("p", "h", "n", "K", "plus", "V", until_sent=False)) == []
