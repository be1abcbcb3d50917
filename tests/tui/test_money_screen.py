"""The money screen on a real deck: its views, receipts that add up on the screen, keys and mouse."""

import asyncio

import pytest
from textual.pilot import Pilot

from loopdeck.core.columns import Cell
from loopdeck.deck.decks import Deck
from loopdeck.tui.app import Room
from loopdeck.tui.screens.loop import LoopScreen
from loopdeck.tui.screens.money import MoneyScreen
from loopdeck.tui.widgets.choices import Choices
from loopdeck.tui.widgets.lines import LineTable
from tests.cli.loops import fixer, loop, turn, write
from tests.e2e.judges import judged, verdict
from tests.kit.front import opened
from tests.kit.room import a_deck, in_room, loop_row, screen_text, until

CACHED = {"input": 100, "output": 50, "cache_read": 9000, "cache_write": 500}


@pytest.fixture(scope="module")
def deck(tmp_path_factory):
    turns = [turn("Writing.", write("kind.txt", "kind\n")), turn("Done.", usage=CACHED)]
    graded = judged("judged", turns, [turn(verdict(kind=True))], "- **kind**: it is kind.\n", judge={"model": "claude-haiku-4-5"})
    never = [turn("w", write("x", "1")), turn("d"), turn("w", write("x", "2"), iteration=2), turn("d")]
    files = {"README.md": "x", **fixer(), **graded, **loop("never", never, checks=[{"run": "false"}], end={"max_iterations": 2})}
    with opened(tmp_path_factory.mktemp("ledger"), files) as door:
        door.run("start", "--all", "--wait")
        door.ok("start", "fixer", "--wait")
        yield Deck.open(door.repo, door.env)


def rows(deck):
    entries = deck.document()["loops"]
    return [
        loop_row(one["loop"], "ended", run=one["run"], key=f"0/{one['loop']}/{one['run']}", reason=one["reason"]) for one in entries
    ]


def texts(table: LineTable, at: int) -> list[str]:
    """What stands in the column that is number `at`."""
    cells = [table.source.row(row).painted[at] for row in range(table.source.count())]
    return [one.text if isinstance(one, Cell) else "".join(part.text for part in one) for one in cells]


def names(table: LineTable) -> list[str]:
    return texts(table, 0)


def column(table: LineTable, name: str) -> list[int]:
    at = [one.name for one in table.columns].index(name)
    return [int(text.replace("$", "").replace(".", "") or 0) for text in texts(table, at)]


async def opened_at_money(app: Room, pilot: Pilot[None]) -> MoneyScreen:
    await pilot.press("m")
    await until(pilot, lambda: isinstance(app.screen, MoneyScreen) and app.screen.table.source.count())
    assert isinstance(app.screen, MoneyScreen)
    return app.screen


async def until_total(pilot: Pilot[None], table: LineTable, name: str, total: int) -> None:
    """Wait until the last line of that column is `total`."""
    await until(pilot, lambda: column(table, name)[-1] == total)


@pytest.mark.req("S2-112", "S2-035")
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_sums_and_receipts_add_up_on_the_screen(deck, size):
    async def look():
        async with in_room(deck, *rows(deck), size=size) as (app, pilot, _):
            screen = await opened_at_money(app, pilot)
            receipts = screen.query_one("#receipts", LineTable)
            assert sorted(names(screen.table)[:-1]) == ["fixer", "judged", "never"]
            costs = column(screen.table, "cost")
            assert sum(costs[:-1]) == costs[-1] > 0
            for at, name in enumerate(names(screen.table)):
                screen.table.move_to(f"={name}" if name != "total" else "total")
                await until_total(pilot, receipts, "total", costs[at])
                for figures in ("maker", "checks", "total", "saved"):
                    shown = column(receipts, figures)
                    assert sum(shown[:-1]) == shown[-1]
            text = screen_text(app)
            assert "$" in text
            assert "total" in text
            assert "priced" in text
            screen.table.move_to("=judged")
            await until(pilot, lambda: "checks: " in screen_text(app))
            assert "per done run" in screen_text(app)
            assert "of input, saved $0.0" in screen_text(app)
            assert column(receipts, "checks")[0] > 0
            assert column(screen.table, "saved")[-1] > 0

    asyncio.run(look())


def test_views_are_turned_by_keys_and_by_the_mouse_and_have_one_total(deck):
    async def look():
        async with in_room(deck, *rows(deck), size=(120, 40)) as (app, pilot, _):
            screen = await opened_at_money(app, pilot)
            total = column(screen.table, "cost")[-1]
            seen = []
            for key in ("v", "right", "v", "V", "left"):
                await pilot.press(key)
                await until_total(pilot, screen.table, "cost", total)
                seen.append(names(screen.table)[0])
            assert seen[0] == seen[4] == "makers"
            assert seen[1] == seen[3] == "claude-sonnet-4-5"
            assert seen[2].startswith("20")
            below = screen.query_one("#receipts", LineTable)
            assert sorted(names(below)) == ["fixer", "judged", "never", "total"]
            assert column(below, "cost")[-1] == column(screen.table, "cost")[0]
            assert await pilot.click(Choices, offset=(6, 0))
            await until(pilot, lambda: "fixer" in names(screen.table))

    asyncio.run(look())


def test_enter_goes_down_into_the_loop_and_escape_comes_back(deck):
    async def look():
        async with in_room(deck, *rows(deck)) as (app, pilot, _):
            screen = await opened_at_money(app, pilot)
            screen.table.move_to("=judged")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, LoopScreen))
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is screen)
            screen.table.move_to("total")
            await pilot.press("enter")
            assert app.screen is screen

    asyncio.run(look())


def test_a_deck_without_runs_says_so(tmp_path):
    async def look():
        async with in_room(a_deck(tmp_path), size=(80, 24)) as (app, pilot, _):
            await pilot.press("m")
            await until(pilot, lambda: "No run has asked a model yet." in screen_text(app))
            await pilot.press("v", "escape")

    asyncio.run(look())
