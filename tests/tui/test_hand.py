"""The operator's hand in the room: each key leaves the right command in the run's inbox, and none by accident."""

import asyncio
from functools import partial

import pytest
from textual.widgets import Button, Input

from loopdeck.core import commands as cmd
from loopdeck.core import events as ev
from loopdeck.core.happening import Settings
from loopdeck.tui.screens.ask import Confirm
from loopdeck.tui.screens.setting import Setting
from loopdeck.tui.widgets.lines import LineTable
from tests.kit.room import a_deck, in_room, loop_row, made_run, screen_text, sent, until
from tests.kit.written import WrittenRun


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


def setting(*keys):
    """Open the settings, press the keys, and wait for what was sent, if anything is to be."""

    async def act(app, pilot, still):
        await pilot.press("plus")
        await until(pilot, lambda: isinstance(app.screen, Setting) and app.screen.query_one(LineTable).cursor)
        await pilot.press(*keys)
        await until(pilot, lambda: still.looked)
        assert any("max_iterations: 4 → 9" in one.message for one in app._notifications)

    return act


def test_set_shows_what_is_and_what_would_be_before_it_is_sent(tmp_path):
    async def act(app, pilot, still):
        await pilot.press("plus")
        await until(pilot, lambda: "max_cost_usd" in screen_text(app))
        text = screen_text(app)
        assert [line for line in text.splitlines() if "max_iterations" in line and " 4 " in line]
        assert [line for line in text.splitlines() if "max_tokens" in line and "none" in line]
        await pilot.press("down", "enter", "end", *["backspace"] * 4, *"3.5")
        await until(pilot, lambda: "max_cost_usd 2 → 3.5" in screen_text(app))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: not isinstance(app.screen, Setting))
        assert not still.looked

    assert acting(tmp_path, loop_row("one"), act) == []


def test_set_keeps_what_makes_no_sense_and_says_why(tmp_path):
    async def act(app, pilot, still):
        await pilot.press("plus")
        await until(pilot, lambda: isinstance(app.screen, Setting) and app.screen.query_one(LineTable).cursor)
        await pilot.press("enter", "end", *"many", "enter")
        await until(pilot, lambda: "'4many' is no value for max_iterations" in screen_text(app))
        assert isinstance(app.screen, Setting)

    assert acting(tmp_path, loop_row("one"), act) == []


def test_set_sends_key_and_value(tmp_path):
    (command,) = acting(tmp_path, loop_row("one"), setting("enter", "end", "backspace", "9", "enter"))
    assert (command.key, command.value) == ("max_iterations", "9")


def test_set_tells_who_changed_it_before(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        run = WrittenRun(deck, "one").begun()
        run.tell(ev.SettingChanged("max_iterations", "4", "6", "olga", Settings(6)))
        row = loop_row("one", run=run.paths.run, key="0/one", settings=Settings(6))
        async with in_room(deck, row) as (app, pilot, _):
            await pilot.press("plus")
            await until(pilot, lambda: "set before: 4 → 6 by olga at " in screen_text(app))
        run.close()

    asyncio.run(look())


def is_lit(app, button):
    return isinstance(app.focused, Button) and app.focused.id == button


@pytest.mark.parametrize("kind", [{}, {"danger": True}, {"warning": "nobody has read it"}, {"other": "Fail", "reason": "why"}])
def test_all_questions_have_one_manner(tmp_path, kind):
    """Safe first; enter is what is lit; escape is no; `y` is yes, and only `Y` where there is danger."""

    async def act(app, pilot, _):
        dangerous = bool(kind.keys() & {"danger", "warning"})
        for keys, said in (
            (("enter",), None), (("escape",), None), (("Y",), ""), (("right", "enter"), ""), (("y",), None if dangerous else ""),
        ):  # fmt: skip
            answers: list[str | None] = []
            question = Confirm("Really?", "Do it", **kind)
            app.push_screen(question, answers.append)
            await until(pilot, partial(is_lit, app, "no"))
            await pilot.press(*keys)
            if dangerous and keys == ("y",):
                await until(pilot, lambda: "this takes a deliberate key: Y" in screen_text(app))
                await pilot.press("escape")
            await until(pilot, answers.__len__)
            assert answers == [said], keys

    assert acting(tmp_path, loop_row("one"), act) == []


@pytest.mark.parametrize(
    ("key", "row", "why"),
    [
        ("K", loop_row("one", "ended"), "nothing runs here to kill"),
        ("p", loop_row("one", "idle"), "nothing runs here to pause"),
        ("p", loop_row("one", "paused"), "stands still already: r goes on"),
        ("p", loop_row("one", pausing=True), "will stand still at its next step already"),
        ("r", loop_row("one"), "does not stand still"),
        ("r", loop_row("one", "ended"), "nothing stands still here"),
        ("s", loop_row("one"), "runs already: running"),
        ("R", loop_row("one"), "still runs"),
        ("R", loop_row("one", "idle"), "no iteration yet"),
        ("V", loop_row("one"), "no human check waits"),
        ("t", loop_row("one", "idle"), "no trace: s starts one"),
        ("v", loop_row("one", "idle"), "made nothing yet to review"),
        ("plus", loop_row("one", "ended"), "nothing runs here to set"),
    ],
)
def test_a_key_that_does_nothing_says_why(tmp_path, key, row, why):
    async def look():
        async with in_room(a_deck(tmp_path), row) as (app, pilot, _):
            await pilot.press(key)
            await until(pilot, lambda: any(why in one.message for one in app._notifications))

    asyncio.run(look())


def test_where_there_is_no_loop_a_key_says_how_to_get_one(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path)) as (app, pilot, _):
            await pilot.press("K")
            await until(pilot, lambda: any("N makes one" in one.message for one in app._notifications))

    asyncio.run(look())


def test_keys_that_make_no_sense_for_the_row_send_nothing(tmp_path):
    assert acting(tmp_path, loop_row("one", "ended"), pressing("p", "h", "n", "K", "plus", "V", until_sent=False)) == []
