"""The loop screen, comparison, why and the harness, on a deck with real runs."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial

import pytest
from textual.pilot import Pilot

from loopdeck.core.columns import Cell, TableRow
from loopdeck.deck.decks import Deck
from loopdeck.deck.reader import Reader
from loopdeck.deck.snapshot import LoopRow
from loopdeck.errors import StoreError
from loopdeck.tui.app import Room
from loopdeck.tui.beside import Beside
from loopdeck.tui.screens.compare import CompareScreen
from loopdeck.tui.screens.deck import DeckScreen
from loopdeck.tui.screens.harness import HarnessScreen
from loopdeck.tui.screens.loop import LoopScreen
from loopdeck.tui.screens.trace import TraceScreen
from loopdeck.tui.screens.why import WhyScreen
from loopdeck.tui.widgets.facts import FactList
from loopdeck.tui.widgets.lines import LineTable
from tests.kit.front import Front
from tests.kit.past import past_deck
from tests.kit.room import screen_text, shows, until

SIZES = [(80, 24), (120, 40)]


@pytest.fixture(scope="module")
def past(tmp_path_factory) -> Iterator[Front]:
    with past_deck(tmp_path_factory.mktemp("past")) as front:
        yield front


@asynccontextmanager
async def room_on(past: Front, size: tuple[int, int] = (120, 40)) -> AsyncIterator[tuple[Room, Pilot[None]]]:
    """The room with its own reader on the deck with a past."""
    deck = Deck.open(past.repo, past.env)
    app = Room((deck,), lambda post: Reader((deck,), post), by="tester@here")
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: len(app.snapshot.rows) >= 4)
        yield app, pilot


async def into(app: Room, pilot: Pilot[None], loop: str) -> None:
    """The loop screen of that loop, with its iterations."""
    table = app.screen.query_one("#loops", LineTable)
    table.move_to(f"0/{loop}")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, LoopScreen) and app.screen.selected() is not None)


def in_front(app: Room) -> LoopScreen:
    """The screen in front, which is a loop's."""
    assert isinstance(app.screen, LoopScreen)
    return app.screen


def run_of(app: Room) -> LoopRow:
    """The run that the loop screen in front shows."""
    row = in_front(app).subject()
    assert row is not None
    return row


def selected(app: Room) -> int:
    """The number of the iteration under the cursor; 0 if there is none."""
    one = in_front(app).selected()
    return one.number if one is not None else 0


def facts(app: Room) -> str:
    """All lines of the facts in front, also those below the screen."""
    source = app.screen.query_one(FactList).source
    return "\n".join(said(source.row(at), 0) for at in range(source.count()))


def said(row: TableRow, column: int) -> str:
    """What stands in a column of a row."""
    cells = row.painted[column]
    return cells.text if isinstance(cells, Cell) else "".join(one.text for one in cells)


@pytest.mark.parametrize("size", SIZES)
def test_every_iteration_of_a_run_can_be_seen(past, size):
    async def look():
        async with room_on(past, size) as (app, pilot):
            await into(app, pilot, "climber")
            for part in ("★3", "✓✗✗", "✓✓✗", "✓✓✓", "2 +2 -0", "$0.0090", "◇ trigger", "iteration 3/5", "≤5 iterations", "● 2 checks"):
                await until(pilot, shows(app, part))
            await pilot.press("up")
            await until(pilot, lambda: "answer.txt:1" in screen_text(app))
            assert "a TODO is left  (major, repeated x2)" in facts(app)

    asyncio.run(look())


@pytest.mark.parametrize("size", SIZES)
def test_the_first_failing_check_is_two_keys_from_the_deck(past, size):
    async def look():
        async with room_on(past, size) as (app, pilot):
            app.screen.query_one("#loops", LineTable).move_to("0/climber")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, LoopScreen) and app.screen.selected() is not None)
            await pilot.press("f")
            assert "✗ two failed" in screen_text(app)
            assert "two is missing" in screen_text(app)
            await pilot.press("f")
            assert selected(app) == 2
            assert "✗ tidy failed" in screen_text(app)
            await pilot.press("f")
            assert selected(app) == 1

    asyncio.run(look())


@pytest.mark.req("X-10")
def test_down_to_a_call_and_up_again(past):
    async def look():
        async with room_on(past) as (app, pilot):
            await into(app, pilot, "climber")
            await pilot.press("up", "enter")
            await until(pilot, lambda: isinstance(app.screen, TraceScreen))
            await until(pilot, lambda: "2" in screen_text(app))
            await pilot.press("enter")
            await until(pilot, lambda: not isinstance(app.screen, TraceScreen))
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, TraceScreen))
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, LoopScreen))
            assert selected(app) == 2
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, DeckScreen))

    asyncio.run(look())


@pytest.mark.parametrize("size", SIZES)
def test_any_two_iterations_can_be_compared(past, size):
    async def look():
        async with room_on(past, size) as (app, pilot):
            await into(app, pilot, "climber")
            await pilot.press("home", "c")
            assert "◉1" in screen_text(app)
            assert "iteration 1 is put aside" in screen_text(app)
            await pilot.press("end", "c")
            await until(pilot, lambda: isinstance(app.screen, CompareScreen) and "-one TODO" in diff(app))
            assert "iteration 1 → iteration 3" in screen_text(app)
            assert "+one two" in diff(app)
            assert "+written in iteration 3" in diff(app)
            assert "findings: 2 fixed, 0 new, 0 still there" in facts(app)
            assert "failed → passed" in facts(app)
            await pilot.press("left_square_bracket")
            await until(pilot, lambda: "new file mode" in diff(app))
            await pilot.press("escape")
            assert "◉1" in screen_text(app)
            await pilot.press("home", "c")
            assert "put aside" not in screen_text(app)

    asyncio.run(look())


def diff(app: Room) -> str:
    source = app.screen.query_one("#diff", LineTable).source
    return "\n".join(said(source.row(at), 0) for at in range(source.count()))


def test_letting_go_of_what_was_put_aside(past):
    async def look():
        async with room_on(past) as (app, pilot):
            await into(app, pilot, "climber")
            await pilot.press("c", "c")
            assert "put aside" not in screen_text(app)
            await pilot.press("C")
            await until(pilot, lambda: isinstance(app.screen, CompareScreen))
            assert "iteration 2 → iteration 3" in screen_text(app)

    asyncio.run(look())


@pytest.mark.parametrize("size", SIZES)
def test_why_from_the_deck_and_from_the_loop(past, size):
    async def look():
        async with room_on(past, size) as (app, pilot):
            app.screen.query_one("#loops", LineTable).move_to("0/stuck")
            await pilot.press("w")
            await until(pilot, lambda: isinstance(app.screen, WhyScreen) and "same_findings: 2 iterations in a row" in screen_text(app))
            for part in ("2 of 9", "last progress", "process", "iteration 2", "run ended"):
                assert part in facts(app)
            await pilot.press("escape")
            await into(app, pilot, "asker")
            await pilot.press("w")
            await until(pilot, lambda: isinstance(app.screen, WhyScreen) and "approve bash: echo hello" in screen_text(app))
            assert "alive" in facts(app)
            await pilot.press("i")
            await until(pilot, lambda: isinstance(app.screen, LoopScreen))

    asyncio.run(look())


def test_why_of_a_loop_without_a_run(past):
    async def look():
        async with room_on(past) as (app, pilot):
            app.screen.query_one("#loops", LineTable).move_to("0/fresh")
            await pilot.press("w")
            await until(pilot, lambda: "no run yet" in screen_text(app))
            await pilot.press("escape", "enter")
            await until(pilot, lambda: "no run yet; s starts one" in screen_text(app))
            await until(pilot, lambda: "trace" not in screen_text(app).splitlines()[-1])
            await pilot.press("f", "c", "C", "o", "enter", "left_square_bracket")
            assert isinstance(app.screen, LoopScreen)

    asyncio.run(look())


def test_the_question_of_one_that_asks_stands_on_top(past):
    async def look():
        async with room_on(past, (80, 24)) as (app, pilot):
            await into(app, pilot, "asker")
            text = screen_text(app)
            assert "◆ MAKER" in text
            assert "waits for you: approval" in text
            assert "bash echo hello" in text

    asyncio.run(look())


@pytest.mark.req("S0-15")
def test_an_edit_of_the_loop_file_is_said_to_apply_to_the_next_run(past):
    file = past.repo / ".loopdeck/loops/asker/loop.toml"
    before = file.read_text()

    async def look():
        async with room_on(past) as (app, pilot):
            await into(app, pilot, "asker")
            assert "≤3 iterations" in screen_text(app)
            assert "applies next run" not in screen_text(app)
            file.write_text(before.replace("max_iterations = 3", "max_iterations = 7"))
            await until(pilot, lambda: "loop file changed, applies next run" in screen_text(app))
            assert "≤3 iterations" in screen_text(app)

    try:
        asyncio.run(look())
    finally:
        file.write_text(before)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.req("S0-27")
def test_the_harness_is_a_list_of_files_with_versions(past, size):
    async def look():
        async with room_on(past, size) as (app, pilot):
            await pilot.press("H")
            await until(pilot, lambda: isinstance(app.screen, HarnessScreen) and "maker.md" in screen_text(app))
            text = screen_text(app)
            assert "asker, climber, fresh, stuck" in text
            assert "loopdeck/prompts/maker.md" in facts(app)
            table = app.screen.query_one("#parts", LineTable)
            at = next(at for at in range(table.source.count()) if said(table.source.row(at), 1) == "tidying")
            table.move_to(table.source.row(at).key, by_hand=True)
            await until(pilot, lambda: ".loopdeck/skills/tidying/SKILL.md" in facts(app))
            assert "no run yet" in facts(app)

    asyncio.run(look())


def test_a_new_run_is_followed_and_older_ones_can_be_chosen(past):
    async def look():
        async with room_on(past) as (app, pilot):
            await into(app, pilot, "stuck")
            first = run_of(app).run
            await asyncio.to_thread(past.ok, "start", "stuck")
            await until(pilot, lambda: run_of(app).run != first)
            await until(pilot, lambda: run_of(app).status == "ended" and "run 2 of 2" in screen_text(app))
            await until(pilot, lambda: selected(app) == 2)
            await pilot.press("left_square_bracket")
            await until(pilot, lambda: run_of(app).run == first and "run 1 of 2" in screen_text(app))
            await pilot.press("w")
            await until(pilot, lambda: isinstance(app.screen, WhyScreen) and first in screen_text(app))
            assert "same_findings" in facts(app)
            await pilot.press("escape", "right_square_bracket")
            await until(pilot, lambda: run_of(app).run != first and "run 2 of 2" in screen_text(app))

    asyncio.run(look())


@pytest.mark.req("S2-003")
def test_a_findings_file_is_opened_at_its_line_where_the_cursor_is_on_one(past, monkeypatch, tmp_path):
    told = tmp_path / "told"
    editor = tmp_path / "code"
    editor.write_text(f'#!/bin/sh\necho "$@" > {told}\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))

    async def look():
        async with room_on(past) as (app, pilot):
            await into(app, pilot, "climber")
            notices: list[str] = []
            monkeypatch.setattr(app, "tell", lambda text, kind="information": notices.append(text))
            await pilot.press("o")
            assert "put the cursor on one that names a file" in notices[-1]
            await pilot.press("f", "down", "o")
            # Under Pilot there is no terminal to lend to an editor: that is said, and nothing breaks.
            assert "can't be lent to an editor" in notices[-1]
            monkeypatch.setattr(app, "suspend", nullcontext)
            await pilot.press("o")
            assert told.read_text() == f"-g {run_of(app).worktree}/answer.txt:1\n"

    asyncio.run(look())


def test_a_journal_that_can_not_be_read_is_told_once_and_the_screen_stays(past, monkeypatch):
    async def look():
        async with room_on(past) as (app, pilot):
            told: list[str] = []
            monkeypatch.setattr(app, "tell", lambda text, kind="information": told.append(text))

            def fails() -> None:
                raise StoreError("the disk is on fire")

            done: list[object] = []
            beside = Beside(app, done.append)
            beside.want(fails)
            beside.want(fails)
            await until(pilot, lambda: told)
            beside.want(lambda: 1)
            await until(pilot, lambda: done)
            beside.want(fails)
            await until(pilot, lambda: len(told) == 2)
            assert set(told) == {"the disk is on fire"}

    asyncio.run(look())


def test_of_many_wishes_the_newest_is_done(past):
    async def look():
        async with room_on(past) as (app, pilot):
            done: list[int] = []
            gate = threading.Event()
            beside = Beside(app, done.append)
            beside.want(lambda: gate.wait(10) and 0)
            for number in range(1, 50):
                beside.want(partial(int, number))
            gate.set()
            await until(pilot, lambda: len(done) == 2)
            assert done == [0, 49]

    asyncio.run(look())
