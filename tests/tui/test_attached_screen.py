"""Sessions that were not started here, in the room: told of below the loops, and braked there for their real hook."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from loopdeck.deck.reader import Reader
from loopdeck.store.layout import sessions_of
from loopdeck.tui.app import Room
from loopdeck.tui.screens.attached import AttachedScreen
from loopdeck.tui.screens.deck import DeckScreen
from tests.kit.room import a_deck, in_room, loop_row, screen_text, until

pytestmark = pytest.mark.timeout(60)


def told(deck, command, session="5e551017-aa"):
    """Let a session ask for leave, by the hook that its agent runs; what it is answered."""
    event = {
        "session_id": session, "hook_event_name": "PreToolUse", "cwd": str(deck.root), "tool_name": "Bash",
        "tool_input": {"command": command},
    }  # fmt: skip
    env = {**os.environ, "LOOPDECK_HOME": str(deck.home.path.parent)}
    env.pop("LOOPDECK_LOOP", None)
    words = [sys.executable, "-P", "-m", "loopdeck", "hook", "claude"]
    done = subprocess.run(words, input=json.dumps(event).encode(), capture_output=True, cwd=deck.root, env=env, timeout=30, check=True)
    return json.loads(done.stdout)["hookSpecificOutput"] if done.stdout else {}


@pytest.mark.req("S2-060", "S3-09")
def test_a_session_is_seen_braked_and_released_from_the_room(tmp_path):
    deck = a_deck(tmp_path)
    (deck.root / ".loopdeck").mkdir()

    async def play():
        app = Room((deck,), lambda post: Reader((deck,), post), by="olga@here")
        async with app.run_test(size=(120, 30)) as pilot:
            await until(pilot, lambda: app.snapshot.number)
            assert "not started here" not in screen_text(app)
            await asyncio.to_thread(told, deck, "pytest -q")
            await until(pilot, lambda: "1 session not started here" in screen_text(app))
            assert "claude: bash pytest -q" in screen_text(app)
            await pilot.press("A")
            await until(pilot, lambda: "5e551017" in screen_text(app))
            await pilot.press("p")
            await until(pilot, lambda: "‖ braked" in screen_text(app))
            refused = await asyncio.to_thread(told, deck, "pytest -q")
            assert refused["permissionDecision"] == "deny"
            assert "by olga@here" in refused["permissionDecisionReason"]
            await until(pilot, lambda: app.snapshot.decks[0].sessions[0].refused == 1)
            await pilot.press("r")
            await until(pilot, lambda: "‖ braked" not in screen_text(app))
            assert (await asyncio.to_thread(told, deck, "pytest -q")).get("permissionDecision") != "deny"
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, DeckScreen))

    asyncio.run(play())


def test_where_there_is_none_the_screen_says_how_there_can_be_one(tmp_path):
    async def play():
        async with in_room(a_deck(tmp_path), loop_row("lint")) as (app, pilot, _):
            await pilot.press("A")
            await until(pilot, lambda: isinstance(app.screen, AttachedScreen))
            assert "loopdeck hook --install claude" in screen_text(app)
            await pilot.press("p", "r")
            assert {"p", "r"}.isdisjoint(app.screen.active_bindings)
            assert not sessions_of(app.decks[0].home).exists()

    asyncio.run(play())
