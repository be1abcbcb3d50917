"""The verdict of a human check, given in the room: passed or failed by who was asked, and failed only with a reason."""

import asyncio
import json

import pytest
from textual.widgets import Button, Input

from loopdeck.core import commands as cmd
from loopdeck.deck.decks import Deck
from loopdeck.deck.reader import Reader
from loopdeck.tui.app import Room
from loopdeck.tui.screens.ask import Confirm
from tests.cli.loops import loop, turn, write
from tests.kit.front import opened
from tests.kit.hostile import ALL, harm_in
from tests.kit.room import a_deck, in_room, loop_row, made_run, screen_text, sent, until


async def answer(app, pilot, button):
    """The click that answers."""
    await pilot.click(button)
    await until(pilot, lambda: not isinstance(app.screen, Confirm))


def judging(tmp_path, act, check="looks good"):
    """Run `act(app, pilot)` with the question open; gives what came into the inbox."""
    deck = a_deck(tmp_path)
    row = loop_row("one", "asking", asking="verdict", asking_for=check)
    lease = made_run(deck, row)

    async def go():
        async with in_room(deck, row) as (app, pilot, still):
            await pilot.press("V")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            await act(app, pilot)
            await pilot.pause()
            if not isinstance(app.screen, Confirm):
                await until(pilot, lambda: still.looked)

    try:
        asyncio.run(go())
    finally:
        lease.release()
    return sent(deck, row)


@pytest.mark.req("S2-051")
def test_a_pass_needs_no_reason(tmp_path):
    async def act(app, pilot):
        assert "does 'looks good' pass?" in screen_text(app)
        await answer(app, pilot, "#yes")

    (command,) = judging(tmp_path, act)
    assert isinstance(command, cmd.Judge)
    assert (command.check, command.passed, command.why, command.by) == ("looks good", True, "", "tester@here")


def test_a_fail_without_a_reason_asks_for_it(tmp_path):
    async def act(app, pilot):
        await pilot.click("#other")
        await until(pilot, lambda: app.focused is app.screen.query_one("#reason", Input))
        assert isinstance(app.screen, Confirm)
        assert app.focused is app.screen.query_one("#reason", Input)

    assert judging(tmp_path, act) == []


def test_a_fail_takes_its_reason_along(tmp_path):
    async def act(app, pilot):
        await pilot.click("#other")
        await until(pilot, lambda: app.focused is app.screen.query_one("#reason", Input))
        await pilot.press(*"blue", "enter")
        # A button that still shows that it was pressed takes no click.
        await until(pilot, lambda: isinstance(app.focused, Button) and not app.focused.has_class("-active"))
        await answer(app, pilot, "#other")

    (command,) = judging(tmp_path, act)
    assert (command.passed, command.why) == (False, "blue")


def test_a_pass_after_a_fail_that_was_not_taken_is_a_pass(tmp_path):
    async def act(app, pilot):
        await pilot.click("#other")
        await until(pilot, lambda: app.focused is app.screen.query_one("#reason", Input))
        await answer(app, pilot, "#yes")

    (command,) = judging(tmp_path, act)
    assert command.passed


@pytest.mark.parametrize("button", ["", "#no"])
def test_left_alone_it_says_nothing(tmp_path, button):
    async def act(app, pilot):
        await (pilot.click(button) if button else pilot.press("escape"))
        await until(pilot, lambda: not isinstance(app.screen, Confirm))
        await pilot.press("V")
        await until(pilot, lambda: isinstance(app.screen, Confirm))

    assert judging(tmp_path, act) == []


def test_a_hostile_check_comes_through_clean(tmp_path):
    async def act(app, pilot):
        assert harm_in(screen_text(app)) == ""
        await answer(app, pilot, "#yes")

    (command,) = judging(tmp_path, act, check=f"[/x] {ALL}")
    assert command.check == f"[/x] {ALL}"


def test_nobody_is_asked_where_no_verdict_is_awaited(tmp_path):
    async def go():
        async with in_room(a_deck(tmp_path), loop_row("one"), loop_row("two", "asking", asking="approval")) as (app, pilot, _):
            await pilot.press("V", "down", "V")
            assert not isinstance(app.screen, Confirm)

    asyncio.run(go())


def test_a_verdict_given_in_the_room_reaches_the_run(tmp_path):
    checks: list[dict[str, object]] = [{"name": "there", "run": "test -f answer.txt"}, {"name": "looks good", "human": True}]
    turns = [turn("w", write("answer.txt", "1")), turn("d"), turn("w", write("answer.txt", "2"), iteration=2), turn("d")]
    with opened(tmp_path, {"a": "a", **loop("judged", turns, checks=checks)}) as door:
        door.ok("start", "judged")
        door.until("judged", "asking")
        deck = Deck.open(door.repo, door.env)

        async def give(app, pilot, iteration, *acts):
            await until(pilot, lambda: any(row.asking == "verdict" and row.iteration == iteration for row in app.snapshot.rows))
            await pilot.press("V")
            await until(pilot, lambda: isinstance(app.screen, Confirm))
            for act in acts:
                if act.startswith("#"):
                    await pilot.click(act)
                else:
                    app.screen.query_one("#reason", Input).value = act

        async def go():
            app = Room((deck,), lambda post: Reader((deck,), post), by="tester@here")
            async with app.run_test(size=(100, 30)) as pilot:
                await give(app, pilot, 1, "say it in blue", "#other")
                await give(app, pilot, 2, "#yes")
                await until(pilot, lambda: any(row.reason == "done" for row in app.snapshot.rows))

        asyncio.run(go())
        shown = door.ok("show", "judged", "--json").json
        assert (shown["reason"], shown["iteration"]) == ("done", 2)
        assert "say it in blue" in json.dumps(door.ok("trace", "judged", "--json").lines)
