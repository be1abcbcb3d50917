"""The deck screen: its rows, their order under a moving hand, filter, jump, peek, keys and help."""

import asyncio

import pytest
from textual.command import CommandPalette

from loopdeck.core import trace as tr
from loopdeck.deck.finding import REST_S
from loopdeck.store.taste import Taste
from loopdeck.tui.app import Room
from loopdeck.tui.lead import DEMO
from loopdeck.tui.screens.deck import DeckScreen
from loopdeck.tui.screens.help import HelpScreen
from loopdeck.tui.screens.small import SmallScreen
from loopdeck.tui.theme import STYLES
from loopdeck.tui.widgets.lines import LineTable
from tests.kit.room import DOLLAR, a_deck, approval, in_room, loop_row, made_run, screen_text, sent, until
from tests.kit.written import WrittenRun


def table(app: Room) -> LineTable:
    return app.screen.query_one("#loops", LineTable)


def order(app) -> list[str]:
    rows = table(app).source
    return [rows.row(at).key.split("/")[1] for at in range(rows.count())]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_each_row_says_its_state_in_a_word_and_where_the_work_is(tmp_path, size):
    async def look():
        deck = a_deck(tmp_path)
        rows = (
            loop_row("asks", "asking", approvals=(approval(),)), loop_row("works"), loop_row("is-done", "ended"),
            loop_row("sleeps", "idle"),
        )  # fmt: skip
        async with in_room(deck, *rows, size=size) as (app, _, _):
            text = screen_text(app)
            assert "? asking" in text
            assert "▶ running" in text
            assert "✓ done" in text
            assert "· idle" in text
            assert "t›M›c›s" in text
            assert " 25%" in text
            assert "git push" in text
            assert "1 for you" in text
            assert "2/4" in text

    asyncio.run(look())


def test_the_cursor_stays_on_its_loop_when_the_order_changes(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        one, two, three = loop_row("one"), loop_row("two"), loop_row("three")
        async with in_room(deck, one, two, three) as (app, pilot, still):
            table(app).move_to(two.key)
            still.show(three, one, two)
            await until(pilot, lambda: order(app) == ["three", "one", "two"])
            assert table(app).cursor == two.key
            assert table(app).at == 2
            still.show(three, one)
            await until(pilot, lambda: order(app) == ["three", "one"])
            assert table(app).cursor == one.key

    asyncio.run(look())


def test_rows_do_not_move_under_a_hand_that_is_moving(tmp_path, monkeypatch):
    async def look():
        deck = a_deck(tmp_path)
        one, two, three = loop_row("one"), loop_row("two"), loop_row("three")
        async with in_room(deck, one, two, three) as (app, pilot, still):
            clock = [1000.0]
            monkeypatch.setattr(app, "now", lambda: clock[0])
            await pilot.press("down")
            still.show(three, two, one)
            await until(pilot, lambda: app.snapshot.number == still.number)
            assert order(app) == ["one", "two", "three"]
            clock[0] += REST_S + 0.1
            still.show(three, two, one)
            await until(pilot, lambda: order(app) == ["three", "two", "one"])
            assert table(app).cursor == two.key

    asyncio.run(look())


def test_a_filter_shows_only_what_has_its_words_and_escape_shows_all(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        async with in_room(deck, loop_row("docs"), loop_row("tests", "asking", why="wants a push"), loop_row("docs-two")) as (
            app,
            pilot,
            _,
        ):
            await pilot.press("slash", *"docs")
            assert order(app) == ["docs", "docs-two"]
            await pilot.press("enter")
            assert isinstance(app.focused, LineTable)
            await pilot.press("slash", "backspace", "backspace", "backspace", "backspace", *"push")
            assert order(app) == ["tests"]
            await pilot.press("escape")
            assert len(order(app)) == 3

    asyncio.run(look())


def test_a_jump_lands_on_the_loop_and_hides_nothing(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        async with in_room(deck, loop_row("alpha"), loop_row("beta"), loop_row("gamma")) as (app, pilot, _):
            await pilot.press("colon", *"ga", "enter")
            assert table(app).cursor.split("/")[1] == "gamma"
            assert len(order(app)) == 3

    asyncio.run(look())


def test_peek_tells_the_question_and_closes_again(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        row = loop_row("asks", "asking", approvals=(approval("rm -rf build"),))
        async with in_room(deck, row) as (app, pilot, _):
            # One row leaves room enough for it to be open from the start.
            await until(pilot, lambda: "? bash rm -rf build" in screen_text(app))
            assert "no rule allows it   a answers it" in screen_text(app)
            await pilot.press("space")
            assert "? bash rm -rf build" not in screen_text(app)
            await pilot.press("space")
            await until(pilot, lambda: "? bash rm -rf build" in screen_text(app))
            await pilot.press("escape")
            assert "? bash rm -rf build" not in screen_text(app)

    asyncio.run(look())


@pytest.mark.parametrize(
    ("rows", "size", "is_open"), [(2, (80, 24), True), (40, (80, 24), False), (14, (80, 24), False), (40, (120, 60), True)]
)
def test_peek_is_open_by_itself_only_in_lines_that_the_table_does_not_need(tmp_path, rows, size, is_open):
    async def look():
        listed = [loop_row(f"loop-{number:02}") for number in range(rows)]
        async with in_room(a_deck(tmp_path), *listed, size=size) as (app, pilot, _):
            await until(pilot, lambda: ("◇ trigger" in screen_text(app)) is is_open)
            text = screen_text(app)
            shown = [one.loop for one in listed if f" {one.loop} " in text]
            assert len(shown) >= min(rows, size[1] - 3)
            if not is_open:
                await pilot.press("space")
                await until(pilot, lambda: "◇ trigger" in screen_text(app))
                # What the cursor is on stays in sight.
                await pilot.press("end")
                await until(pilot, lambda: f" {listed[-1].loop} " in "".join(screen_text(app).splitlines()[: size[1] * 3 // 5]))

    asyncio.run(look())


def test_peek_follows_the_cursor_and_shows_the_last_lines_of_the_trace(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        runs = [WrittenRun(deck, name).begun().go_on(3) for name in ("one", "two")]
        runs[1].trace.append(tr.Noted(1, "a note of two"), at=runs[1].now(), clock=9.0)
        rows = [loop_row(run.paths.loop, run=run.paths.run, key=f"0/{run.paths.loop}") for run in runs]
        async with in_room(deck, *rows) as (app, pilot, _):
            await until(pilot, lambda: runs[0].paths.run in screen_text(app))
            assert "a note of two" not in screen_text(app)
            await pilot.press("down")
            await until(pilot, lambda: "note   a note of two" in screen_text(app))
        for run in runs:
            run.close()

    asyncio.run(look())


def test_the_footer_offers_only_what_would_do_something(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        async with in_room(deck, loop_row("sleeps", "idle")) as (app, pilot, still):
            foot = screen_text(app).splitlines()[-1]
            assert "start" in foot
            assert "pause" not in foot
            still.show(loop_row("sleeps"))
            await until(pilot, lambda: "p pause" in screen_text(app).splitlines()[-1])
            assert "s start" not in screen_text(app).splitlines()[-1]

    asyncio.run(look())


def test_a_click_on_the_footer_is_as_good_as_the_key(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("one")) as (app, pilot, _):
            foot = screen_text(app).splitlines()[-1]
            await pilot.click("KeyBar", offset=(foot.index("help"), 0))
            await until(pilot, lambda: isinstance(app.screen, HelpScreen))

    asyncio.run(look())


def test_help_lists_the_keys_of_the_screen_one_came_from(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("one")) as (app, pilot, _):
            await pilot.press("question_mark")
            await until(pilot, lambda: "Pause: stand still at the next step" in screen_text(app))
            await pilot.press("escape")
            assert isinstance(app.screen, DeckScreen)

    asyncio.run(look())


def test_the_palette_has_what_can_be_done_here(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("one")) as (app, pilot, _):
            await pilot.press("ctrl+p")
            await until(pilot, lambda: isinstance(app.screen, CommandPalette))
            await until(pilot, lambda: "Nudge" in screen_text(app) or "Filter" in screen_text(app))

    asyncio.run(look())


def test_an_empty_deck_says_what_to_do(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path)) as (app, _, _):
            assert "No loops yet. Press N" in screen_text(app)

    asyncio.run(look())


def test_a_thousand_rows_scroll_with_the_cursor(tmp_path):
    async def look():
        rows = tuple(loop_row(f"loop-{number:04}") for number in range(1000))
        async with in_room(a_deck(tmp_path), *rows) as (app, pilot, _):
            await pilot.press("end")
            await until(pilot, lambda: "loop-0999" in screen_text(app))
            await pilot.press("pageup", "pageup", "home")
            await until(pilot, lambda: "loop-0000" in screen_text(app))

    asyncio.run(look())


@pytest.mark.req("S1-15")
def test_the_title_forecasts_when_a_cap_is_reached(tmp_path):
    async def look():
        row = loop_row("spends", rate=3 * DOLLAR, cost=DOLLAR)
        async with in_room(a_deck(tmp_path), row) as (app, _, _):
            head = screen_text(app).splitlines()[0]
            assert "$3.00/h" in head
            assert "cap of spends in 20m" in head

    asyncio.run(look())


def test_the_demo_is_led_from_one_thing_to_the_next(tmp_path):
    async def look():
        asks = loop_row("release-notes", "asking", approvals=(approval(),))
        held = loop_row("never-enough", "paused")
        spent = loop_row("spender", "ended", reason="budget")
        async with in_room(a_deck(tmp_path), asks, held, spent, lead=DEMO) as (app, pilot, still):
            await until(pilot, lambda: "press a, read the command" in screen_text(app))
            still.show(loop_row("release-notes"), held, spent)
            await until(pilot, lambda: "never-enough is held" in screen_text(app))
            still.show(loop_row("release-notes"), loop_row("never-enough"), spent)
            await until(pilot, lambda: "spender has met its budget" in screen_text(app))

    asyncio.run(look())


def test_hostile_words_in_a_row_are_shown_and_do_nothing(tmp_path):
    hostile = "\x1b]0;owned\x07[@click=app.quit]x[/] \x9b31m \u202eevil [/usr/bin] " + "e\u0301" * 5
    hostile += "Z" + "\u0335" * 60 + "A" * 100_000

    async def look():
        row = loop_row("nasty", "asking", why=hostile, approvals=(approval(hostile),), agent=hostile, model=hostile)
        async with in_room(a_deck(tmp_path), row) as (app, pilot, _):
            await until(pilot, lambda: "a answers it" in screen_text(app))
            text = screen_text(app)
            assert not [letter for letter in text if ord(letter) < 32 and letter != "\n"]
            assert "\x9b" not in text
            assert "\u202e" not in text
            await pilot.click("LineTable", offset=(90, 1))
            assert app.is_running

    asyncio.run(look())


def test_a_terminal_too_small_says_so_and_comes_back(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("one"), size=(50, 10)) as (app, pilot, _):
            assert "needs a terminal of 60 x 12" in screen_text(app)
            await pilot.resize_terminal(80, 24)
            await until(pilot, lambda: "▶ running" in screen_text(app))

    asyncio.run(look())


def test_what_can_not_be_read_is_said_above_the_rows(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("one")) as (app, pilot, still):
            still.facts = {"trouble": ("runs/x: permission denied \x1b[31m",)}
            still.show(loop_row("one"))
            await until(pilot, lambda: "! runs/x: permission denied ␛[31m" in screen_text(app))

    asyncio.run(look())


def test_keys_can_be_changed(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("one")) as (app, pilot, _):
            app.wear(Taste("loopdeck-light", {"room.help": "f1"}))
            await pilot.press("f1")
            await until(pilot, lambda: isinstance(app.screen, HelpScreen))
            assert app.theme == "loopdeck-light"

    asyncio.run(look())


@pytest.mark.parametrize("theme", ["loopdeck", "loopdeck-light", "ansi-dark"])
def test_every_theme_has_every_style(tmp_path, theme):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("one"), loop_row("two", "asking")) as (app, pilot, _):
            app.theme = theme
            await pilot.pause()
            styles = {name: table(app).named_style(name) for name in STYLES}
            assert "▶ running" in screen_text(app)
            assert styles["bad"] != styles["plain"]

    asyncio.run(look())


def test_no_key_acts_where_nothing_can_be_seen(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        row = loop_row("one")
        lease = made_run(deck, row)
        try:
            async with in_room(deck, row) as (app, pilot, still):
                await pilot.resize_terminal(50, 10)
                await until(pilot, lambda: isinstance(app.screen, SmallScreen))
                await pilot.press("p", "K", "enter")
                await pilot.resize_terminal(120, 32)
                await until(pilot, lambda: isinstance(app.screen, DeckScreen))
                assert still.looked == 0
        finally:
            lease.release()
        assert sent(deck, row) == []

    asyncio.run(look())


def test_a_filter_that_nothing_fits_says_so_and_how_to_end_it(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("one")) as (app, pilot, _):
            await pilot.press("slash", *"zzz", "enter")
            await until(pilot, lambda: "/zzz: 0 of 1 loop; esc shows all" in screen_text(app))
            await until(pilot, lambda: "No loop has these words" in screen_text(app))
            # What can't be seen is not acted on.
            await pilot.press("K")
            assert isinstance(app.screen, DeckScreen)
            await pilot.press("escape")
            await until(pilot, lambda: "▶ running" in screen_text(app))
            assert "/zzz" not in screen_text(app)

    asyncio.run(look())


def test_a_jump_to_what_is_not_there_says_so(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("one")) as (app, pilot, _):
            await pilot.press("colon", *"zzz", "enter")
            await until(pilot, lambda: "no loop is called zzz" in screen_text(app))

    asyncio.run(look())


def test_an_empty_deck_offers_what_helps_there_and_nothing_else(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), size=(80, 24)) as (app, pilot, still):
            footer = screen_text(app).splitlines()[-1]
            assert "N new" in footer
            for word in ("filter", "open", "peek", "pause"):
                assert word not in footer
            still.show(loop_row("one"))
            await until(pilot, lambda: "/ filter" in screen_text(app).splitlines()[-1])

    asyncio.run(look())


def test_the_palette_shows_each_actions_key_the_operators_own_if_he_has_one(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("one")) as (app, pilot, _):
            titles = [one.title for one in app.get_system_commands(app.screen)]
            assert {"Kill  ·  K", "Peek  ·  space", "Filter  ·  /", "New loop  ·  N"} <= set(titles)
            app.wear(Taste(keys={"hand.kill": "f9"}))
            await until(pilot, lambda: "Kill  ·  f9" in [one.title for one in app.get_system_commands(app.screen)])

    asyncio.run(look())


def test_the_cursor_goes_to_a_loop_that_was_just_made_and_stays_where_a_hand_puts_it_then(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), loop_row("one"), loop_row("two")) as (app, pilot, still):
            app.sought = (0, "new")
            still.show(loop_row("one"), loop_row("two"), loop_row("new", "idle"))
            await until(pilot, lambda: " new " in screen_text(app))
            assert table(app).cursor.startswith("0/one")
            still.show(loop_row("new", "queued"), loop_row("one"), loop_row("two"))
            await until(pilot, lambda: table(app).cursor.startswith("0/new"))
            await pilot.press("down")
            still.show(loop_row("new"), loop_row("one"), loop_row("two"))
            await until(pilot, lambda: "▶3" in screen_text(app))
            assert table(app).cursor.startswith("0/one")

    asyncio.run(look())
