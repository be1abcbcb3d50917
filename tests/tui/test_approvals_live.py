"""The inbox on real runs: a call that was approved in the room runs, and of room and verb at once exactly one answers."""

import asyncio
import json

import pytest

from loopdeck.deck.decks import Deck
from loopdeck.deck.reader import Reader
from loopdeck.tui.app import Room
from loopdeck.tui.screens.approvals import ApprovalsScreen
from tests.cli.loops import loop, turn, write
from tests.kit.front import opened
from tests.kit.room import screen_text, until

pytestmark = pytest.mark.usefixtures("without_walls")


def asking(name, *commands, check="true"):
    turns = [*(turn("a", ("bash", {"command": one})) for one in commands), turn("d")]
    return loop(name, turns, checks=[{"run": check}], end={"max_iterations": 1})


def in_the_room(door, act):
    deck = Deck.open(door.repo, door.env)

    async def go():
        app = Room((deck,), lambda post: Reader((deck,), post), by="tester@here")
        async with app.run_test(size=(120, 36), notifications=True) as pilot:
            await until(pilot, lambda: any(row.approvals for row in app.snapshot.rows))
            await pilot.press("a")
            await until(pilot, lambda: isinstance(app.screen, ApprovalsScreen))
            await act(app, pilot)

    asyncio.run(go())


async def ready(app, pilot):
    """Wait until the call in front may be answered: the clock is the real one here."""
    await until(pilot, lambda: app.screen.entry is not None and not app.screen.guard.refusal(app.now(), allows=True))


@pytest.mark.req("S2-050")
def test_what_is_approved_in_the_room_runs_and_what_is_denied_does_not(tmp_path):
    with opened(tmp_path, {"a": "a", **asking("one", "touch asked", "touch wrong", check="test -f asked && ! test -f wrong")}) as door:
        door.ok("start", "one")

        async def act(app, pilot):
            await ready(app, pilot)
            assert "touch asked" in screen_text(app)
            await pilot.press("y")
            await until(pilot, lambda: any(one.approval.summary == "touch wrong" for one in waits(app)))
            # What was answered stays in front for a while, unless somebody goes on.
            await pilot.press("j")
            await until(pilot, lambda: app.screen.entry and app.screen.entry.waiting.approval.summary == "touch wrong")
            await ready(app, pilot)
            await pilot.press("d", *"no", "enter")
            await until(pilot, lambda: any(row.reason == "done" for row in app.snapshot.rows))
            await until(pilot, lambda: "✗ denied by tester@here" in screen_text(app))

        in_the_room(door, act)
        returned = door.ok("trace", "one", "--kind", "tool_returned", "--json").lines
        assert "Denied by the operator: no" in returned[-1]["output"]


def test_a_rule_given_in_the_room_lets_the_next_such_call_through(tmp_path):
    with opened(tmp_path, {"a": "a", **asking("one", "touch first", "touch second", check="test -f first && test -f second")}) as door:
        door.ok("start", "one")

        async def act(app, pilot):
            await ready(app, pilot)
            await pilot.press("A")
            await until(pilot, lambda: len(app.screen_stack) > 2)
            app.screen.query_one("Entry").value = "bash(touch *)"
            await pilot.press("enter")
            await until(pilot, lambda: any(row.reason == "done" for row in app.snapshot.rows))

        in_the_room(door, act)
        assert [one["summary"] for one in door.ok("show", "one", "--json").json["approvals"]] == ["touch first"]


def test_an_edited_write_is_what_gets_written(tmp_path):
    files = loop("one", [turn("w", write(".env", "A=1\n")), turn("d")], checks=[{"run": "grep -q A=2 .env"}], end={"max_iterations": 1})
    with opened(tmp_path, {"a": "a", **files}) as door:
        door.ok("start", "one")

        async def act(app, pilot):
            await ready(app, pilot)
            assert "+A=1" in screen_text(app)
            await pilot.press("E")
            await until(pilot, lambda: app.screen.query("Area"))
            app.screen.query_one("Area").load_text(json.dumps({"path": ".env", "content": "A=2\n"}))
            await pilot.press("ctrl+s")
            await until(pilot, lambda: app.screen.query("Pages") and not app.screen.query("Area"))
            await until(pilot, lambda: not app.screen._guard.refusal(app.now(), allows=True))
            await pilot.press("y")
            await until(pilot, lambda: any(row.reason == "done" for row in app.snapshot.rows))

        in_the_room(door, act)


def test_of_room_and_verb_at_once_exactly_one_answers(tmp_path):
    with opened(tmp_path, {"a": "a", **asking("one", "touch asked")}) as door:
        door.ok("start", "one")
        [approval] = door.until("one", "asking")["approvals"]

        async def act(app, pilot):
            await ready(app, pilot)
            loop_ = asyncio.get_running_loop()
            verb = loop_.run_in_executor(None, lambda: door.run("deny", approval["id"], "--why", "by the verb"))
            await pilot.press("y")
            said = await verb
            told = [one.message for one in app._notifications if "answered first" in one.message]
            assert (said.code == 0) == bool(told)
            if said.code:
                assert "answered" in said.err
                assert "tester@here" in said.err
            else:
                assert "denied" in told[0]
            await until(pilot, lambda: any(row.status == "ended" for row in app.snapshot.rows))

        in_the_room(door, act)


def waits(app):
    return [one.waiting for one in app.screen.inbox.entries() if one.open]
