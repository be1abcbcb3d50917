"""The project board: what the states say, by column, under a hand; of one loop and of all."""

import asyncio

import pytest

from loopdeck.store.state import LoopState
from loopdeck.tui.screens.project import ProjectScreen
from loopdeck.tui.screens.state import StateScreen
from loopdeck.tui.widgets.lines import LineTable
from tests.kit.hostile import ALL, harm_in
from tests.kit.room import a_deck, in_room, loop_row, screen_text, until

STATE = "# fix\n\n## Open\n- [ ] mend the parser\n- [ ] name it\n\n## In progress\n- the lexer\n\n## Done\n- [x] read all\n  of it\n"


def state_of(deck, loop, text=STATE):
    state = LoopState(deck.home.state_dir(loop), initial=text)
    state.read()
    return state


def column(app, name) -> list[str]:
    source = app.screen.query_one(f"#{name}", LineTable).source
    return ["".join(one.text for one in source.row(at).painted[1]) for at in range(source.count())]


@pytest.mark.req("S2-059")
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_a_loops_items_stand_in_three_columns(tmp_path, size):
    async def look():
        deck = a_deck(tmp_path)
        state = state_of(deck, "fix")
        async with in_room(deck, loop_row("fix"), size=size) as (app, pilot, still):
            await pilot.press("b")
            await until(pilot, lambda: "1 of 4 items done" in screen_text(app))
            assert [column(app, name) for name in ("open", "doing", "done")] == [
                ["mend the parser", "name it"],
                ["the lexer"],
                ["read all"],
            ]
            # What is being done has the keys first; its card is below.
            await until(pilot, lambda: "fix, In progress, line 8 of its STATE.md" in screen_text(app))
            await pilot.press("right")
            await until(pilot, lambda: "fix, Done, line 11 of its STATE.md" in screen_text(app))
            assert "of it" in screen_text(app)
            await pilot.press("right", "down")
            await until(pilot, lambda: "name it" in screen_text(app).splitlines()[-5])
            now = state.read()
            state.write(now.text.replace("- [ ] name it", "- [x] name it"), "maker", "i2", now.hash)

            def changed() -> bool:
                still.show(loop_row("fix"))
                return "2 of 4 items done" in screen_text(app)

            await until(pilot, changed)

    asyncio.run(look())


def test_a_deck_shows_the_items_of_all_loops_and_goes_to_the_state_of_one(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        for loop in ("fix", "docs"):
            state_of(deck, loop)
            (deck.home.runs / loop).mkdir(parents=True, exist_ok=True)
        async with in_room(deck, loop_row("fix"), loop_row("docs")) as (app, pilot, _):
            await pilot.press("B")
            await until(pilot, lambda: "2 of 8 items done" in screen_text(app))
            assert column(app, "doing") == ["docs the lexer", "fix the lexer"]
            await pilot.press("down", "e")
            await until(pilot, lambda: isinstance(app.screen, StateScreen))
            await until(pilot, lambda: "mend the parser" in screen_text(app))
            assert "fix" in screen_text(app).splitlines()[0]
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, ProjectScreen))

    asyncio.run(look())


def test_a_loop_that_has_not_run_yet_shows_what_it_begins_with(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("new", "idle")) as (app, pilot, _):
            await pilot.press("b")
            await until(pilot, lambda: "0 of 1 item done" in screen_text(app) or "0 of 0 items done" in screen_text(app))

    asyncio.run(look())


def test_hostile_items_do_nothing(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        state_of(deck, "fix", f"## Open\n- [ ] {ALL}\n")
        async with in_room(deck, loop_row("fix")) as (app, pilot, _):
            await pilot.press("b")
            await until(pilot, lambda: "0 of 1 item done" in screen_text(app))
            assert not harm_in(screen_text(app))

    asyncio.run(look())
