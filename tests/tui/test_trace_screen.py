"""The trace's screen under a hand: reading, following, filtering, searching, jumping, unfolding, copying, and text that means harm."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from textual.events import MouseScrollUp
from textual.pilot import Pilot
from textual.widgets import Input

from loopdeck.core import events as ev
from loopdeck.core import trace as tr
from loopdeck.core.conversation import Text
from loopdeck.core.usage import Usage
from loopdeck.deck.asides import ASIDES
from loopdeck.store.blobs import Blobs
from loopdeck.tui.screens.event import EventScreen
from loopdeck.tui.screens.trace import TraceScreen
from loopdeck.tui.traceasks import kinds_of
from loopdeck.tui.widgets.textpane import TextPane
from loopdeck.tui.widgets.tracelist import TraceList
from tests.kit.hostile import ALL, FAMILIES, harm_in
from tests.kit.room import a_deck, in_room, loop_row, screen_text, shows, until
from tests.kit.traces import iteration, long_trace, turn, write_trace
from tests.kit.written import WrittenRun

SIZES = [(80, 24), (120, 40)]
LINES = len(iteration(1))
LATER = "2098-01-01T00:00:00.000Z"
EVERY_KEY = (
    "n", "N", "f", "enter", "space", "y", "k", "escape", "i", "escape", "c", "c", "x", "up", "end", "pageup",
    "right_square_bracket", "left_square_bracket",
)  # fmt: skip


@asynccontextmanager
async def on_trace(tmp_path, events, *, status="running", reason=None, iteration_at=None, size=(100, 24)):
    """The screen on a trace of `events`, worked through as far as it is."""
    deck = a_deck(tmp_path)
    row = loop_row("fix-tests", status, **({"reason": reason} if reason else {}))
    paths = deck.home.run_dir(row.loop, row.run)
    paths.dir.mkdir(parents=True)
    if events:
        write_trace(paths.trace, events)
    async with in_room(deck, row, size=size) as (app, pilot, _):
        screen = TraceScreen(row, iteration_at)
        app.open(screen)
        await until(pilot, lambda: app.screen is screen and screen.is_mounted and not screen.tracing.task() and not screen.waits())
        yield app, pilot, screen, paths


def run(test) -> None:
    asyncio.run(test())


async def done(pilot, screen) -> None:
    await pilot.pause()
    await until(pilot, lambda: not screen.tracing.task() and not screen.waits())


async def loaded(pilot: Pilot[None], screen: EventScreen, number: int) -> None:
    """Line `number` on the event's screen."""
    screen.number = number
    screen.load()
    await until(pilot, lambda: screen.event is not None and screen.event.number == number)


async def typed(pilot, text: str) -> None:
    """Words into the line for words, and enter."""
    words = pilot.app.screen.query_one("#words", Input)
    await until(pilot, lambda: words.has_focus)
    words.value = text
    await pilot.press("enter")


def shown(screen) -> list[int]:
    return [screen.tracing.number(place) for place in range(screen.tracing.count())]


@pytest.mark.parametrize("size", SIZES)
def test_it_opens_at_the_end_and_says_what_each_line_is(tmp_path, size):
    async def look():
        async with on_trace(tmp_path, [*iteration(1), *iteration(2)], size=size) as (app, pilot, screen, _):
            text = screen_text(app)
            assert "trace · fix-tests 20261121-0715-a3f9" in text
            assert f"line {2 * LINES} of {2 * LINES}" in text
            assert "▼ following" in text
            assert "✗check  tests: failed, score 0.50, 1 finding" in text
            assert "reply  maker m202 1280 tokens" in text
            assert all(len(line) <= size[0] for line in text.splitlines())
            await pilot.press("home")
            assert screen.at() == 0
            assert "following" not in screen_text(app)

    run(look)


def test_keys_move_the_cursor_and_the_rows_on_the_screen_are_those_of_the_file(tmp_path):
    async def look():
        events = [tr.Noted(1, f"note number {number}.") for number in range(3000)]
        async with on_trace(tmp_path, events) as (app, pilot, screen, _):
            for key, at in (
                ("home", 0), ("down", 1), ("pagedown", 21), ("pageup", 1), ("end", 2999), ("up", 2998), ("pageup", 2978),
                ("g", 0), ("G", 2999),
            ):  # fmt: skip
                await pilot.press(key)
                assert screen.at() == at, key
                rows = [line for line in screen_text(app).splitlines() if "note number" in line]
                assert len(rows) >= 20
                numbers = [int(line.split("note number ")[1].split(".")[0]) for line in rows]
                assert numbers == list(range(numbers[0], numbers[0] + len(rows)))
                assert at in numbers
                assert all(int(line.split()[0]) == number + 1 for line, number in zip(rows, numbers, strict=True))

    run(look)


@pytest.mark.req("S1-13")
def test_a_failed_run_is_opened_at_its_first_failing_check(tmp_path):
    async def look():
        events = [*iteration(1, passed=True), *iteration(2), *iteration(3)]
        async with on_trace(tmp_path, events, status="ended", reason="max_iterations") as (app, pilot, screen, _):
            assert screen.at() == LINES + LINES - 2
            assert "tests: failed" in screen_text(app)
            await pilot.press("n")
            await done(pilot, screen)
            assert screen.at() == 3 * LINES - 2
            await pilot.press("n")
            await done(pilot, screen)
            assert screen.at() == 3 * LINES - 2
            await until(pilot, lambda: "No further problem" in screen_text(app))
            await pilot.press("N")
            await done(pilot, screen)
            assert screen.at() == 2 * LINES - 2

    run(look)


@pytest.mark.req("S1-13")
def test_every_kind_of_problem_is_stopped_at(tmp_path):
    async def look():
        good = turn(1, 1)
        events = [
            *good, tr.ToolReturned(1, "t", "bash", "no", True), *good, tr.ToolReturned(1, "t", "bash", "no", problem="tool_failed"),
            *good, tr.CheckRan(1, "tests", "error", 0.0, 1.0, "c" * 40),
            *good, tr.ModelFailed(1, "maker", "m", "m", "overloaded", "later", 1.0),
            *good, tr.ModelReplied(1, "maker", "m", "m", (), "end", Usage(), 1.0, problem="malformed_output"), *good,
        ]  # fmt: skip
        async with on_trace(tmp_path, events) as (_, pilot, screen, paths):
            with paths.trace.open("ab") as file:
                file.write(b"damage\n")
            await until(pilot, lambda: screen.tracing.total() == len(events) + 1)
            await pilot.press("home")
            stops = []
            for _ in range(6):
                await pilot.press("n")
                await done(pilot, screen)
                stops.append(screen.at())
            assert stops == [4, 9, 14, 19, 24, len(events)]

    run(look)


def test_an_iteration_is_opened_where_it_begins(tmp_path):
    async def look():
        events = [event for number in range(1, 6) for event in iteration(number)]
        async with on_trace(tmp_path, events, iteration_at=3) as (_, _, screen, _):
            assert screen.at() == 2 * LINES
            assert not screen.following

    run(look)


def test_following_is_a_mode_and_what_is_new_is_counted_where_one_does_not_look(tmp_path):
    async def look():
        async with on_trace(tmp_path, iteration(1)) as (app, pilot, screen, paths):
            write_trace(paths.trace, iteration(2))
            await until(pilot, lambda: screen.at() == 2 * LINES - 1)
            await pilot.press("up", "up")
            at = screen.at()
            write_trace(paths.trace, iteration(3))
            await until(pilot, lambda: f"↓ {LINES} new" in screen_text(app))
            assert screen.at() == at
            await pilot.press("f")
            await pilot.pause()
            assert screen.at() == 3 * LINES - 1
            assert "▼ following" in screen_text(app)
            await pilot.press("f")
            write_trace(paths.trace, iteration(4))
            await until(pilot, lambda: "new" in screen_text(app))
            await pilot.press("end")
            await until(pilot, lambda: "new" not in screen_text(app).splitlines()[1])
            assert screen.at() == 4 * LINES - 1

    run(look)


def test_a_wheel_that_turns_up_ends_following(tmp_path):
    async def look():
        async with on_trace(tmp_path, [event for number in range(1, 9) for event in iteration(number)]) as (_, pilot, screen, paths):
            assert screen.following
            listed = screen.query_one(TraceList)
            top = listed.scroll_offset.y
            listed.post_message(MouseScrollUp(listed, 5, 5, 0, -1, 0, False, False, False))
            await until(pilot, lambda: listed.scroll_offset.y < top)
            assert not screen.following
            write_trace(paths.trace, iteration(9))
            await until(pilot, lambda: screen.tracing.total() == 9 * LINES)
            await pilot.pause()
            assert listed.scroll_offset.y < top

    run(look)


def test_nothing_is_looked_at_behind_another_screen(tmp_path):
    async def look():
        async with on_trace(tmp_path, iteration(1)) as (app, pilot, screen, paths):
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, EventScreen))
            write_trace(paths.trace, iteration(2))
            before = screen.tracing.window.known
            for _ in range(8):
                await pilot.pause(0.05)
            assert screen.tracing.window.known == before
            await pilot.press("escape")
            await until(pilot, lambda: screen.tracing.total() == 2 * LINES)

    run(look)


def test_a_filter_by_kind_and_iteration_and_back(tmp_path):
    async def look():
        events = [event for number in range(1, 6) for event in iteration(number)]
        async with on_trace(tmp_path, events) as (app, pilot, screen, _):
            await pilot.press("home", "k")
            await typed(pilot, "check com")
            await done(pilot, screen)
            kinds = [event.__struct_config__.tag for event in events]
            assert shown(screen) == [number for number, kind in enumerate(kinds) if kind in ("check_ran", "committed")]
            assert "only check, commit" in screen_text(app)
            await pilot.press("i")
            await typed(pilot, "3")
            await done(pilot, screen)
            assert shown(screen) == [
                2 * LINES + number for number, kind in enumerate(kinds[:LINES]) if kind in ("check_ran", "committed")
            ]
            assert "iteration 3" in screen_text(app)
            await pilot.press("i")
            await done(pilot, screen)
            assert len(shown(screen)) == 15
            await pilot.press("escape")
            await done(pilot, screen)
            assert shown(screen) == list(range(len(events)))
            await pilot.press("k")
            await typed(pilot, "nonsense")
            await until(pilot, lambda: "There is no kind 'nonsense'" in screen_text(app))
            assert screen.tracing.choice.everything

    run(look)


def test_the_cursor_stays_on_its_line_when_the_choice_changes(tmp_path):
    async def look():
        events = [event for number in range(1, 60) for event in iteration(number)]
        async with on_trace(tmp_path, events) as (_, pilot, screen, _):
            check = 40 * LINES - 2
            await pilot.press("colon")
            await typed(pilot, str(check + 1))
            assert screen.at() == check
            await pilot.press("c")
            await done(pilot, screen)
            assert screen.at() == check
            assert screen.tracing.choice.calls
            await pilot.press("c")
            await done(pilot, screen)
            assert screen.at() == check

    run(look)


def test_the_tree_of_calls_has_seconds_and_cost_on_each_line(tmp_path):
    async def look():
        async with on_trace(tmp_path, iteration(1), size=(120, 40)) as (app, pilot, screen, _):
            await pilot.press("c")
            await done(pilot, screen)
            lines = screen_text(app).splitlines()
            reply, call, result = lines[2:5]
            assert reply.rstrip().endswith("1.50 s   $0.0048")
            assert "call     bash" in call
            assert "result     bash ok" in result
            assert result.rstrip().endswith("0.25 s")

    run(look)


def test_a_search_goes_to_hits_one_after_the_other_and_around(tmp_path):
    async def look():
        events = [tr.Noted(1, "a needle" if number % 700 == 350 else f"hay {number}") for number in range(3000)]
        hits = [350, 1050, 1750, 2450]
        async with on_trace(tmp_path, events) as (app, pilot, screen, _):
            await pilot.press("colon")
            await typed(pilot, "1500")
            await pilot.press("slash")
            await typed(pilot, "needle")
            await done(pilot, screen)
            assert screen.at() == 1750
            assert '"needle" 4 hits' in screen_text(app)
            seen = []
            for key in ("n", "n", "n", "N", "N"):
                await pilot.press(key)
                await done(pilot, screen)
                seen.append(screen.at())
            assert seen == [2450, 350, 1050, 350, 2450]
            assert set(seen) <= set(hits)
            await pilot.press("slash")
            await typed(pilot, "nowhere")
            await until(pilot, lambda: "No further hit" in screen_text(app))
            assert screen.at() == 2450
            await pilot.press("escape")
            assert screen.tracing.search is None

    run(look)


def test_a_search_within_a_filter_stops_only_at_what_is_shown(tmp_path):
    async def look():
        events = [event for number in range(1, 4) for event in turn(number, number, "needle")]
        async with on_trace(tmp_path, events) as (_, pilot, screen, _):
            await pilot.press("home", "k")
            await typed(pilot, "result")
            await done(pilot, screen)
            await pilot.press("slash")
            await typed(pilot, "needle")
            await done(pilot, screen)
            seen = [screen.at()]
            for _ in range(2):
                await pilot.press("n")
                await done(pilot, screen)
                seen.append(screen.at())
            assert seen == [3, 7, 11]
            assert screen.tracing.choice.kinds

    run(look)


def test_jumps_by_number_iteration_and_time(tmp_path):
    async def look():
        events = [event for number in range(1, 6) for event in iteration(number)]
        async with on_trace(tmp_path, events) as (app, pilot, screen, _):
            for words, at in (("7", 6), ("i4", 3 * LINES), ("07:15", 0), ("999999", 5 * LINES - 1)):
                await pilot.press("colon")
                await typed(pilot, words)
                assert screen.at() == at, words
            await pilot.press("colon")
            await typed(pilot, "nowhere")
            await until(pilot, lambda: "There is no line" in screen_text(app))
            await pilot.press("colon")
            await pilot.press("escape")
            assert not screen.query_one("#words", Input).display
            assert isinstance(app.screen, TraceScreen)

    run(look)


def test_from_a_call_to_its_result_and_back_to_the_prompt(tmp_path):
    async def look():
        async with on_trace(tmp_path, iteration(1)) as (app, pilot, screen, _):
            await pilot.press("colon")
            await typed(pilot, "4")
            seen = []
            for key in (
                "right_square_bracket",
                "left_square_bracket",
                "left_square_bracket",
                "left_square_bracket",
                "left_square_bracket",
            ):
                await pilot.press(key)
                seen.append(screen.at())
            assert seen == [4, 3, 2, 1, 1]
            await until(pilot, lambda: "No earlier event" in screen_text(app))

    run(look)


def test_a_long_text_is_folded_counted_and_unfolded_in_place(tmp_path):
    async def look():
        events = [
            tr.Noted(1, "first"),
            tr.Noted(1, "\n".join(f"row {number}" for number in range(300)) + "x" * 2000),
            tr.Noted(1, "last"),
        ]
        async with on_trace(tmp_path, events) as (app, pilot, screen, _):
            await pilot.press("home", "down")
            assert "+3.9k" in screen_text(app)
            await pilot.press("space")
            await pilot.pause()
            text = screen_text(app)
            assert "│ row 0" in text
            assert "│ row 15" in text
            assert "last" not in text
            listed = screen.query_one(TraceList)
            assert listed.virtual_size.height == 3 + 200
            await pilot.press("down")
            await pilot.pause()
            assert "enter opens the event" in screen_text(app)
            assert screen.at() == 2
            await pilot.press("up", "space")
            await pilot.pause()
            assert "│" not in screen_text(app)
            assert listed.virtual_size.height == 3

    run(look)


@pytest.mark.parametrize("size", SIZES)
def test_an_event_is_opened_in_full_and_others_from_there(tmp_path, size):
    async def look():
        async with on_trace(tmp_path, iteration(1), size=size) as (app, pilot, screen, _):
            await pilot.press("colon")
            await typed(pilot, "4")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, EventScreen) and "pytest -q" in screen_text(app))
            assert '"command": "pytest -q"' in screen_text(app)
            await pilot.press("right_square_bracket")
            await until(pilot, lambda: "came to" in screen_text(app))
            await pilot.press("N")
            await until(pilot, lambda: "came to" not in screen_text(app) and "arguments" in screen_text(app))
            await pilot.press("n", "n")
            await until(pilot, lambda: "what was sent" in screen_text(app))
            await pilot.press("escape")
            assert app.screen is screen
            assert screen.at() == 5

    run(look)


@pytest.mark.req("S2-016")
@pytest.mark.parametrize("size", [*SIZES, (200, 60)])
def test_a_prompt_shows_its_parts_and_the_reply_beside_or_below(tmp_path, size):
    async def look():
        async with on_trace(tmp_path, [], size=size) as (app, pilot, screen, paths):
            text = "You are the maker of all things."
            part = tr.PartNote("role", len(text), Blobs(paths.blobs).put(text.encode()), "maker.md", True)
            reply = tr.ModelReplied(1, "maker", "m1", "m", (Text("This is the reply."),), "end", Usage(100, 20, 300), 1.0, 10**9)
            write_trace(paths.trace, [tr.PromptSent(1, "maker", "m1", "m", (part,), 1), reply])
            await until(pilot, lambda: screen.tracing.total() == 2)
            await pilot.press("home", "enter")
            for words in ("what was sent", "1 role", "steady", "maker.md", "~8"):
                await until(pilot, shows(app, words))
            if size[0] >= 110:
                await until(pilot, lambda: "You are the maker" in screen_text(app))
                await until(pilot, lambda: any("the reply · line 2" in line[size[0] // 2 :] for line in screen_text(app).splitlines()))
            else:
                assert not app.screen.query_one("#beside", TextPane).display
                for _ in range(2):
                    await pilot.press("p")
                await until(pilot, lambda: "This is the reply." in screen_text(app))

    run(look)


def test_copying_needs_a_key_and_hands_over_clean_text(tmp_path):
    async def look():
        async with on_trace(tmp_path, [tr.Noted(1, ALL)]) as (app, pilot, _, _):
            assert app.clipboard == ""
            await pilot.press("y")
            await pilot.pause()
            assert "noted" in app.clipboard
            assert not harm_in(app.clipboard)
            app.copy_to_clipboard("")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, EventScreen) and "── note" in screen_text(app))
            assert app.clipboard == ""
            await pilot.press("y")
            await until(pilot, lambda: app.clipboard)
            assert not harm_in(app.clipboard)
            assert "approved" in app.clipboard

    run(look)


def test_what_is_shown_is_exported_to_the_current_folder(tmp_path, monkeypatch):
    async def look():
        async with on_trace(tmp_path, [*iteration(1), *iteration(2)]) as (app, pilot, screen, paths):
            here = tmp_path / "here"
            here.mkdir()
            monkeypatch.chdir(here)
            await pilot.press("home", "k")
            await typed(pilot, "check")
            await done(pilot, screen)
            await pilot.press("x")
            await until(pilot, lambda: "Written to" in screen_text(app))
            lines = paths.trace.read_bytes().splitlines(keepends=True)
            expected = b"".join(lines[number] for number in shown(screen))
            assert (here / "fix-tests-20261121-0715-a3f9-check.jsonl").read_bytes() == expected

    run(look)


def test_damage_is_shown_with_its_number_and_opened_as_it_is(tmp_path):
    async def look():
        async with on_trace(tmp_path, iteration(1)) as (app, pilot, screen, paths):
            with paths.trace.open("ab") as file:
                file.write(b"\x00\x1b]52;c;eA==\x07 broken\n")
            await until(pilot, lambda: "✗ damaged" in screen_text(app))
            row = next(line for line in screen_text(app).splitlines() if "damaged" in line)
            assert row.split()[0] == str(LINES + 1)
            await pilot.press("end", "k")
            await typed(pilot, "check")
            await done(pilot, screen)
            assert shown(screen) == [LINES - 3, LINES - 2, LINES]
            await pilot.press("end", "enter")
            await until(pilot, lambda: "can't be read" in screen_text(app))
            assert "broken" in screen_text(app)

    run(look)


def hostile_events() -> list[tr.TraceEvent]:
    """Every family of hostile text in every place that an agent has a say in."""
    markup = "[@click=app.quit]quit[/] [/usr/bin] [bold"
    texts = [*FAMILIES.values(), markup, ALL, "Z" + "\u0301" * 5000, "\u202e" * 100, "﷽" * 50, "👩‍👩‍👧‍👦🇩🇪" * 30]
    return [
        event
        for text in texts
        for event in (
            tr.ToolCalled(1, text, text, text),
            tr.ToolReturned(1, text, text, text, True),
            tr.CheckRan(1, text, "failed", 0.0, 1.0, text, text, 1, tail=text),
            tr.ModelReplied(1, "maker", text, text, (Text(text),), "end", Usage(1), 1.0, request_id=text),
            tr.PromptSent(1, "maker", text, text, (tr.PartNote(text, 5, text, text),), 1, (text,), template=text),
            tr.ModelFailed(1, "maker", text, text, "server", text, 1.0),
            tr.Noted(1, text),
            tr.StateRead(1, "maker", text),
        )
    ]


@pytest.mark.parametrize("size", SIZES)
def test_hostile_text_reaches_no_screen_raw(tmp_path, size):
    async def look():
        events = hostile_events()
        async with on_trace(tmp_path, events, size=size) as (app, pilot, screen, _):
            for _ in range(len(events) // (size[1] - 4) + 1):
                await pilot.press("pageup")
                assert not harm_in(screen_text(app)), screen.at()
            # Of each family one kind of event, another for the next one.
            some = [8 * family + family % 8 for family in range(len(events) // 8)]
            for number in some:
                screen.go_to(number)
                screen.action_unfold()
                await pilot.pause()
                assert not harm_in(screen_text(app)), number
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, EventScreen))
            for number in some:
                await loaded(pilot, app.screen, number)
                assert not harm_in(screen_text(app)), number
            await pilot.press("escape", "slash")
            screen.query_one("#words", Input).value = ALL
            await pilot.press("enter")
            await done(pilot, screen)
            assert not harm_in(screen_text(app))
            assert app.is_running

    run(look)


def test_lines_of_a_megabyte_are_shown_like_any_other(tmp_path):
    async def look():
        events = [tr.Noted(1, f"{number} " + "y" * 1_000_000) for number in range(12)]
        async with on_trace(tmp_path, events) as (app, pilot, _, _):
            await pilot.press("home")
            text = screen_text(app)
            assert sum("yyyy" in line for line in text.splitlines()) == 12
            assert "+999.6k" in text
            await pilot.press("space")
            await pilot.pause()
            assert "│" in screen_text(app)
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, EventScreen) and "1,000,002 bytes" in screen_text(app))
            pane = app.screen.query_one("#event", TextPane)
            assert sum(len(row.text) for row in pane.rows if row.text.startswith("y")) >= 990_000

    run(look)


def test_an_empty_trace_and_one_that_can_not_be_read_have_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def look():
        async with on_trace(tmp_path, []) as (app, pilot, screen, paths):
            assert "nothing in the trace yet" in screen_text(app)
            for key in EVERY_KEY:
                await pilot.press(key)
            await done(pilot, screen)
            paths.trace.symlink_to(paths.dir / "elsewhere")
            await until(pilot, lambda: "can't read the log" in screen_text(app))
            paths.trace.unlink()
            paths.trace.mkdir()
            await until(pilot, lambda: "Is a directory" in screen_text(app))
            for key in EVERY_KEY:
                await pilot.press(key)
            paths.trace.rmdir()
            write_trace(paths.trace, iteration(1))
            await until(pilot, lambda: screen.tracing.total() == LINES)

    run(look)


def test_a_hundred_thousand_lines_are_opened_filtered_and_searched(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        row = loop_row("long", "ended")
        paths = deck.home.run_dir(row.loop, row.run)
        paths.dir.mkdir(parents=True)
        long_trace(paths.trace, 100_000)
        async with in_room(deck, row) as (app, pilot, _):
            screen = TraceScreen(row)
            app.open(screen)
            await until(pilot, lambda: app.screen is screen and screen.is_mounted)
            assert screen.at() == 99_999
            await done(pilot, screen)
            await pilot.press("slash")
            await typed(pilot, "77776 passed")
            await done(pilot, screen)
            assert screen.at() == 77_779
            await pilot.press("escape", "k")
            await typed(pilot, "check")
            await done(pilot, screen)
            assert screen.tracing.count() == 50

    run(look)


def test_kinds_are_named_by_their_beginnings():
    assert kinds_of("ch, res") == (frozenset({"check_ran", "tool_returned"}), ())
    assert kinds_of("state") == (frozenset({"state_read", "state_written"}), ())
    assert kinds_of("tool_c xyz") == (frozenset({"tool_called"}), ("xyz",))
    assert kinds_of("  ") == (frozenset(), ())


@pytest.mark.req("S1-13")
def test_what_people_did_stands_between_the_lines_and_can_be_unfolded_filtered_and_copied(tmp_path):
    async def look():
        deck = a_deck(tmp_path)
        told = WrittenRun(deck, "fix-tests").begun()
        told.trace.append(tr.Noted(0, "before"), at=told.now(), clock=1)
        told.tell(ev.PauseAsked("olga"), ev.RunPaused("pause", "olga"), at=LATER)
        told.tell(ev.Nudged("look at the parser first", "olga"), at=LATER)
        told.trace.append(tr.Noted(0, "after"), at="2099-01-01T00:00:00.000Z", clock=2)
        row = loop_row("fix-tests", run=told.paths.run, key="0/fix-tests")
        async with in_room(deck, row, size=(100, 24)) as (app, pilot, still):
            screen = TraceScreen(row)
            app.open(screen)
            await until(pilot, lambda: "pause  asked for by olga" in screen_text(app))
            await done(pilot, screen)
            kinds = [line.split()[2] for line in screen_text(app).splitlines()[2:8]]
            assert kinds == ["start", "note", "pause", "pause", "nudge", "note"]
            assert screen.tracing.number(screen.lines.at) == 1
            await pilot.press("up")
            assert "beside line 1 of 2" in screen_text(app)
            await pilot.press("enter")
            await until(pilot, lambda: "│ look at the parser first" in screen_text(app))
            await pilot.press("y", "k")
            await typed(pilot, "beside")
            await done(pilot, screen)
            assert app.clipboard.endswith("nudge by olga look at the parser first")
            assert "note" not in screen_text(app)
            # What happens while it is open comes too, and the cursor stays where it is.
            on = screen.tracing.places.key(screen.lines.at)
            told.tell(ev.RunResumed("olga"), at=LATER)
            still.show(row)
            await until(pilot, lambda: "resume by olga" in screen_text(app))
            assert screen.tracing.places.key(screen.lines.at) == on
        told.close()

    run(look)


def test_the_word_beside_names_all_kinds_of_what_is_not_in_the_trace():
    assert kinds_of("beside") == (frozenset(ASIDES), ())
    assert kinds_of("pau nud") == (frozenset({"pause", "nudge"}), ())
