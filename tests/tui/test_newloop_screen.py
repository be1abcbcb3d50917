"""The new-loop form: from a sentence to a loop that runs to its end, with keys, with the mouse, and with nothing typed ever lost."""

import asyncio
import re
from collections.abc import Container

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, Select

from loopdeck.deck.decks import Deck
from loopdeck.deck.newloop import STEPS
from loopdeck.tui.app import Room
from loopdeck.tui.screens.deck import DeckScreen
from loopdeck.tui.screens.newloop import NewLoopScreen
from loopdeck.tui.widgets.choices import Choices
from loopdeck.tui.widgets.lines import LineTable
from tests.deck.test_newloop import a_deck
from tests.kit.front import opened
from tests.kit.room import Still, in_room, loop_row, screen_text, until

SENTENCE = "all tests pass and lint is clean, stop after two passes"
PROJECT = {
    "pyproject.toml": "[tool.pytest.ini_options]\n",
    "tests/test_a.py": "def test():\n    assert True\n",
    ".gitignore": "__pycache__/\n.pytest_cache/\n",
}


async def form(app: Room, pilot: Pilot[None]) -> NewLoopScreen:
    await pilot.press("N")
    await until(pilot, lambda: isinstance(app.screen, NewLoopScreen) and app.screen.looked)
    assert isinstance(app.screen, NewLoopScreen)
    return app.screen


async def typed(app: Room, pilot: Pilot[None], name: str, text: str) -> None:
    """`text` in a field, whatever was there: its last letter typed, the rest put there as if pasted."""
    field = app.screen.query_one(f"#{name}", Input)
    field.focus()
    field.value = text[:-1]
    field.cursor_position = len(text)
    await until(pilot, lambda: app.focused is field)
    await pilot.press(text[-1])
    await until(pilot, lambda: field.value == text)


def value(app: Room, name: str) -> str:
    return app.screen.query_one(f"#{name}", Input).value


def focused(app: Room) -> str | None:
    assert app.focused is not None
    return app.focused.id


async def to_step(app: Room, pilot: Pilot[None], step: int) -> None:
    screen = app.screen
    assert isinstance(screen, NewLoopScreen)
    while screen.step < step:
        before = screen.step
        await pilot.press("ctrl+n")
        await at_step(pilot, screen, range(before + 1, len(STEPS)))


async def at_step(pilot: Pilot[None], screen: NewLoopScreen, steps: Container[int]) -> None:
    await until(pilot, lambda: screen.step in steps)


@pytest.mark.req("S1-09", "S2-110", "S2-008", "S2-076")
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_five_steps_from_a_sentence_to_a_file(tmp_path, size):
    async def look():
        deck = a_deck(tmp_path)
        async with in_room(deck, loop_row("x"), size=size) as (app, pilot, still):
            screen = await form(app, pilot)
            await typed(app, pilot, "sentence", SENTENCE)
            await until(pilot, lambda: "check: ruff check ." in screen_text(app))
            assert "at most 2 iterations" in screen_text(app)
            assert "this repository shows" in screen_text(app)
            assert value(app, "goal") == "All tests pass and lint is clean."
            assert value(app, "name") == "tests-pass-lint"
            await to_step(app, pilot, 1)
            assert value(app, "iterations") == "2"
            assert "keeping the best result" in screen_text(app)
            await to_step(app, pilot, 2)
            assert "[x]  tests" in screen_text(app)
            assert "definition of done" in screen_text(app)
            await to_step(app, pilot, 3)
            assert "by hand" in screen_text(app)
            await to_step(app, pilot, 4)
            await until(pilot, lambda: "estimate, from prompt sizes (a guess, not a promise)" in screen_text(app))
            assert "model calls" in screen_text(app)
            assert "the cap of $2.00" in screen_text(app)
            assert deck.loops() == ()
            await pilot.press("ctrl+s")
            await until(pilot, lambda: "made" in screen_text(app))
            assert deck.loops() == ("tests-pass-lint",)
            assert isinstance(app.focused, Button)
            assert still.looked > 0
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, DeckScreen))
            assert (await form(app, pilot)) is not screen
            assert value(app, "sentence") == ""

    asyncio.run(look())


def at_once(deck: Deck, name: str) -> None:
    """The example that the loop plays, edited so that its turns take no time."""
    play = deck.root / ".loopdeck/loops" / name / "play.toml"
    text, count = re.subn(r"(?m)^delay_s = .*$", "delay_s = 0.0", play.read_text("utf-8"))
    assert count
    play.write_text(text, "utf-8")


@pytest.mark.req("S1-09", "S2-110")
def test_what_the_form_makes_passes_check_and_runs_until_it_is_done(tmp_path):
    async def make(deck: Deck, begin: bool) -> str:
        async with in_room(deck, size=(80, 24)) as (app, pilot, _):
            await form(app, pilot)
            await typed(app, pilot, "sentence", "all tests pass, stop after two passes")
            app.screen.query_one("#agent", Select).value = "scripted"
            await until(pilot, lambda: value(app, "model") == "")
            await to_step(app, pilot, 4)
            await until(pilot, lambda: "estimate, from the script" in screen_text(app))
            name = value(app, "name")
            await pilot.press("ctrl+s")
            await until(pilot, lambda: name in deck.loops())
            at_once(deck, name)
            await until(pilot, lambda: isinstance(app.focused, Button) and app.focused.id == "begin")
            if begin:
                await pilot.press("enter")
                await until(pilot, lambda: isinstance(app.screen, DeckScreen))
                await until(pilot, lambda: deck.home.runs_of(name))
            return name

    with opened(tmp_path, PROJECT) as door:
        deck = Deck.open(door.repo, door.env)
        first = asyncio.run(make(deck, begin=False))
        assert f"{first}: fine" in door.ok("check", first).out
        door.ok("start", first, "--wait")
        assert door.entry(first)["reason"] == "done"
        second = asyncio.run(make(deck, begin=True))
        assert second != first
        assert door.until_ended(second)["reason"] == "done"


def test_escape_goes_back_a_step_and_loses_nothing(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), size=(80, 24)) as (app, pilot, _):
            screen = await form(app, pilot)
            await typed(app, pilot, "sentence", SENTENCE)
            await to_step(app, pilot, 1)
            await typed(app, pilot, "iterations", "7")
            await to_step(app, pilot, 3)
            await typed(app, pilot, "schedule", "every 2h")
            for step in (2, 1, 0):
                await pilot.press("escape")
                await at_step(pilot, screen, (step,))
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, DeckScreen))
            await form(app, pilot)
            assert (value(app, "sentence"), value(app, "iterations"), value(app, "schedule")) == (SENTENCE, "7", "every 2h")
            await typed(app, pilot, "sentence", "tests pass, at most 5 rounds")
            assert value(app, "iterations") == "7"
            await pilot.press("f8")
            await until(pilot, lambda: value(app, "sentence") == "")
            assert (value(app, "iterations"), value(app, "schedule")) == ("4", "")

    asyncio.run(look())


def test_fast_fingers_lose_no_letter(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), size=(80, 24)) as (app, pilot, _):
            screen = await form(app, pilot)
            sentence, goal = app.screen.query_one("#sentence", Input), app.screen.query_one("#goal", Input)
            for letter in SENTENCE:
                sentence.insert_text_at_cursor(letter)
            goal.value = ""
            for letter in "Mine.":
                goal.insert_text_at_cursor(letter)
                sentence.insert_text_at_cursor("!")
            await until(pilot, lambda: screen.draft.sentence == SENTENCE + "!!!!!" and screen.draft.goal == "Mine.")
            assert (sentence.value, goal.value) == (SENTENCE + "!!!!!", "Mine.")
            assert sentence.cursor_position == len(sentence.value)
            assert goal.cursor_position == len(goal.value)
            await until(pilot, lambda: value(app, "iterations") == "2")

    asyncio.run(look())


def test_without_a_definition_of_done_it_says_so_and_writes_nothing(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        async with in_room(deck, size=(120, 40)) as (app, pilot, _):
            await form(app, pilot)
            await typed(app, pilot, "sentence", "make it nicer")
            await until(pilot, lambda: "not understood" in screen_text(app))
            assert "no definition of done" in screen_text(app)
            await to_step(app, pilot, 2)
            assert "nothing would grade the work" in screen_text(app)
            await to_step(app, pilot, 4)
            await until(pilot, lambda: "no estimate until that is mended" in screen_text(app))
            await pilot.press("ctrl+s")
            await until(pilot, lambda: len(app._notifications) > 0)
            assert deck.loops() == ()

    asyncio.run(look())


def test_checks_are_wanted_or_not_and_commands_added(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), size=(80, 24)) as (app, pilot, _):
            screen = await form(app, pilot)
            await typed(app, pilot, "sentence", SENTENCE)
            await to_step(app, pilot, 2)
            assert isinstance(app.focused, LineTable)
            await pilot.press("down", "space")
            await until(pilot, lambda: "[ ]  lint" in screen_text(app))
            await typed(app, pilot, "command", "make docs")
            await pilot.press("enter")
            await until(pilot, lambda: "[x]  make docs" in screen_text(app))
            assert value(app, "command") == ""
            assert [one.run for one in screen.draft.checks] == ["pytest -q", "make docs"]
            app.screen.query_one("#checks", LineTable).focus()
            await pilot.press("enter")
            await until(pilot, lambda: "[x]  lint" in screen_text(app))

    asyncio.run(look())


def test_enter_goes_on_from_field_to_field_and_to_the_next_step(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), size=(80, 24)) as (app, pilot, _):
            screen = await form(app, pilot)
            seen = []
            for _ in range(4):
                seen.append(focused(app))
                await pilot.press("enter")
            assert seen == ["sentence", "goal", "name", "model"]
            await until(pilot, lambda: screen.step == 1)
            assert focused(app) == "iterations"

    asyncio.run(look())


def test_steps_and_buttons_can_be_clicked(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), size=(80, 24)) as (app, pilot, _):
            screen = await form(app, pilot)
            assert await pilot.click("#next")
            await until(pilot, lambda: screen.step == 1)
            assert await pilot.click("#back")
            await until(pilot, lambda: screen.step == 0)
            at = screen_text(app).splitlines()[1].index("5 budget")
            assert await pilot.click(Choices, offset=(at + 2, 0))
            await until(pilot, lambda: screen.step == 4)

    asyncio.run(look())


def test_what_cant_be_read_is_said_and_writing_leads_there(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        async with in_room(deck, size=(80, 24)) as (app, pilot, _):
            screen = await form(app, pilot)
            await typed(app, pilot, "sentence", SENTENCE)
            await to_step(app, pilot, 1)
            await typed(app, pilot, "wall", "soon")
            await until(pilot, lambda: "time must be like" in screen_text(app))
            await to_step(app, pilot, 4)
            await pilot.press("ctrl+s")
            await until(pilot, lambda: screen.step == 1)
            assert deck.loops() == ()

    asyncio.run(look())


def test_nothing_pasted_reaches_the_terminal_raw(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), size=(80, 24)) as (app, pilot, _):
            await form(app, pilot)
            hostile = "tests pass \x1b]0;gone\x07 \x9b31m [@click=app.quit]x[/] \u202e, at most 3 rounds"
            app.screen.query_one("#sentence", Input).value = hostile
            await until(pilot, lambda: value(app, "iterations") == "3")
            for _ in range(5):
                assert not any((ord(one) < 32 and one != "\n") or 127 <= ord(one) < 160 or one == "\u202e" for one in screen_text(app))
                await pilot.press("ctrl+n")
            assert "\x1b" not in value(app, "sentence")

    asyncio.run(look())


def test_with_several_decks_one_is_chosen_and_the_loop_is_made_there(tmp_path):
    async def look():
        first, second = a_deck(tmp_path / "one"), a_deck(tmp_path / "two")
        still = Still((first, second), ())
        app = Room((first, second), still.make, by="tester@here")
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.snapshot.number > 0)
            screen = await form(app, pilot)
            await typed(app, pilot, "sentence", SENTENCE)
            app.screen.query_one("#deck", Select).value = "1"
            await until(pilot, lambda: screen.deck == 1)
            await to_step(app, pilot, 1)
            await pilot.press("escape", "escape")
            await until(pilot, lambda: isinstance(app.screen, DeckScreen))
            again = await form(app, pilot)
            assert again.deck == 1
            assert app.screen.query_one("#deck", Select).value == "1"
            await to_step(app, pilot, 4)
            await pilot.press("ctrl+s")
            await until(pilot, lambda: second.loops())
            assert first.loops() == ()

    asyncio.run(look())
